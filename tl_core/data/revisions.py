"""The chain of revisions of a dataset: making the next one, and going back and forth between them.

Nothing is lost: the images of a revision stay on the disk, and undoing only makes its parent the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from tl_core.data.dataset import (
    DATASETS,
    Dataset,
    Revision,
    fingerprint_of,
    load_dataset,
    not_found,
    write_manifest,
    write_revision,
)
from tl_core.errors import DataError
from tl_core.storage.files import locked
from tl_core.storage.quota import require_within_quota
from tl_core.storage.workspace import Workspace

Change = Callable[[Dataset], tuple[Dataset, str]]
"""The dataset with other images, classes or splits, and what was done, as text; raises where it cannot be."""


def change_dataset(workspace: Workspace, dataset_id: str, change: Change) -> Dataset:
    """Make the next revision; one that is equal to the present one is not made.

    Raises:
        DatasetNotFoundError: there is none.
        NotYoursError: it is somebody else's.
        DataError: what ``change`` raises.
        WorkspaceError: the workspace has reached its quota, or cannot be written.
    """
    require_within_quota(workspace)

    def make(before: Dataset) -> Dataset:
        after, what = change(before)
        after = replace(after, fingerprint=fingerprint_of(after.classes, after.images))
        if (after.classes, after.images) == (before.classes, before.images):
            return before
        number = 1 + max(revision.number for revision in before.revisions)
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        made = Revision(number, before.revision, what, when, workspace.person)
        return replace(after, revision=number, revisions=(*before.revisions, made))

    return _replace(workspace, dataset_id, make)


def undo(workspace: Workspace, dataset_id: str, revision: int | None = None) -> Dataset:
    """Go back to the revision that the present one was made from; otherwise as `change_dataset`.

    Args:
        workspace: asked for the person who does it.
        dataset_id: whose last change.
        revision: the one that is to be undone; another one, made meanwhile, is not. None = whichever is present.
    """

    def parent(dataset: Dataset) -> Dataset:
        if revision is not None and revision != dataset.revision:
            raise DataError(
                f"Nothing was undone: “{dataset.name}” has changed since, last by “{present_revision(dataset).what}”."
            )
        if (before := revision_before(dataset)) is None:
            raise DataError(f"Nothing can be undone: “{dataset.name}” is as it was imported.")
        return _as_newest(dataset, before)

    return _replace(workspace, dataset_id, parent)


def redo(workspace: Workspace, dataset_id: str) -> Dataset:
    """Go on to the revision that was made last from the present one; otherwise as `change_dataset`."""

    def child(dataset: Dataset) -> Dataset:
        if (after := revision_after(dataset)) is None:
            raise DataError(f"Nothing can be done again: no change of “{dataset.name}” was undone.")
        return _as_newest(dataset, after)

    return _replace(workspace, dataset_id, child)


def present_revision(dataset: Dataset) -> Revision:
    """The revision that ``dataset`` is."""
    return next(revision for revision in dataset.revisions if revision.number == dataset.revision)


def revision_before(dataset: Dataset) -> Revision | None:
    """The one that `undo` goes back to."""
    parent = present_revision(dataset).parent
    return next((revision for revision in dataset.revisions if revision.number == parent), None)


def revision_after(dataset: Dataset) -> Revision | None:
    """The one that `redo` goes on to."""
    made = [revision for revision in dataset.revisions if revision.parent == dataset.revision]
    return made[-1] if made else None


def _as_newest(dataset: Dataset, revision: Revision) -> Dataset:
    return replace(load_dataset(dataset.path, revision.number), revisions=dataset.revisions)


def _replace(workspace: Workspace, dataset_id: str, make: Callable[[Dataset], Dataset]) -> Dataset:
    path = DATASETS.require_mine(workspace, dataset_id)
    try:
        with locked(path):
            before = load_dataset(path)
            after = make(before)
            if after is not before:
                write_revision(before)  # both are on the disk before the manifest tells of the second
                write_revision(after)
                write_manifest(after)
    except FileNotFoundError as error:
        raise not_found(path) from error
    return load_dataset(path)
