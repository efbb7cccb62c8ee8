"""Recognising the same picture when it was saved again: a difference hash of 256 bits.

Each bit is whether the picture gets brighter from one cell to its right neighbour in a grid of 17 x 16
cells, so it survives other sizes, other compression and small changes of light.
Method: `Kind of Like That <https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html>`_
(dHash, 2013), with 16 x 16 bits in place of 8 x 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

HASH_BITS: Final = 256
NEAR_BITS: Final = 4  # hashes of the same picture differ in at most this many bits ...
NEAR_SHARE: Final = 0.1  # ... and in at most this share of the bits that are set, which matters for plain pictures
_SIDE: Final = 16
_TELLING: Final = 20  # bits that are set in the hash of a picture that can be recognised
_FLAT: Final = 2  # grey levels; smaller steps are noise of the compression, not structure
_BLOCK: Final = 1_000_000  # comparisons at a time, to bound the memory (some 50 MB)

Hashes = npt.NDArray[np.uint64]


def perceptual_hash(image: Image.Image) -> str:
    """The difference hash of an image as 64 hexadecimal digits."""
    grid = image.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BILINEAR)
    cells = np.asarray(grid, dtype=np.int16)
    return np.packbits(cells[:, 1:] - cells[:, :-1] > _FLAT).tobytes().hex()


def near_pairs(hashes: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs ``(i, j)``, ``i < j``, of hashes that are near enough to belong to the same picture.

    Pictures without structure, blank or smooth, are left out: their hashes are alike whatever they show.
    Takes about a second for 10,000 hashes.
    """
    words = _as_words(hashes)
    counts = _bits(words)
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] >= _TELLING]
    words, counts = words[order], counts[order].astype(np.int32)
    step = max(1, _BLOCK // max(1, len(order)))
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(order), step):
        last = counts[start : start + step][-1]
        end = int(np.searchsorted(counts, last + NEAR_BITS, side="right"))  # near hashes have near counts of bits
        distances = _bits(words[start : start + step, None] ^ words[None, start:end])
        together = counts[start : start + step, None] + counts[None, start:end]
        rows, columns = np.nonzero((distances <= NEAR_BITS) & (distances <= NEAR_SHARE / 2 * together))
        first, second = order[start + rows[rows < columns]], order[start + columns[rows < columns]]
        pairs += zip(np.minimum(first, second).tolist(), np.maximum(first, second).tolist(), strict=True)
    return sorted(pairs)


def near_hashes(hashes: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs ``(i, j)`` of a hash and one of ``others`` that are as near as `near_pairs` wants them."""
    left, right = _as_words(hashes), _as_words(others)
    first, second = _bits(left).astype(np.int32), _bits(right).astype(np.int32)
    step = max(1, _BLOCK // max(1, len(right)))
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(left), step):
        distances = _bits(left[start : start + step, None] ^ right[None])
        counts = first[start : start + step, None]
        near = (distances <= NEAR_BITS) & (distances <= NEAR_SHARE / 2 * (counts + second[None]))
        rows, columns = np.nonzero(near & (np.minimum(counts, second[None]) >= _TELLING))
        pairs += zip((start + rows).tolist(), columns.tolist(), strict=True)
    return pairs


def differing_share(hashes: Sequence[str], others: Sequence[str]) -> npt.NDArray[np.float64]:
    """Pair by pair, the share of the bits set in either hash that differ, 0-1; 1 where a picture has no structure."""
    first, second = _as_words(hashes), _as_words(others)
    counts = np.minimum(_bits(first), _bits(second))
    shares = _bits(first ^ second) / np.maximum(_bits(first | second), 1)
    return np.where(counts < _TELLING, 1.0, shares)


def groups_of(size: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Partition ``range(size)`` so that the two ends of every pair share a group (union-find)."""
    parent = list(range(size))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in pairs:
        parent[root(second)] = root(first)
    groups: dict[int, list[int]] = {}
    for index in range(size):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _as_words(hashes: Sequence[str]) -> Hashes:
    data = b"".join(bytes.fromhex(text) for text in hashes)
    return np.frombuffer(data, dtype=np.uint64).reshape(len(hashes), HASH_BITS // 64)


def _bits(words: Hashes) -> npt.NDArray[Any]:
    counts: npt.NDArray[Any] = np.bitwise_count(words).sum(axis=-1, dtype=np.uint16)
    return counts
