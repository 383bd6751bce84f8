"""Does center loss help? The study of `study.py` on characters of many scripts in the fonts of the machine.

    python examples/glyphs.py                     # 600 characters in 20 fonts each
    python examples/glyphs.py --num-classes 2000 --num-epochs 8 --num-seeds 1 \\
        --methods softmax "center loss" --output runs/glyphs2000

The fonts are those of `glyphs-packages.txt`, on Debian:

    xargs -a examples/glyphs-packages.txt apt-get install -y --no-install-recommends
"""

from __future__ import annotations

from centerloss_mx import cli

from glyph_images import FOLDERS, draw_characters, find_fonts, save_samples
from study import parser, study


def main() -> None:
    options = parser(__doc__.splitlines()[0], 'runs/glyphs', num_epochs=12)
    add, some = options.add_argument, cli.whole_number(1)
    add('--num-classes', type=some, default=600, help='how many characters')
    add('--num-fonts', type=some, default=20, help='in how many fonts each is drawn')
    add('--image-size', type=some, default=28, help='height and width of a picture')
    add('--folders', nargs='+', default=FOLDERS, metavar='FOLDER', help='where the fonts are')
    args = options.parse_args()
    path = args.output / 'glyphs.npz'
    if not path.exists():
        fonts = find_fonts(args.folders)
        save_samples(path, *draw_characters(fonts, args.num_classes, args.num_fonts, args.image_size))
    study(str(path), args)


if __name__ == '__main__':
    cli.run(main)
