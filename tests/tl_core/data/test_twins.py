"""Changed pictures of one thing are found when a dataset is made, and stand on one side of its split (case 6)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.hostile.pictures import encoded
from tl_core.data import import_folder, import_uploads, load_dataset
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.data.editing import divide_again, keep_together
from tl_core.data.health import health_report
from tl_core.data.samples import import_sample
from tl_core.data.split import groups_of_images
from tl_core.errors import StoppedError
from tl_core.machine.progress import TaskContext

SCENES = 40


def scene(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((200, 200), Image.Resampling.BICUBIC)


def saved_at(quality: int, image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality)))


CHANGES = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cropped": lambda image: image.crop((13, 27, 173, 187)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "quality 50": lambda image: saved_at(50, image),
    "half size": lambda image: image.resize((100, 100)),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def scene_of(record: ImageRecord) -> str:
    return record.source_name.rpartition("/")[2].partition(".")[0].partition(" ")[0]


def torn(dataset: Dataset) -> set[str]:
    """The scenes of which one picture is for training and another is not."""
    sides: dict[str, set[bool]] = {}
    for record in dataset.images:
        sides.setdefault(scene_of(record), set()).add(record.split == "train")
    return {name for name, found in sides.items() if len(found) > 1}


def pictures(kind: str) -> dict[str, list[tuple[str, bytes]]]:
    """Two classes of scenes, each with its changed picture."""
    images: dict[str, list[tuple[str, bytes]]] = {"left": [], "right": []}
    for number in range(SCENES):
        of_class = images["left" if number % 2 else "right"]
        of_class.append((f"{number}.png", encoded(scene(number))))
        of_class.append((f"{number} {kind}.png", encoded(CHANGES[kind](scene(number)))))
    return images


@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_picture_stays_on_the_side_of_the_first(workspace, kind):
    dataset = import_uploads(workspace, pictures(kind), "Twins")
    assert torn(dataset) == set()
    assert len(dataset.of_split("test")) >= 8
    assert torn(divide_again(workspace, dataset.id)) == set(), "what was found is kept"
    groups = groups_of_images(dataset.images)
    assert len(set(groups)) == SCENES, "and is one group of a cross-validation"


@pytest.mark.parametrize("kind", ["mirrored", "cropped"])
def test_a_split_that_comes_with_changed_pictures_on_both_sides_is_a_warning(workspace, make_folder, kind):
    files = {}
    for label, images in pictures(kind).items():
        for name, data in images:
            files[f"{'valid' if kind in name else 'train'}/{label}/{name}"] = data
    dataset = import_folder(workspace, make_folder(files), "Twins")
    [finding] = [found for found in health_report(dataset) if "keep_together" in found.mends]
    assert finding.level == "warning"
    said = f"{len(dataset.of_split('validation'))} images show the same as one to train on, turned, mirrored"
    assert finding.text.startswith(said)
    assert {scene_of(record) for record in finding.images} == torn(dataset)
    assert torn(keep_together(workspace, dataset.id, finding.groups[0])) == torn(dataset) - {
        scene_of(finding.groups[0][0])
    }


def test_pictures_that_are_all_much_alike_tell_of_no_twins(workspace):
    assert not [record for record in import_sample(workspace, "surfaces").images if record.twins]
    rng = np.random.default_rng(0)
    base = np.asarray(scene(0), np.float32)
    alike = {
        name: [
            (f"{n}.png", encoded(Image.fromarray(np.clip(base + rng.normal(0, 40, base.shape), 0, 255).astype("u1"))))
            for n in range(12)
        ]
        for name in ("a", "b")
    }
    dataset = import_uploads(workspace, alike, "Alike")
    assert not [record for record in dataset.images if record.twins]
    assert load_dataset(dataset.path).of_split("test")


def test_the_search_can_be_stopped(workspace):
    class Stops(TaskContext):
        asked = 0

        def should_stop(self) -> bool:
            self.asked += 1
            return self.asked > 2 * SCENES + 1  # all pictures are stored by then

    with pytest.raises(StoppedError, match="nothing of it was kept"):
        import_uploads(workspace, pictures("mirrored"), "Twins", task=Stops())
    assert not list(workspace.datasets.iterdir())
