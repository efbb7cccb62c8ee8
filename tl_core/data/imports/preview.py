"""What an import has understood of its files, as a tree to look at before any picture is read.

Nothing is to be asked where class folders were found and every file has its place; what was guessed, left out or is
odd stands in `Preview.remarks` and `Preview.left_out`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tl_core.data.dataset import SPLITS, SkippedFile
from tl_core.data.imports.class_names import MAX_CLASS_NAME, clean_file_name, clean_text, is_cut, label_names
from tl_core.data.imports.layouts import MIN_IMAGES, LabelledFile, Layout, split_of
from tl_core.storage.format import count

NAMED: Final = 3  # examples of a sentence
FEWEST_TO_SPLIT: Final = 3  # images of a class of which one is drawn for validation
_BEGINNING: Final = 24  # characters that a shortened name keeps of the folder's in any case


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files, or empty folders, that are left out for one reason."""

    reason: str
    count: int
    examples: tuple[str, ...]

    @property
    def text(self) -> str:
        """Which ones and why: ``notes.txt, a.pdf and 3 more. It is not an image.``"""
        more = f" and {self.count - len(self.examples):,} more" if self.count > len(self.examples) else ""
        return f"{', '.join(self.examples)}{more}. {self.reason}"


@dataclass(frozen=True, slots=True)
class Preview:
    """Classes, splits and counts as they would be imported."""

    classes: Mapping[str, Mapping[str, int]]  # of each class the files by split; under "" those to be divided
    given_splits: bool
    remarks: tuple[str, ...]  # sentences about what was guessed or is odd
    left_out: tuple[LeftOut, ...]
    obstacle: str | None = None  # why nothing would be imported, in a sentence

    @property
    def images(self) -> int:
        """Files that would be imported."""
        return sum(sum(of.values()) for of in self.classes.values())

    @property
    def is_clear(self) -> bool:
        """Whether nothing was guessed, left out or is odd."""
        return not self.remarks and not self.left_out and not self.obstacle

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "classes": {name: dict(of) for name, of in self.classes.items()},
            "images": self.images,
            "given_splits": self.given_splits,
            "remarks": list(self.remarks),
            "left_out": [asdict(entry) for entry in self.left_out],
            "obstacle": self.obstacle,
            "clear": self.is_clear,
        }

    def lines(self, title: str, most: int = 40) -> list[str]:
        """The tree as text, with at most so many classes."""
        division = "the split came with them" if self.given_splits else "to be split at random"
        classes = count(len(self.classes), "class", "classes")
        lines = [f"{title}: {count(self.images, 'image file')} of {classes}, {division}"]
        shown = list(self.classes.items())[:most]
        width = max((len(name) for name, _ in shown), default=0)
        for place, (name, of) in enumerate(shown):
            branch = "└──" if place == len(self.classes) - 1 else "├──"
            lines.append(f"{branch} {name.ljust(width)}  {sum(of.values()):>6,}  {split_text(of)}".rstrip())
        if len(self.classes) > most:
            lines.append(f"└── and {len(self.classes) - most:,} more classes")
        lines += [f"It would not be imported: {self.obstacle}"] if self.obstacle else []
        lines += [f"Note: {remark}" for remark in self.remarks]
        lines += [f"Left out: {entry.text}" for entry in self.left_out]
        return lines


def split_text(of: Mapping[str, int]) -> str:
    """The files of a class by split as words; nothing where they are still to be divided."""
    return ", ".join(f"{split} {of[split]:,}" for split in SPLITS if of.get(split))


def preview(layout: Layout) -> Preview:
    """What would be imported; no picture is read."""
    classes: dict[str, Counter[str]] = {}
    for file in layout.files:
        classes.setdefault(file.class_name, Counter())[file.split or ""] += 1
    return Preview(
        classes={name: dict(classes[name]) for name in sorted(classes)},
        given_splits=layout.given_splits,
        remarks=tuple(_remarks(layout, classes)),
        left_out=_left_out(layout.skipped),
        obstacle=_obstacle(layout, classes),
    )


def _obstacle(layout: Layout, classes: Mapping[str, Mapping[str, int]]) -> str | None:
    images = {name: sum(of.values()) for name, of in classes.items()}
    if len(images) == 1:
        return f"There is only one class, {next(iter(images))}: a classifier needs two at least."
    if single := [name for name, of in images.items() if of < MIN_IMAGES]:
        return (
            f"{_quoted(single)} {'has' if len(single) == 1 else 'have'} only one image. Nothing is imported until "
            f"each class has {MIN_IMAGES}."
        )
    if not layout.given_splits and max(images.values(), default=NAMED) < FEWEST_TO_SPLIT:
        few = f"{_quoted(list(images))} have fewer than {FEWEST_TO_SPLIT} images. "
        return few + "That is too few to import: one image of a class has to be left for validation."
    return None


