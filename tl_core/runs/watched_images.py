"""Images that a person watches while a model trains; kept in the run folder, normalised as every image is.

``runs/<id>/pinned/`` holds one file per picture and ``pictures.json`` with their names. They are never trained on.
Before there is a run, uploaded ones are in ``drafts/<id>/`` in the same form.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.data.imports.class_names import clean_file_name
from tl_core.data.normalise import Reading, normalise_image
from tl_core.errors import ConfigError, ImageError, WorkspaceError
from tl_core.runs import RunFolder
from tl_core.storage.files import read_json, write_bytes, write_json
from tl_core.storage.schemas import WATCHED_IMAGES
from tl_core.storage.workspace import Workspace

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]

MAX_WATCHED: Final = 8
LIST: Final = "pictures.json"
MAX_DRAFTS: Final = 20  # the oldest are forgotten, ...
DRAFT_SECONDS: Final = 24 * 3600.0  # ... and all that have not been touched for a day


@dataclass(frozen=True, slots=True)
class NewWatchedImage:
    """A picture that is to be watched."""

    name: str  # original file name; shown on pages, never used as a path
    encoded: bytes  # a file in the stored form (see `tl_core.data.normalise`)
    suffix: str  # ".png" or ".jpg"
    truth: str | None = None  # its class, where that is known


@dataclass(frozen=True, slots=True)
class WatchedImage:
    """A picture that is watched."""

    name: str
    path: Path
    truth: str | None


def watch_upload(name: str, data: bytes) -> NewWatchedImage:
    """A picture as a person brought it.

    Raises:
        ImageError: it is no picture that can be read.
    """
    image = normalise_image(data)
    return NewWatchedImage(clean_file_name(name), image.encoded, image.suffix)


def watch_dataset_image(dataset: Dataset, record: ImageRecord) -> NewWatchedImage:
    """One image of a dataset; its file is in the stored form already, and to encode it anew would change it.

    Raises:
        ImageError: its file is missing.
    """
    path = dataset.path_of(record)
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise ImageError(f"The image {record.source_name} is missing: import the dataset again.") from error
    return NewWatchedImage(record.source_name, encoded, path.suffix, dataset.classes[record.label])


def save_watched_images(folder: RunFolder, images: Sequence[NewWatchedImage]) -> None:
    """Put the pictures into the folder of a run that has not begun; with none, nothing is written.

    Raises:
        ConfigError: there are too many.
        WorkspaceError: the workspace cannot be written.
    """
    if len(images) > MAX_WATCHED:
        raise ConfigError(f"At most {MAX_WATCHED} pictures can be watched. Received: {len(images)}.")
    if not images:
        return
    entries: list[dict[str, Any]] = []
    for place, image in enumerate(images):
        file = f"{place}{image.suffix}"
        write_bytes(folder.watched_images_folder / file, image.encoded)
        entries.append({"file": file, "name": image.name, "truth": image.truth})
    write_json(folder.watched_images_folder / LIST, WATCHED_IMAGES.stamped_list(entries))


def save_watched_draft(workspace: Workspace, draft_id: str, images: Sequence[NewWatchedImage]) -> None:
    """Keep the pictures of a draft in place of those it had; older drafts are forgotten.

    Args:
        workspace: where drafts lie.
        draft_id: made by `tl_core.storage.workspace.new_id`.
        images: at most `MAX_WATCHED`.

    Raises:
        ConfigError: there are too many.
        WorkspaceError: the workspace cannot be written.
    """
    shutil.rmtree(workspace.drafts / draft_id, ignore_errors=True)
    save_watched_images(RunFolder(workspace.drafts / draft_id), images)
    ages = {path: time.time() - path.stat().st_mtime for path in workspace.drafts.glob("*")}
    for place, path in enumerate(sorted(ages, key=ages.__getitem__)):
        if place >= MAX_DRAFTS or ages[path] > DRAFT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def watched_draft(workspace: Workspace, draft_id: str) -> list[NewWatchedImage]:
    """The pictures of a draft; none if it was forgotten."""
    return watched_copies(RunFolder(workspace.drafts / draft_id))


def watched_copies(folder: RunFolder) -> list[NewWatchedImage]:
    """The pictures of a draft or a run, to be watched by another run as well; none if one cannot be read."""
    try:
        return [
            NewWatchedImage(picture.name, picture.path.read_bytes(), picture.path.suffix, picture.truth)
            for picture in watched_images(folder)
        ]
    except OSError as error:
        logger.warning("The watched pictures of %s are left out: %s", folder.path.name, error)
        return []


def watched_images(folder: RunFolder) -> tuple[WatchedImage, ...]:
    """The pictures watched in a run, in the order of its ``pinned`` events; none if their list is damaged.

    Raises:
        NewerVersionError: a newer version of this program wrote the list.
    """
    try:
        entries = WATCHED_IMAGES.upgraded_list(read_json(folder.watched_images_folder / LIST))
        # The name alone: the list may not lead to a file outside.
        return tuple(
            WatchedImage(
                str(entry["name"]), folder.watched_images_folder / Path(entry["file"]).name, entry.get("truth")
            )
            for entry in entries
        )
    except FileNotFoundError:
        return ()
    except (WorkspaceError, KeyError, TypeError, AttributeError) as error:
        logger.warning("The watched pictures of the run %s are left out: %s", folder.path.name, error)
        return ()


def read_pictures(pictures: Iterable[WatchedImage], reading: Reading) -> Images:
    """The pixels that a network sees, ``(n, size, size, 3)``.

    Raises:
        ImageError: a file is missing or damaged.
    """
    return np.stack([reading.of_stored(picture.path) for picture in pictures])
