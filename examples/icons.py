"""Does center loss help? The study of `study.py` on icons: a class is a name, a picture that of a theme.

The themes are those of `icons-packages.txt`, on Debian:

    xargs -a examples/icons-packages.txt apt-get install -y --no-install-recommends
    python examples/icons.py
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

from centerloss_mx import cli
from centerloss_mx.dataset import Arrays

import numpy as np
from glyph_images import different, save_samples
from PIL import Image
from study import parser, study
from tqdm import tqdm

FOLDER = Path('/usr/share/icons')
# Of the variants of a theme, such as Papirus-Dark, one.
THEMES = (
    'Adwaita',
    'Faba',
    'Faenza',
    'Moka',
    'Numix',
    'Nuovo',
    'Obsidian',
    'Paper',
    'Papirus',
    'Suede',
    'Tango',
    'bloom',
    'breeze',
    'elementary',
    'elementary-xfce',
    'gartoon',
    'gnome',
    'mate',
    'menta',
    'nuoveXT2',
    'oxygen',
    'suru',
    'yasis',
)


def icons_of(theme: str) -> dict[str, Path]:
    """The file of each icon of a theme, the size nearest to 48; a name that is a link to another has none."""
    found: dict[str, tuple[int, Path]] = {}
    for path in sorted((FOLDER / theme).rglob('*')):
        if path.suffix not in ('.png', '.svg') or 'symbolic' in str(path) or path.is_symlink():
            continue
        size = re.search(r'(?:^|/)(\d+)(?:x\d+)?(?:/|$)', str(path.parent.relative_to(FOLDER)))
        distance = abs(int(size.group(1)) - 48) if size else 50
        if path.stem not in found or distance < found[path.stem][0]:
            found[path.stem] = distance, path
    return {name: path for name, (_, path) in found.items()}


def read(path: Path, size: int) -> np.ndarray | None:
    """RGB (size, size, 3) uint8 on white; None: a file that cannot be drawn."""
    content = path.read_bytes()
    if path.suffix == '.svg':
        command = ['rsvg-convert', '--width', str(size), '--height', str(size), str(path)]
        content = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        ).stdout
    try:
        with Image.open(io.BytesIO(content)) as image:
            image = image.convert('RGBA')
    except OSError:
        return None
    ground = Image.new('RGBA', image.size, 'white')
    return np.asarray(Image.alpha_composite(ground, image).convert('RGB').resize((size, size), Image.LANCZOS))


def draw_icons(min_themes: int, size: int) -> tuple[Arrays, list[str]]:
    """Icons that `min_themes` themes have, each picture once; beside them, the theme of each one."""
    files: dict[str, dict[str, Path]] = defaultdict(dict)
    for theme in THEMES:
        for name, path in icons_of(theme).items():
            files[name][theme] = path
    images, labels, names, themes, drawn = [], [], [], [], set()
    common = [name for name in sorted(files) if len(files[name]) >= min_themes]
    for name in tqdm(common, 'drawing', unit='class', leave=False):
        pictures = dict(different(((theme, read(path, size)) for theme, path in files[name].items()), drawn))
        if len(pictures) < min_themes:
            continue
        drawn.update(picture.tobytes() for picture in pictures.values())
        labels += [len(names)] * len(pictures)
        names.append(name)
        themes += pictures
        images += pictures.values()
    pixels = np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 255
    return Arrays(pixels, np.array(labels), names), themes


def main() -> None:
    options = parser(__doc__.splitlines()[0], 'runs/icons', num_epochs=30)
    options.add_argument(
        '--min-themes', type=cli.whole_number(1), default=8, help='pictures of a class, at least'
    )
    options.add_argument(
        '--image-size', type=cli.whole_number(1), default=32, help='height and width of a picture'
    )
    args = options.parse_args()
    if shutil.which('rsvg-convert') is None:
        raise FileNotFoundError('rsvg-convert is missing; install librsvg2-bin')
    path = args.output / 'icons.npz'
    if not path.exists():
        save_samples(path, *draw_icons(args.min_themes, args.image_size))
    study(str(path), args)


if __name__ == '__main__':
    cli.run(main)
