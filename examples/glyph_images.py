"""Characters of many scripts, drawn in the fonts of the machine: many classes of few pictures, as faces are.

A class is a character, a picture is that character in one font. `glyphs.py` has the study on them.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Sequence, TypeVar

from centerloss_mx.dataset import Arrays
from centerloss_mx.model import write_whole

import numpy as np
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

FOLDERS = ('/usr/share/fonts', '/usr/local/share/fonts', '~/.local/share/fonts', '/Library/Fonts')
_SUFFIXES = {'.ttf', '.otf', '.ttc', '.otc'}
_PLAIN = {'Regular', 'Book', 'Medium', 'Roman', ''}
# Two drawings of a character are copies if they differ by less than this share of their ink: fonts of
# different names often hold the same glyphs.
_COPY = 0.15

Source = TypeVar('Source')  # what tells the drawings of a class apart: a font, a theme


class Font(NamedTuple):
    """A font file: the name of its family, and the characters that it has."""

    family: str
    path: Path
    characters: frozenset[int]


def find_fonts(folders: Sequence[str] = FOLDERS) -> list[Font]:
    """One file for each family of fonts, so none twice; the plain style where there is one."""
    found: dict[str, tuple[bool, Font]] = {}
    for path in _font_files(folders):
        try:
            with open(path, 'rb') as file, TTFont(file, fontNumber=0, lazy=True) as font:
                names = font['name']
                family, style = names.getBestFamilyName(), names.getBestSubFamilyName() or ''
                characters = frozenset(font.getBestCmap() or ())
            ImageFont.truetype(str(path), 24)
        except (TTLibError, OSError, KeyError):  # no font, or one of bitmaps
            continue
        is_plain = style in _PLAIN
        if family and (family not in found or is_plain > found[family][0]):
            found[family] = is_plain, Font(family, path, characters)
    return [font for _, font in found.values()]


def _font_files(folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(Path(folder).expanduser().rglob('*')):
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                yield path


def characters_of(fonts: Sequence[Font], num_fonts: int, seed: int) -> Iterator[str]:
    """Letters that `num_fonts` fonts have, one of each script after the other, in the order of `seed`."""
    scripts: dict[str, list[str]] = {}
    counts = Counter(code for font in fonts for code in font.characters)
    letters = sorted(code for code, count in counts.items() if count >= num_fonts and _is_letter(chr(code)))
    for code in np.random.RandomState(seed).permutation(letters):
        scripts.setdefault(unicodedata.name(chr(code)).split()[0], []).append(chr(code))
    while any(scripts.values()):
        for script in sorted(scripts):
            if scripts[script]:
                yield scripts[script].pop()


def _is_letter(character: str) -> bool:
    """Whether it is a letter with a name of its own, and no form of another one for compatibility."""
    return (
        unicodedata.category(character) in ('Lu', 'Ll', 'Lo')
        and unicodedata.name(character, '') != ''
        and unicodedata.normalize('NFKC', character) == character
    )


def draw_characters(
    fonts: Sequence[Font], num_classes: int, num_fonts: int, image_size: int, seed: int = 0
) -> tuple[Arrays, list[str]]:
    """Draw each character in `num_fonts` fonts; beside the pictures, the family of each one.

    A drawing that another character or another font has already is left out; a character with fewer than
    `num_fonts` drawings left is, too. So no two classes look the same in a font, and no font counts twice.
    """
    random = np.random.RandomState(seed)
    faces = [ImageFont.truetype(str(font.path), image_size * 3 // 4) for font in fonts]
    images: list[np.ndarray] = []
    names: list[str] = []
    families: list[str] = []
    taken: set[bytes] = set()
    with tqdm(total=num_classes, desc='drawing', unit='class', leave=False) as progress:
        for character in characters_of(fonts, num_fonts, seed):
            order = [i for i in random.permutation(len(fonts)) if ord(character) in fonts[i].characters]
            drawings = ((i, draw(character, faces[i], image_size)) for i in order)
            drawn = dict(islice(different(drawings, taken), num_fonts))
            if len(drawn) < num_fonts:
                continue
            taken.update(picture.tobytes() for picture in drawn.values())
            images.extend(drawn.values())
            families.extend(fonts[i].family for i in drawn)
            names.append(f'U+{ord(character):04X}')
            progress.update()
            if len(names) == num_classes:
                break
    if len(names) < num_classes:
        raise ValueError(
            f'{len(fonts)} families of fonts give {len(names)} characters in {num_fonts} fonts; expected '
            f'{num_classes}: install more fonts, or ask for less'
        )
    labels = np.repeat(np.arange(num_classes), num_fonts)
    pixels = 1 - np.stack(images)[:, None].astype(np.float32) / 255  # ink is 1
    return Arrays(pixels, labels, names), families


def different(
    drawings: Iterable[tuple[Source, np.ndarray | None]], taken: set[bytes]
) -> Iterator[tuple[Source, np.ndarray]]:
    """Drawings of a class by their source, but for those that are taken or copies of one before."""
    pictures: list[np.ndarray] = []
    for source, picture in drawings:
        if picture is not None and picture.tobytes() not in taken and not is_copy(picture, pictures):
            pictures.append(picture)
            yield source, picture


def draw(character: str, font: ImageFont.FreeTypeFont, image_size: int) -> np.ndarray | None:
    """Draw black on white, (image_size, image_size) uint8; None where nothing is drawn."""
    image = Image.new('L', (image_size, image_size), 255)
    middle = image_size / 2
    try:
        ImageDraw.Draw(image).text((middle, middle), character, fill=0, font=font, anchor='mm')
    except OSError:  # a glyph that FreeType cannot draw
        return None
    pixels = np.asarray(image)
    return pixels if (pixels < 128).any() else None


def is_copy(picture: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether one of the others is the same but for the rendering; all uint8, dark on white."""
    if not others:
        return False
    differences = np.abs(np.stack(others).astype(int) - picture).reshape(len(others), -1).sum(axis=1)
    return bool((differences < _COPY * (255 - picture.astype(int)).sum()).any())


def save_samples(path: Path, samples: Arrays, sources: Sequence[str]) -> None:
    """Write what `load_samples` reads; beside it, the font or theme of each picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.array(samples.class_names)[samples.labels]
    write_whole(
        path, lambda name: np.savez_compressed(name, images=samples.images, labels=labels, sources=sources)
    )
