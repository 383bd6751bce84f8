"""Damage of files: seeded, of the kinds that disks, networks, editors and other programs do."""

from __future__ import annotations

import random
import re

_NUMBERS = [0, 1, 127, 255, *(2**bits - 1 for bits in (15, 16, 24, 30, 31, 32, 48, 63, 64))]
_WORDS = ['-1', '0', '1', '7', '1e999', '99999999', '2147483648', 'null', '[]', '{}', '""', 'NaN', ',']


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a file with one to three damages, half of them in its first 200 bytes."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        content = rng.choice(_DAMAGES)(content, rng)
    return content


def _place(content: bytes, rng: random.Random) -> int:
    return rng.randrange(max(1, min(len(content), rng.choice([200, 10**9]))))


def _bit(content: bytes, rng: random.Random) -> bytes:
    at = _place(content, rng)
    other = bytes(byte ^ 1 << rng.randrange(8) for byte in content[at : at + 1])
    return content[:at] + other + content[at + 1 :]


def _number(content: bytes, rng: random.Random) -> bytes:
    """Another number in 1, 2, 4 or 8 bytes, which are often aligned."""
    at, size = _place(content, rng), rng.choice([1, 2, 4, 8])
    at -= at % rng.choice([1, size])
    number = rng.choice(_NUMBERS) % 256**size
    return content[:at] + number.to_bytes(size, rng.choice(['big', 'little'])) + content[at + size :]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _lost(content: bytes, rng: random.Random) -> bytes:
    at = _place(content, rng)
    return content[:at] + content[at + rng.randint(1, 100) :]


def _zeros(content: bytes, rng: random.Random) -> bytes:
    at, size = _place(content, rng), rng.randint(1, 600)
    return content[:at] + bytes(min(size, len(content) - at)) + content[at + size :]


def _twice(content: bytes, rng: random.Random) -> bytes:
    at = _place(content, rng)
    return content[:at] + content[at : at + rng.randint(1, 300)] + content[at:]


def _word(content: bytes, rng: random.Random) -> bytes:
    """Another number or name in a text."""
    words = [*re.finditer(rb'-?[\w.]+', content)]
    if not words:
        return content
    word = rng.choice(words)
    other = rng.choice([rng.choice(_WORDS).encode(), rng.choice(words).group()])
    return content[: word.start()] + other + content[word.end() :]


_DAMAGES = [_bit, _number, _cut, _lost, _zeros, _twice, _word, _word]
