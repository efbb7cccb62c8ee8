"""The class and the split of a file, from the folders that it is in.

Understood are ``class/…``; ``train/class/…`` beside ``validation/class/…`` and ``test/class/…``; ``class/train/…``;
each inside any number of single top folders. Folders within a class folder are part of the class. Splits are known
by a word in their name: ``training_set``, ``1_train``, ``dev``. Without class folders a table or the names of the
files tell the class (`tl_core.data.imports.file_labels`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tl_core.data.dataset import SkippedFile
from tl_core.data.imports.class_names import clashing_names, clean_file_name, clean_text, label_names
from tl_core.data.imports.file_kinds import is_archive_name, is_junk, is_picture_name, is_table_name
from tl_core.data.imports.file_labels import labels_from_names, labels_from_tables
from tl_core.data.imports.sources import SourceFile
from tl_core.errors import NoClassFoldersError, NotEnoughDataError

MIN_IMAGES: Final = 2  # usable images of each class that an import takes
SPLIT_WORDS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_FILLERS: Final = frozenset(
    {"set", "data", "dataset", "images", "imgs", "image", "pictures", "photos"}
    | {"split", "part", "subset", "folder", "files"}
)
_JOINED = re.compile(rf"({'|'.join(SPLIT_WORDS)})(?:{'|'.join(sorted(_FILLERS))})")


def split_of(folder: str) -> str | None:
    """The split that the name of a folder means, such as test of ``Test set`` and of ``test1``; None for others."""
    words = [word for word in re.findall(r"[^\W\d_]+", folder.casefold()) if word not in _FILLERS]
    if len(words) != 1:
        return None
    joined = _JOINED.fullmatch(words[0])
    return SPLIT_WORDS.get(joined[1] if joined else words[0])


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
    note: str = ""  # how the classes were understood, where it was not by their folders


def understand_layout(files: Sequence[SourceFile], skipped: Sequence[SkippedFile] = ()) -> Layout:
    """Find the class and the split of every picture; ``skipped`` were left out before.

    Raises:
        NotEnoughDataError: there is no picture, nothing tells the classes, or it is not clear what the folders are.
    """
    files = [file for file in files if not is_junk(file.parts)]
    pictures = [file for file in files if is_picture_name(file.parts[-1])]
    tables = [file for file in files if is_table_name(file.parts[-1])]
    left_out = [
        *skipped,
        *(
            SkippedFile(file.shown_name, f"It is {_kind(file)}.")
            for file in files
            if not is_picture_name(file.parts[-1])
        ),
    ]
    if not pictures:
        raise NotEnoughDataError(
            "There are no images in it: bring one folder per class with JPEG, PNG, TIFF, HEIC, WebP, BMP or GIF "
            "images."
        )
    depth = _top_folders(pictures)
    given = _has_splits(pictures, depth)
    if not given and _classes_are_few(pictures, depth):
        if told := _told_by_files(pictures, tables, depth, left_out):
            return told
        _require_no_splits(pictures, depth)
    if not given:
        _require_clear(pictures, depth)
    within = not given and _splits_within(pictures, depth)
    found: list[tuple[SourceFile, str, str | None]] = []
    for file in pictures:
        folders = file.parts[depth:-1]
        split = split_of(folders[0]) if given and folders else None
        if given and split is None:
            left_out.append(SkippedFile(file.shown_name, "It lies outside the train, validation and test folders."))
        elif len(folders) <= given:
            left_out.append(SkippedFile(file.shown_name, "It lies in no class folder."))
        else:
            found.append((file, folders[given], split_of(folders[1]) if within else split))
    if not found:
        raise NoClassFoldersError(_NO_CLASSES + (_NOT_UNDERSTOOD.format(tables[0].shown_name) if tables else ""))
    return Layout(tuple(_labelled(found)), tuple(left_out), given or within)


def understand_by_classes(
    files: Sequence[SourceFile], skipped: Sequence[SkippedFile], classes: Sequence[str]
) -> Layout:
    """Find the pictures of classes that are known, to measure a model of them: in folders, a table, or their names.

    Small and capital letters do not matter; what belongs to none of the classes is left out, whatever split a
    picture lies in it is for the test.

    Raises:
        NotEnoughDataError: nothing tells that any picture is of one of them.
    """
    known = {clean_text(name).casefold(): name for name in classes}
    files = [file for file in files if not is_junk(file.parts)]
    pictures = [file for file in files if is_picture_name(file.parts[-1])]
    told = labels_from_tables([file for file in files if is_table_name(file.parts[-1])], pictures) or {}
    found: list[LabelledFile] = []
    left_out = [
        *skipped,
        *(SkippedFile(file.shown_name, f"It is {_kind(file)}.") for file in files if file not in pictures),
    ]
    named = ", ".join(classes[:_NAMED]) + ", …" * (len(classes) > _NAMED)
    for file in pictures:
        stem = re.split(r"[\s._-]*\(?\d", file.parts[-1])[0]
        hints = [told.get(file, ""), *file.parts[:-1], stem]
        names = [known[hint] for text in hints if (hint := clean_text(text).casefold()) in known]
        if names:
            found.append(LabelledFile(file, names[0], "test"))
        else:
            left_out.append(SkippedFile(file.shown_name, f"Nothing tells which of the classes it is: {named}."))
    if not found:
        raise NotEnoughDataError(
            f"Nothing tells the classes of these images, so nothing can be measured: put them into folders named as "
            f"the classes of the model ({named})."
        )
    return Layout(tuple(found), tuple(left_out), given_splits=True)


_NAMED: Final = 10  # classes of a sentence
_NOT_UNDERSTOOD: Final = (
    " The table {} was not understood: it needs a column with the names of the files, and one with the head “label”."
)
_NO_CLASSES: Final = "The images lie in no class folders: make one folder per class, named as the class."


def _kind(file: SourceFile) -> str:
    return (
        "an archive within the archive, which has to be unpacked first"
        if is_archive_name(file.parts[-1])
        else "not an image"
    )


def _labelled(found: Sequence[tuple[SourceFile, str, str | None]]) -> list[LabelledFile]:
    """Files with their labels; a class that one split spells with other capital letters is the same class."""
    labels = label_names(folder for _, folder, _ in found)
    splits: dict[str, set[str | None]] = {}
    for _, folder, split in found:
        splits.setdefault(labels[folder], set()).add(split)
    same: dict[str, str] = {}
    for names in clashing_names(splits):
        if sum(len(splits[name]) for name in names) == len(set().union(*(splits[name] for name in names))):
            first = next((name for name in names if "train" in splits[name]), names[0])
            same |= dict.fromkeys(names, first)
    return [LabelledFile(file, same.get(labels[folder], labels[folder]), split) for file, folder, split in found]


def _told_by_files(
    pictures: Sequence[SourceFile], tables: Sequence[SourceFile], depth: int, left_out: Sequence[SkippedFile]
) -> Layout | None:
    """The layout where a table or the names of the files tell the classes, and folders at most the split."""
    splits = {file: split_of(file.parts[depth]) if len(file.parts) > depth + 1 else None for file in pictures}
    how, read = "a table beside the images", {file.shown_name for file in tables}
    labels: Mapping[SourceFile, str] | None = labels_from_tables(tables, pictures)
    if labels is None:
        how, read = "the names of the files", set()
        # What is kept for a test often has no labels; the images to train on tell whether names are classes.
        labels = labels_from_names(pictures) or labels_from_names(_to_train_on(pictures, splits))
    if labels is None or len(set(labels.values())) < 2:
        return None
    labels = {**labels, **_same_pattern(pictures, labels)}
    given = len({splits[file] for file in labels}) > 1 and None not in {splits[file] for file in labels}
    found = [(file, labels[file], splits[file] if given else None) for file in pictures if file in labels]
    without = [
        SkippedFile(file.shown_name, "It has no label: neither a class folder nor its name tells its class.")
        for file in pictures
        if file not in labels
    ]
    others = [file for file in left_out if file.name not in read]  # what has told the classes is not left out
    return Layout(tuple(_labelled(found)), (*others, *without), given, f"classes from {how}")


def _to_train_on(pictures: Sequence[SourceFile], splits: Mapping[SourceFile, str | None]) -> list[SourceFile]:
    return [file for file in pictures if splits[file] == "train"]


def _same_pattern(pictures: Sequence[SourceFile], labels: Mapping[SourceFile, str]) -> dict[SourceFile, str]:
    """Further files whose names begin with a class that is known: ``cat.7.jpg`` in a small validation folder."""
    known = set(labels.values())
    others = [file for file in pictures if file not in labels]
    stems = {file: re.split(r"[\s._-]", file.parts[-1])[0] for file in others}
    return {file: stem for file, stem in stems.items() if stem in known}


def _tops(pictures: Sequence[SourceFile], depth: int) -> dict[str, set[str]]:
    """Each folder at this depth, and the folders in it that hold pictures."""
    tops: dict[str, set[str]] = {}
    for file in pictures:
        if len(file.parts) > depth + 1:
            inner = tops.setdefault(file.parts[depth], set())
            inner |= {file.parts[depth + 1].casefold().strip()} if len(file.parts) > depth + 2 else set()
    return tops


def _classes_are_few(pictures: Sequence[SourceFile], depth: int) -> bool:
    """Whether the folders are no classes: there is one at most, or all are splits without folders in them."""
    tops = _tops(pictures, depth)
    return len(tops) < 2 or all(split_of(name) and not inner for name, inner in tops.items())


def _require_no_splits(pictures: Sequence[SourceFile], depth: int) -> None:
    tops = _tops(pictures, depth)
    if len(tops) > 1:
        names = " and ".join(f"“{clean_file_name(name)}”" for name in sorted(tops)[:3])
        raise NotEnoughDataError(
            f"The folders {names} are named as parts of a split, and nothing tells the classes of the images: "
            "put one folder per class into each, named as the class."
        )


def _require_clear(pictures: Sequence[SourceFile], depth: int) -> None:
    """Refuse folders that are taken for classes and hold the same folders, as splits do.

    Raises:
        NotEnoughDataError: nobody can say what they are.
    """
    tops = _tops(pictures, depth)
    kinds = {frozenset(inner) for inner in tops.values()}
    if len(tops) > 1 and len(kinds) == 1 and len(inner := next(iter(kinds))) > 1 and not all(map(split_of, inner)):
        names = " and ".join(f"“{clean_file_name(name)}”" for name in sorted(tops)[:3])
        raise NotEnoughDataError(
            f"The folders {names} all hold the folders {', '.join(sorted(inner)[:4])}, so it is not clear which of "
            "them are the classes: name the outer ones train, validation and test if they are a split, or put each "
            "class into one folder."
        )


def _splits_within(pictures: Sequence[SourceFile], depth: int) -> bool:
    """Whether each class folder is divided: ``cat/train/…`` beside ``cat/test/…``."""
    inner = [file.parts[depth + 1] if len(file.parts) > depth + 2 else "" for file in pictures]
    splits = {split_of(name) for name in inner}
    return None not in splits and "train" in splits and len(splits) > 1


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
    splits = {split_of(file.parts[depth]) for file in pictures if len(file.parts) > depth + 2}
    return "train" in splits and len(splits - {None}) > 1
