"""Pictures of one class that show the same thing turned, mirrored, cropped or in another light, told by their pixels.

They are looked for when a dataset is made, so that a split that is drawn then tears none of them apart, and among
images that are added to it. Each picture is compared with each other one of its class: as it is in all eight
positions, and made smaller with every place of the other, first at 16 pixels, then closely.
`tl_core.audit.look_alikes` looks further, with a backbone's features: across classes, and in sets too large for this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from threadpoolctl import threadpool_limits

from tl_core.data.dataset import ImageRecord
from tl_core.data.imports.building import STOPPED, in_threads
from tl_core.data.similarity import groups_of
from tl_core.errors import ImageError
from tl_core.machine.progress import UNATTENDED, TaskContext

MOST: Final = 3000  # different images of a class; in a larger one every pair would take too long ...
MOST_CROPPED: Final = 1000  # ... and to find crops in one that is larger than this
MANY: Final = 200  # from so many on it is said what is done
LOOKING: Final = "Looking for pictures that show the same"
SIDE: Final = 48  # pixels at which two pictures are laid over each other
SAME: Final = 0.93  # correlation of two pictures of the same thing
MIN_SPREAD: Final = 8.0  # grey levels; flatter pictures resemble every other flat one
MUCH_ALIKE: Final = 0.5  # usual correlation in a class whose pictures are all alike, as digits are: it tells nothing
SAMPLED: Final = 40  # pictures of a larger class by which that is judged before all are read
MOST_OF_CLASS: Final = 0.2  # a larger group is no evidence, unless it is of four

_COARSE: Final = 16  # pixels at which a place is looked for
_CROPS: Final = (14, 13, 12, 11)  # of those, the side of the place: crops of 70 to 90 % of a side
_LIKELY: Final = 0.7  # correlation there, from which on it is looked at closely
_CLOSELY: Final = 3  # places of each picture
_AROUND: Final = 3  # pixels of 48 by which a place may be beside the one that was found at 16 ...
_SIZES: Final = (0, -1, 1, -2, 2)  # ... and its side longer or shorter
_TURNS: Final = (None, *Image.Transpose)
_BLOCK: Final = 32  # pictures at a time

Grey = npt.NDArray[np.float32]
Pair = tuple[int, int]
Places = npt.NDArray[np.intp]


def name_twins(
    folder: Path,
    images: Sequence[ImageRecord],
    task: TaskContext = UNATTENDED,
    fresh: Collection[str] | None = None,
) -> list[ImageRecord]:
    """The same images, those that show the same as others of their class with the name of their group.

    Args:
        folder: of the dataset, which holds the files.
        images: with their labels.
        task: is told that it is at work where the images are many; checked for a stop.
        fresh: pixels (`ImageRecord.pixels_sha256`) of those that are new among images that were searched before:
            only what shows the same as one of them is looked for. None = all are new.

    Raises:
        ImageError: a file is missing or damaged.
        StoppedError: a stop was requested.
    """
    pools: dict[int, dict[str, int]] = {}
    for place, image in enumerate(images):
        pools.setdefault(image.label, {}).setdefault(image.pixels_sha256, place)
    names: dict[tuple[int, str], str] = {}
    for done, (label, pool) in enumerate(pools.items()):
        if len(images) >= MANY:
            task.report(done, len(pools), LOOKING)
        if not 2 <= len(pool) <= MOST:
            continue
        places = list(pool.values())
        files = [folder / images[place].file for place in places]
        if len(files) > 2 * SAMPLED and _much_alike(_halved(_read(files[:: len(files) // SAMPLED]))):
            continue
        small = _read(files)
        new = np.array([fresh is None or pixels in fresh for pixels in pool])
        known = _known_pairs([images[place].twins for place in places])
        with threadpool_limits(1):  # several threads wait for each other longer than these products take
            groups = _groups(small, new, known, task)
        for group in groups:
            first = min(images[places[member]].pixels_sha256 for member in group)
            names |= {(label, images[places[member]].pixels_sha256): first for member in group}
    return [replace(image, twins=names.get((image.label, image.pixels_sha256), image.twins)) for image in images]


def twin_groups(images: Iterable[ImageRecord]) -> list[list[ImageRecord]]:
    """Those that show the same as others of their class by `name_twins`, in their groups, one of each copy."""
    groups: dict[tuple[int, str], dict[str, ImageRecord]] = {}
    for image in images:
        if image.twins:
            groups.setdefault((image.label, image.twins), {}).setdefault(image.pixels_sha256, image)
    return [list(group.values()) for group in groups.values() if len(group) > 1]


def _known_pairs(names: Sequence[str]) -> list[Pair]:
    """Pairs of places of the same name, one fewer than there are places of it."""
    first: dict[str, int] = {}
    return [(first.setdefault(name, place), place) for place, name in enumerate(names) if name]


def _read(files: Sequence[Path]) -> Grey:
    return np.stack(list(in_threads(_small, files)))


def _small(path: Path) -> Grey:
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.draft("L", (2 * SIDE, 2 * SIDE))
            return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"The stored image {path.name} is missing or damaged: import the dataset again.") from error


def _groups(small: Grey, new: npt.NDArray[np.bool_], known: Sequence[Pair], task: TaskContext) -> list[list[int]]:
    """Groups of two or more pictures ``(images, 48, 48)`` that show the same.

    Args:
        small: of one class.
        new: ``(images,)``, those that are compared with all.
        known: pairs that are known to show the same.
        task: checked for a stop.
    """
    rows = np.flatnonzero(small.std(axis=(1, 2)) >= MIN_SPREAD)
    places = np.flatnonzero(new[rows])
    if len(rows) < 2 or not len(places):
        return []
    chosen = small[rows]
    half = _halved(chosen)
    if _much_alike(half):
        return []
    pairs = _turned(chosen, half, places)
    if len(rows) <= MOST_CROPPED:
        everything = np.arange(len(rows))
        pairs |= _cropped(chosen, everything, places, task)
        pairs |= _cropped(chosen, places, np.flatnonzero(~new[rows]), task)
    found = {(rows[one], rows[other]) for one, other in pairs}
    most = max(4, MOST_OF_CLASS * len(small))
    groups = groups_of(len(small), [*known, *sorted(found)]) if found else []
    return [group for group in groups if 2 <= len(group) <= most]


def _halved(small: Grey) -> Grey:
    """Pictures ``(n, 48, 48)`` at 24 pixels, of length one: ``(n, 576)``."""
    side = SIDE // 2
    return _unit(small.reshape(len(small), side, 2, side, 2).mean(axis=(2, 4)).reshape(len(small), -1))


def _much_alike(half: Grey) -> bool:
    return bool(np.median((half @ half.T)[np.triu_indices(len(half), 1)]) > MUCH_ALIKE)


def _turned(small: Grey, half: Grey, places: Places) -> set[Pair]:
    """Pairs of one at ``places`` and any other that is the same, as it is or in another of the eight positions."""
    square = half.reshape(len(half), SIDE // 2, SIDE // 2)
    found: set[Pair] = set()
    for turn in _TURNS:
        turned = square if turn is None else np.stack([_transposed(picture, turn) for picture in square])
        close = half[places] @ turned.reshape(half.shape).T >= SAME
        for row, other in zip(*(found_at.tolist() for found_at in np.nonzero(close)), strict=True):
            one = int(places[row])
            pair = min(one, other), max(one, other)
            if one == other or pair in found:
                continue
            whole = small[other] if turn is None else _transposed(small[other], turn)
            if np.corrcoef(small[one].ravel(), whole.ravel())[0, 1] >= SAME:
                found.add(pair)
    return found


def _transposed(picture: Grey, turn: Image.Transpose) -> Grey:
    return np.asarray(Image.fromarray(picture).transpose(turn))


def _cropped(small: Grey, wholes: Places, pieces: Places, task: TaskContext) -> set[Pair]:
    """Pairs of which the one, of ``pieces``, made smaller and perhaps mirrored, lies within one of ``wholes``."""
    if not len(pieces):
        return set()
    coarse = np.stack([_resized(small[whole], _COARSE) for whole in wholes])
    windows_of = [_windows(coarse, side) for side in _CROPS]
    found: set[Pair] = set()
    for start in range(0, len(pieces), _BLOCK):
        task.stop_if_asked(STOPPED)
        parts = pieces[start : start + _BLOCK]
        best = np.full((len(wholes), len(parts)), -1.0, np.float32)
        where = np.zeros((4, len(wholes), len(parts)), int)  # side, mirrored, row and column of the place
        for side, windows in zip(_CROPS, windows_of, strict=True):
            smaller = np.stack([_resized(small[part], side) for part in parts])
            for mirrored in (False, True):
                turned = smaller[:, :, ::-1] if mirrored else smaller
                alike = (windows @ _unit(turned.reshape(len(parts), -1)).T).reshape(len(wholes), -1, len(parts))
                top, steps = alike.max(axis=1), _COARSE - side + 1
                row, column = np.divmod(alike.argmax(axis=1), steps)
                here = np.stack([np.full_like(row, side), np.full_like(row, mirrored), row, column])
                where = np.where(top > best, here, where)
                best = np.maximum(best, top)
        best[wholes[:, None] == parts] = -1  # each lies within itself
        for place, part in enumerate(parts.tolist()):
            for row in np.argsort(-best[:, place], kind="stable")[:_CLOSELY].tolist():
                whole = int(wholes[row])
                if best[row, place] >= _LIKELY and _lies_at(small[whole], small[part], *where[:, row, place]):
                    found.add((min(whole, part), max(whole, part)))
    return found


def _lies_at(whole: Grey, part: Grey, side: int, mirrored: int, row: int, column: int) -> bool:
    """Whether the picture of a place that was found at 16 pixels is the same at 48."""
    scale = SIDE // _COARSE
    top, left = (max(0, scale * place - _AROUND) for place in (row, column))
    near = whole[top : scale * (row + side) + _AROUND, left : scale * (column + side) + _AROUND]
    for change in _SIZES:
        size = scale * side + change
        if size > min(near.shape):
            continue
        piece = _resized(part, size)
        piece = piece[:, ::-1] if mirrored else piece
        alike = float((_windows(near[None], size) @ _unit(piece.reshape(1, -1))[0]).max())
        if alike >= SAME:
            return True
        if change == 0 and alike < _LIKELY:
            return False  # and no other size of it would be
    return False


def _windows(pictures: Grey, side: int) -> Grey:
    """All places of pictures ``(n, height, width)``, of length one: ``(n * places, side * side)``."""
    places: npt.NDArray[Any] = np.lib.stride_tricks.sliding_window_view(pictures, (side, side), axis=(1, 2))
    return _unit(places.reshape(-1, side * side))


def _resized(picture: Grey, side: int) -> Grey:
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX))


def _unit(rows: Grey) -> Grey:
    """Rows less their mean, of length one: their products are correlations."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    unit: Grey = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return unit