def _remarks(layout: Layout, classes: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    if layout.note:
        yield f"There are no class folders: {layout.note}."
    yield from _split_names(layout.files)
    yield from _merged(layout.files)
    yield from _nested(layout.files)
    yield from _cut(layout.files)
    few = [name for name, of in classes.items() if MIN_IMAGES <= sum(of.values()) < FEWEST_TO_SPLIT]
    if few and _obstacle(layout, classes) is None:
        yield f"{_quoted(few)} {'has' if len(few) == 1 else 'have'} fewer than {FEWEST_TO_SPLIT} images."
    if layout.given_splits:
        for split in SPLITS:
            without = [name for name, of in classes.items() if not of.get(split)]
            if 0 < len(without) < len(classes):
                yield f"There are no {split} images of {_named(without)}."


def _split_names(files: Sequence[LabelledFile]) -> Iterator[str]:
    """Names of folders that were taken for splits and are not quite the words for them."""
    names = {(part, file.split) for file in files if file.split for part in file.file.parts[:-1]}
    told = sorted((part, split) for part, split in names if split_of(part) == split)
    if any(part.casefold() not in _PLAIN for part, _ in told):
        meant = ", ".join(f"“{clean_file_name(part)}” as {split}" for part, split in told)
        yield f"Folders understood by a word in their names: {meant}."


_PLAIN: Final = frozenset({"train", "training", "valid", "validation", "val", "test"})


def _merged(files: Sequence[LabelledFile]) -> Iterator[str]:
    """Folders of other spelling that became one class."""
    spelled: dict[str, set[str]] = {}
    for file in files:
        for part in file.file.parts[:-1]:
            if part != file.class_name and part.casefold().strip() == file.class_name.casefold():
                spelled.setdefault(file.class_name, set()).add(clean_file_name(part))
    for name, others in spelled.items():
        if others - {name}:
            yield f"{_named(sorted(others - {name}))} and {name} are taken for one class."


def _nested(files: Sequence[LabelledFile]) -> Iterator[str]:
    """Classes in whose folder there are several others."""
    inner: dict[str, set[str]] = {}
    for file in files:
        folders = file.file.parts[:-1]
        labels = label_names(folders)
        places = [place for place, part in enumerate(folders) if labels[part] == file.class_name]
        if places and len(folders) > places[0] + 1:
            below = folders[places[0] + 1]
            inner.setdefault(file.class_name, set()).update([] if split_of(below) else [clean_file_name(below)])
    for name, folders_in in inner.items():
        if len(folders_in) > 1:
            yield (
                f"All folders in {name} ({_named(sorted(folders_in))}) make one class; to tell them apart, bring "
                "them as class folders of their own."
            )


def _cut(files: Sequence[LabelledFile]) -> Iterator[str]:
    """Class folders whose names are too long to be kept."""
    names = {part for file in files for part in file.file.parts[:-1] if is_cut(part)}
    cut = {
        file.class_name
        for file in files
        for part in names.intersection(file.file.parts[:-1])
        if clean_text(part).startswith(file.class_name[:_BEGINNING])
    }
    if cut:
        yield (
            f"{count(len(cut), 'name is', 'names are')} longer than {MAX_CLASS_NAME} characters and shortened as the "
            "table shows; a class can be renamed after the import."
        )


def _left_out(skipped: Sequence[SkippedFile]) -> tuple[LeftOut, ...]:
    reasons: dict[str, list[str]] = {}
    for file in skipped:
        reasons.setdefault(file.reason, []).append(file.name)
    return tuple(
        LeftOut(reason, len(names), tuple(names[:NAMED]))
        for reason, names in sorted(reasons.items(), key=lambda entry: -len(entry[1]))
    )


def _quoted(names: Sequence[str]) -> str:
    """Such as ``“dots”, “stripes” and 2 more``, and ``“dots” and “stripes”``."""
    quoted, more = [f"“{name}”" for name in names[:NAMED]], len(names) - NAMED
    last = f"{more:,} more" if more > 0 else quoted.pop()
    return f"{', '.join(quoted)} and {last}" if quoted else last


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
