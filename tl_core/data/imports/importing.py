"""Import of images: from a folder, a zip file, or uploads class by class.

Every picture is decoded once, in a few threads, and stored in its normalised form. The dataset is built in
a hidden folder beside the others and takes its place in one step: an import that fails or is stopped leaves
nothing behind.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from tl_core.data.dataset import (
    IMAGES,
    Dataset,
    ImageRecord,
    Revision,
    SkippedFile,
    fingerprint_of,
    load_dataset,
    valid_name,
    write_manifest,
)
from tl_core.data.decoding import DECODING
from tl_core.data.imports.archive import LIMITS, ArchiveLimits, archive_source, folder_with_zips, is_tar
from tl_core.data.imports.building import STOPPED, building, in_threads, store_once
from tl_core.data.imports.class_names import clean_file_name, label_names
from tl_core.data.imports.layouts import MIN_IMAGES, LabelledFile, Layout, understand_by_classes, understand_layout
from tl_core.data.imports.sources import SourceFile, read_limited
from tl_core.data.normalise import normalise_image
from tl_core.data.split import UNASSIGNED, SplitConfig, assign_splits
from tl_core.data.twins import name_twins
from tl_core.errors import DataError, ImageError, NotEnoughDataError
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace, new_id

MIN_CLASSES: Final = 2
MAX_STORED_BYTES: Final = 1_000_000  # rarely exceeded by a JPEG with a short side of 640 pixels
MAX_BAD_SHARE: Final = 0.2  # of the pictures; with more, something is wrong with the whole collection
DEFAULT_SPLIT: Final = SplitConfig()
Uploads = Mapping[str, Sequence[tuple[str, bytes | BinaryIO]]]
"""Class name -> pairs of file name and content."""


def import_folder(
    workspace: Workspace, folder: Path, name: str, split: SplitConfig = DEFAULT_SPLIT, task: TaskContext = UNATTENDED
) -> Dataset:
    """Import a folder of class folders; see `import_layout` for what is raised."""
    with folder_with_zips(folder) as source:
        layout = understand_layout(source.files, source.skipped)
        return import_layout(workspace, layout, name, f"folder {folder.resolve().name}", split, task)


def import_zip(
    workspace: Workspace,
    file: BinaryIO | Path,
    name: str,
    split: SplitConfig = DEFAULT_SPLIT,
    task: TaskContext = UNATTENDED,
    limits: ArchiveLimits = LIMITS,
) -> Dataset:
    """Import a zip or tar archive of class folders; see `import_layout` for what else is raised.

    Raises:
        ArchiveError: the file is no archive, is damaged or empty, or is over a limit.
    """
    with archive_source(file, workspace.ensure().datasets, limits, task) as source:
        shown = clean_file_name(Path(str(getattr(file, "name", "file.zip"))).name)
        kind = "tar" if is_tar(file) else "zip"
        layout = understand_layout(source.files, source.skipped)
        return import_layout(workspace, layout, name, f"{kind} {shown}", split, task)


def import_to_measure(
    workspace: Workspace, path: Path, classes: Sequence[str], limits: ArchiveLimits, task: TaskContext = UNATTENDED
) -> Dataset:
    """Import images of a folder or an archive to measure a model with, as far as they are of its classes.

    See `import_layout` and `understand_by_classes` for what is raised.
    """
    opened = (
        folder_with_zips(path, limits) if path.is_dir() else archive_source(path, workspace.datasets, limits, task)
    )
    with opened as source:
        layout = understand_by_classes(source.files, source.skipped, classes)
        return import_layout(workspace, layout, path.name or "images", path.name, task=task, known=tuple(classes))


def import_uploads(
    workspace: Workspace,
    images: Uploads,
    name: str,
    split: SplitConfig = DEFAULT_SPLIT,
    task: TaskContext = UNATTENDED,
) -> Dataset:
    """Import images that were uploaded class by class: class name -> pairs of file name and content.

    See `import_layout` for what is raised.
    """
    layout = Layout(tuple(uploaded_files(images)), (), given_splits=False)
    return import_layout(workspace, layout, name, "uploaded images", split, task)


def import_uploaded_folder(
    workspace: Workspace,
    files: Sequence[tuple[str, bytes | BinaryIO]],
    name: str,
    split: SplitConfig = DEFAULT_SPLIT,
    task: TaskContext = UNATTENDED,
) -> Dataset:
    """Import a folder of class folders that a browser has sent: pairs of path and content.

    A path only tells class and split; nothing is read or written under it. Raised is what `import_layout` raises.
    """
    sent = [(folders_of(path), content) for path, content in files]
    sources = [uploaded_file(parts, content) for parts, content in sent if parts]
    top = clean_file_name(sources[0].parts[0]) if sources else "folder"
    return import_layout(workspace, understand_layout(sources), name, f"folder {top}", split, task)


def folders_of(path: str) -> tuple[str, ...]:
    """The folders and the name in a path that a browser tells, without what points elsewhere."""
    return tuple(part for part in re.split(r"[/\\]", path) if part not in ("", ".", ".."))


def import_layout(
    workspace: Workspace,
    layout: Layout,
    name: str,
    origin: str,
    split: SplitConfig = DEFAULT_SPLIT,
    task: TaskContext = UNATTENDED,
    known: tuple[str, ...] = (),
) -> Dataset:
    """Import files whose classes and splits are known.

    Args:
        workspace: where the dataset is made.
        layout: the files, not yet read.
        name: of the dataset, as shown on pages.
        origin: where the files come from, as text.
        split: used for the parts of the split that do not come with the folders.
        task: gets the number of pictures done and their total; checked for a stop between pictures.
        known: the classes of a model that the images are to measure, every file of which has its split; then a class
            may have few images, or none.

    Raises:
        NotEnoughDataError: there is no picture, no class folder, fewer than 2 classes, or fewer than 2 usable images
            in a class.
        DataError: more than a fifth of the pictures cannot be used.
        WorkspaceError: the workspace cannot be written or the disk is too full.
        StoppedError: a stop was requested.
    """
    name = valid_name(name)
    origin = f"{origin}, {layout.note}" if layout.note else origin
    classes = known or tuple(sorted({file.class_name for file in layout.files}, key=natural_key))
    if len(classes) < MIN_CLASSES:
        found = f"only one class, “{classes[0]}”" if classes else "no class"
        raise NotEnoughDataError(
            f"There is {found}: a classifier needs at least {MIN_CLASSES}, each in a folder of its own."
        )
    # To have free: twice the size of the pictures, as far as it survives the shrinking.
    room = 2 * sum(min(file.file.size, MAX_STORED_BYTES) for file in layout.files)
    with building(workspace, room) as folder:
        images, bad = store_images(folder, classes, layout.files, task)
        task.stop_if_asked(STOPPED)
        records = ImportedRecords(classes, images, (*layout.skipped, *bad), layout.given_splits, divided=bool(known))
        require_enough(() if known else classes, images, bad)
        return make_visible(workspace, folder, records, name, origin, split, task)


@dataclass(frozen=True, slots=True)
class ImportedRecords:
    """What an import has understood and stored."""

    classes: tuple[str, ...]
    images: Sequence[ImageRecord]
    skipped: tuple[SkippedFile, ...]
    given_splits: bool = False
    divided: bool = False  # whether every image has its split


def make_visible(
    workspace: Workspace,
    folder: Path,
    found: ImportedRecords,
    name: str,
    origin: str,
    split: SplitConfig,
    task: TaskContext = UNATTENDED,
) -> Dataset:
    """Divide the images that are stored in a hidden folder, and let it take its place among the datasets.

    Args:
        task: checked for a stop.

    Raises:
        NotEnoughDataError: a class has no image to train on, or none is left to validate with.
        StoppedError: a stop was requested.
    """
    if found.divided:
        placed = found.images
    else:
        placed = assign_splits(found.classes, name_twins(folder, found.images, task), split)
    records = sorted(placed, key=lambda image: (image.label, natural_key(image.source_name)))
    created = datetime.now(UTC).isoformat(timespec="milliseconds")
    write_manifest(
        Dataset(
            id=folder.name,
            name=name,
            path=folder,
            classes=found.classes,
            images=tuple(records),
            skipped=found.skipped,
            fingerprint=fingerprint_of(found.classes, records),
            source=origin,
            created=created,
            given_splits=found.given_splits,
            decoding=DECODING,
            revisions=(Revision(1, None, f"Imported from {origin}", created, workspace.person),),
        )
    )
    return load_dataset(folder.rename(workspace.datasets / new_id(name)))  # visible in one step


def store_images(
    folder: Path,
    classes: Sequence[str],
    files: Sequence[LabelledFile],
    task: TaskContext,
    decoding: int = DECODING,
) -> tuple[list[ImageRecord], list[SkippedFile]]:
    """Normalise and write every picture; no more than a few per thread are in memory at any time.

    Args:
        folder: of the dataset.
        classes: names of the labels.
        files: not yet read.
        task: gets the number of pictures done and their total; checked for a stop between pictures.
        decoding: of the dataset.

    Returns:
        The images, and the files that are none.

    Raises:
        StoppedError: a stop was requested.
    """
    labels = {name: label for label, name in enumerate(classes)}
    images: list[ImageRecord] = []
    bad: list[SkippedFile] = []
    task.report(0, len(files))
    with contextlib.closing(in_threads(lambda file: _store(folder, labels, file, decoding), files)) as outcomes:
        for done, outcome in enumerate(outcomes, start=1):
            if isinstance(outcome, ImageRecord):
                images.append(outcome)
            else:
                bad.append(outcome)
            task.report(done, len(files))
            task.stop_if_asked(STOPPED)
    return images, bad


def _store(
    folder: Path, labels: Mapping[str, int], labelled: LabelledFile, decoding: int
) -> ImageRecord | SkippedFile:
    name = labelled.file.shown_name
    try:
        image = normalise_image(labelled.file.read(), decoding)
    except ImageError as error:
        return SkippedFile(name, str(error))
    except OSError as error:
        return SkippedFile(name, f"The file cannot be read ({error.strerror}).")
    file = f"{IMAGES}/{image.pixels_sha256}{image.suffix}"
    store_once(folder / file, image.encoded)
    return ImageRecord(
        file=file,
        label=labels[labelled.class_name],
        split=labelled.split or UNASSIGNED,
        width=image.width,
        height=image.height,
        source_name=name,
        pixels_sha256=image.pixels_sha256,
        perceptual_hash=image.perceptual_hash,
        group=labelled.file.group,
        darkest=image.darkest,
        brightest=image.brightest,
    )


def uploaded_files(uploads: Uploads) -> list[LabelledFile]:
    """Uploads class by class as files to import; equal names after cleaning are one class."""
    labels = label_names(uploads)
    return [
        LabelledFile(uploaded_file((labels[folder], file_name), content), labels[folder], None)
        for folder, files in uploads.items()
        for file_name, content in files
    ]


def uploaded_file(parts: tuple[str, ...], content: bytes | BinaryIO) -> SourceFile:
    """An upload as a file to import; ``parts`` are folders and name, as they are to be shown."""
    if isinstance(content, bytes):
        return SourceFile(parts, len(content), lambda: content)
    size = content.seek(0, 2)

    def read() -> bytes:
        content.seek(0)
        return read_limited(content)

    return SourceFile(parts, size, read)


def require_enough(classes: Sequence[str], images: Sequence[ImageRecord], bad: Sequence[SkippedFile]) -> None:
    """Require usable images of every class.

    Raises:
        DataError: more than a fifth of the pictures cannot be used.
        NotEnoughDataError: a class has fewer than 2.
    """
    total = len(images) + len(bad)
    if len(bad) > MAX_BAD_SHARE * total:
        reason, _ = Counter(skipped.reason for skipped in bad).most_common(1)[0]
        raise DataError(
            f"{len(bad)} of {total} images cannot be used, more than {percent(MAX_BAD_SHARE, 0)}, so nothing was "
            f"imported. For instance {bad[0].name}: {reason}"
        )
    counts = Counter(image.label for image in images)
    for label, name in enumerate(classes):
        if (count := counts[label]) < MIN_IMAGES:
            found = {0: "no image", 1: "only 1 image"}.get(count, f"{count} images")
            raise NotEnoughDataError(
                f"The class “{name}” has {found} that can be used: it needs at least {MIN_IMAGES} "
                "(some dozens are better). Add images to it, or remove it."
            )


def natural_key(text: str) -> tuple[str | int, ...]:
    """Sort key in which 2 comes before 10."""
    pieces = re.split(r"(\d+)", text)
    return tuple(int(piece) if piece.isdecimal() else piece for piece in pieces)
