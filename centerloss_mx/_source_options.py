"""How samples are read from a source, and which of them are held out: one object for all commands."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ['SourceOptions']


class SourceOptions(NamedTuple):
    """How samples are read from a source, and which of them are held out to test with.

    Parameters
    ----------
    layout : {'NHW', 'NHWC', 'NCHW'} or None
        Layout of images in an array; None: told from their shape.
    image_size : int, (int, int) or None
        Height and width in pixels that pictures in files get; an int is both. None: not given.
    fit : {'crop', 'stretch', 'pad'} or None
        How a picture of another shape gets this size, see `io.Preprocessing`; None: not given.
    mean, std : tuple of 3 floats or None
        What is subtracted from the RGB values, 0..255, of pictures in files, and what they are then divided
        by; None: not given.
    label_column : str or None
        Name of the labels' column of a .csv file; number of the label of records that have several, from 0.
        None: ``'label'``, or the first.
    min_images : int
        Classes of fewer samples are left out, > 0.
    skip_bad : bool
        Whether pictures that cannot be decoded are left out.
    test : str or None
        Samples to test with: another source, or a .txt file with the names of some of these. None: see
        `test_column` and `test_share`.
    test_share : float
        Share that is held out where nothing else says what to test with, 0 <= share < 1; 0: nothing.
    split : {'samples', 'classes'}
        Whether this is a share of the samples of every class, or of the classes with all their samples.
    test_column : str or None
        Name of the column of a .csv file, or of the array of an .npz file, that marks the samples to test
        with.

    Examples
    --------
    >>> SourceOptions(image_size=(128, 64), fit='stretch').reading()['fit']
    'stretch'
    """

    layout: str | None = None
    image_size: int | tuple[int, int] | None = None
    fit: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    label_column: str | None = None
    min_images: int = 1
    skip_bad: bool = False
    test: str | None = None
    test_share: float = 0.2
    split: str = 'samples'
    test_column: str | None = None

    def reading(self) -> dict[str, Any]:
        """Return the options of `dataset.load_samples`, by name."""
        return {name: value for name, value in self._asdict().items() if name not in _OTHERS}


_OTHERS = ('skip_bad', 'test', 'test_share', 'split')
