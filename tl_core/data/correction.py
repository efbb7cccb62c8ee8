"""From a wrong answer back to the images: a picture gets into the class that it shows, and what has changed since.

Evaluate and Predict look at a dataset as it was when a model learned from it; what is corrected is always the
revision that counts now. These functions lead from the one to the other.
"""

from __future__ import annotations

from tl_core.data.dataset import DATASETS, Dataset, ImageRecord, Revision
from tl_core.data.editing import add_images, move_images
from tl_core.data.imports.class_names import chosen_class_name
from tl_core.data.normalise import normalise_image
from tl_core.data.revisions import present_revision
from tl_core.storage.workspace import Workspace


def put_into_class(
    workspace: Workspace, dataset_id: str, name: str, data: bytes, class_name: str, *, pixels_sha256: str = ""
) -> Dataset:
    """Put one picture into a class, which may be a new one.

    A picture that the dataset has in another class is moved, and stays in its split: a test image that was added to
    the training images as well would be measured with pixels that the model has learned.

    Args:
        workspace: asked for the person who does it.
        dataset_id: whose images.
        name: of the file, kept as the source name.
        data: the file, not trusted.
        class_name: what the picture shows.
        pixels_sha256: of the image where the picture was taken from a dataset, else empty.

    Returns:
        The new revision.

    Raises:
        ImageError: it is no picture that can be read.
        DataError: the name of the class is empty, the picture is in this class already, or no image would be left in
            the class that it leaves.
        NotYoursError: the dataset is somebody else's.
        WorkspaceError: the workspace has reached its quota, or cannot be written.
    """
    target = chosen_class_name(class_name)
    dataset = DATASETS.find(workspace, dataset_id)
    known = {pixels_sha256, normalise_image(data, dataset.decoding).pixels_sha256}
    found = [record for record in dataset.images if record.pixels_sha256 in known]
    elsewhere = [record for record in found if dataset.classes[record.label] != target]
    if elsewhere and len(elsewhere) == len(found):
        return move_images(workspace, dataset_id, elsewhere, to_class=target)
    changed, _ = add_images(workspace, dataset_id, {target: [(name, data)]}, split="train")
    return changed


def changes_since(dataset: Dataset, revision: int) -> list[Revision] | None:
    """The changes that lead from an earlier revision to the present one, oldest first.

    None where the present one was not made from it, because changes were undone.
    """
    by_number = {made.number: made for made in dataset.revisions}
    steps: list[Revision] = []
    here: Revision | None = present_revision(dataset)
    while here is not None and here.number != revision:
        steps.insert(0, here)
        here = by_number.get(here.parent or 0)
    return None if here is None else steps


def present_image(earlier: Dataset, record: ImageRecord, now: Dataset) -> ImageRecord | None:
    """What an image of an earlier revision is now, in whatever class and split; None where it was removed."""
    found = [image for image in now.images if (image.file, image.source_name) == (record.file, record.source_name)]
    was = (earlier.classes[record.label], record.split)
    found.sort(key=lambda image: (now.classes[image.label], image.split) != was)
    return found[0] if found else None
