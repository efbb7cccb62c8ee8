"""The class and the split of a file, from the folders that it is in.

Understood are ``class/…`` and ``train/class/…`` beside ``validation/class/…`` and ``test/class/…``, each
inside any number of single top folders. Folders within a class folder are part of the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tl_core.data.dataset import SkippedFile
from tl_core.data.imports.class_names import label_names
from tl_core.data.imports.file_kinds import is_archive_name, is_junk, is_picture_name
from tl_core.data.imports.sources import SourceFile
from tl_core.errors import NotEnoughDataError

SPLIT_FOLDERS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file that should be a picture of a class."""

    file: SourceFile
    class_name: str
    split: str | None  # the split it came with


@dataclass(frozen=True, slots=True)
class Layout:
    """Classes and splits of a source, from its folders."""

    files: tuple[LabelledFile, ...]
    skipped: tuple[SkippedFile, ...]
    given_splits: bool


def understand_layout(files: Sequence[SourceFile], skipped: Sequence[SkippedFile] = ()) -> Layout:
    """Find the class and the split of every picture; ``skipped`` were left out before.

    Raises:
        NotEnoughDataError: there is no picture, or no class folder.
    """
    pictures, left_out = [], list(skipped)
    for file in files:
        if is_junk(file.parts):
            continue
        if is_picture_name(file.parts[-1]):
            pictures.append(file)
        else:
            kind = "an archive within the archive" if is_archive_name(file.parts[-1]) else "no image"
            left_out.append(SkippedFile(file.shown_name, f"It is {kind}."))
    if not pictures:
        raise NotEnoughDataError(
            "There are no images in it: bring one folder per class with JPEG, PNG, WebP, BMP or GIF images."
        )
    depth = _top_folders(pictures)
    given = _has_splits(pictures, depth)
    found: list[tuple[SourceFile, str, str | None]] = []
    for file in pictures:
        folders = file.parts[depth:-1]
        split = SPLIT_FOLDERS.get(folders[0].casefold()) if given and folders else None
        if given and split is None:
            left_out.append(SkippedFile(file.shown_name, "It lies outside the train, validation and test folders."))
        elif len(folders) <= given:
            left_out.append(SkippedFile(file.shown_name, "It lies in no class folder."))
        else:
            found.append((file, folders[given], split))
    if not found:
        raise NotEnoughDataError("The images lie in no class folders: make one folder per class, named as the class.")
    labels = label_names(folder for _, folder, _ in found)
    labelled = tuple(LabelledFile(file, labels[folder], split) for file, folder, split in found)
    return Layout(labelled, tuple(left_out), given)


def _top_folders(pictures: Sequence[SourceFile]) -> int:
    """How many folders to look through before the class or split folders begin."""
    paths = [file.parts for file in pictures if len(file.parts) > 1]
    depth = 0
    while paths:
        inner = {path[depth + 1] for path in paths if len(path) > depth + 2}
        single = len({path[depth] for path in paths}) == 1
        own_pictures = any(len(path) == depth + 2 for path in paths)
        if not single or not inner or (own_pictures and len(inner) < 2):
            break
        paths = [path for path in paths if len(path) > depth + 2]
        depth += 1
    return depth


def _has_splits(pictures: Sequence[SourceFile], depth: int) -> bool:
    """Whether the folders are splits: a train folder beside another split folder, both with class folders.

    A folder ``train`` among others may well be a class of vehicles.
    """
    tops = {file.parts[depth].casefold() for file in pictures if len(file.parts) > depth + 2}
    splits = {SPLIT_FOLDERS[name] for name in tops if name in SPLIT_FOLDERS}
    return "train" in splits and len(splits) > 1
