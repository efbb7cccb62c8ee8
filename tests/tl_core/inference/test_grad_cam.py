"""A heatmap is brightest where the object is."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from PIL import Image

from tests.tl_core.small_trainings import QUICK, Trainer
from tl_core.backbones.registry import BACKBONES
from tl_core.config import HeadConfig, TrainingConfig
from tl_core.errors import ConfigError, ModelUnavailableError
from tl_core.figures.heatmap import overlay
from tl_core.inference import grad_cam
from tl_core.inference.grad_cam import GradCam, open_grad_cam
from tl_core.models.classifier import build_classifier

SIZE = 128
SECONDS = 60  # until another thread must have come so far
# The smallest of each family; every family has blocks of its own kind.
FAMILIES = {
    family: min((b for b in BACKBONES.values() if b.family == family), key=lambda b: b.base_parameters).name
    for family in sorted({backbone.family for backbone in BACKBONES.values()})
}
DEEP = ("ConvNeXt", "DenseNet", "EfficientNet", "EfficientNetV2", "Inception", "NASNet")  # 10 to 25 seconds each
CORNERS = {(0, 0): (0, 0), (0, 1): (0, SIZE // 2), (1, 0): (SIZE // 2, 0), (1, 1): (SIZE // 2, SIZE // 2)}


class Record:
    """As much of a run as a GradCam asks for."""

    def __init__(self, backbone, classes=("nothing", "something")):
        self.config = TrainingConfig(backbone=backbone, weights="random")
        self.classes = classes


def with_patch(corner):
    """Grey with a patch of stripes in the middle of one quarter."""
    image = np.full((SIZE, SIZE, 3), 128, np.uint8)
    top, left = (place + SIZE // 8 for place in CORNERS[corner])
    stripes = np.where(np.arange(SIZE // 4) // 4 % 2, 255, 0)
    image[top : top + SIZE // 4, left : left + SIZE // 4] = stripes[None, :, None]
    return image


def something_detector(backbone):
    """A classifier whose second class is *what a patch changes in the features*: the place it speaks for is known."""
    keras.utils.set_random_seed(3)
    config = TrainingConfig(
        backbone=backbone, weights="random", image_size=SIZE, head=HeadConfig(dense_units=(), dropout=0.0)
    )
    classifier = build_classifier(config, 2)
    images = np.stack([with_patch(corner) for corner in CORNERS] + [np.full((SIZE, SIZE, 3), 128, np.uint8)])
    features = classifier.base(classifier.preprocess(images.astype("float32")), training=False).numpy()
    pooled = features.mean(axis=(1, 2))
    nothing = pooled[4] / np.linalg.norm(pooled[4])
    change = pooled[:4].mean(axis=0) - pooled[4]
    change -= min(0.0, change @ nothing) * nothing  # so that an empty place does not count against the thing
    change /= np.linalg.norm(change)
    classifier.head.layers[-1].set_weights([np.stack([-change, change], axis=1), np.zeros(2)])
    return classifier


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=pytest.mark.slow if name in DEEP else []) for name in FAMILIES]
)
def test_the_heat_is_where_the_thing_is(family):
    backbone = FAMILIES[family]
    classifier = something_detector(backbone)
    cam = GradCam(Record(backbone), classifier)
    for corner in ((0, 1), (1, 0)):
        found = cam.explain(with_patch(corner), label=1)
        assert found.heat.max() == 1
        assert found.heat.min() >= 0
        height, width = found.heat.shape
        row, column = np.unravel_index(found.heat.argmax(), found.heat.shape)
        # On the side of the patch, or on the middle line where the map has one.
        assert abs((row + 0.5) / height - (0.25, 0.75)[corner[0]]) <= 0.26
        assert abs((column + 0.5) / width - (0.25, 0.75)[corner[1]]) <= 0.26


@pytest.fixture(scope="module")
def run(workspace, dataset):
    return Trainer(workspace)(dataset, epochs=6)


def picture(colour):
    image = Image.new("RGB", (QUICK.image_size, QUICK.image_size), colour)
    return np.asarray(image)


def test_a_run_explains_its_most_probable_class_or_any_other(run):
    cam = open_grad_cam(run.record.path)
    assert open_grad_cam(run.record.path) is cam
    red = picture((210, 50, 50))
    best = cam.explain(red)
    assert run.record.classes[best.label] == "red"
    every = [cam.explain(red, label).probability for label in range(3)]
    assert sum(every) == pytest.approx(1, abs=1e-5)
    assert max(every) == pytest.approx(best.probability, abs=1e-6)


def test_another_model_is_not_waited_for(run, train_run, dataset, monkeypatch):
    other = train_run(dataset, epochs=1)
    opening, go_on, load = threading.Event(), threading.Event(), grad_cam.load_stored

    def slow(record, epoch=None):
        if record.id == other.record.id:
            opening.set()
            assert go_on.wait(SECONDS)
        return load(record, epoch)

    monkeypatch.setattr(grad_cam, "load_stored", slow)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(open_grad_cam, other.record.path)
        assert opening.wait(SECONDS)
        try:
            assert threads.submit(open_grad_cam, run.record.path).result(SECONDS).blocks
        finally:
            go_on.set()
        assert waiting.result(SECONDS).blocks


def test_every_block_has_a_heatmap(run):
    cam = open_grad_cam(run.record.path)
    assert cam.blocks[0] == "Block 1"
    sizes = [cam.explain(picture((210, 50, 50)), block=block).heat.shape[0] for block in cam.blocks]
    assert sizes == sorted(sizes, reverse=True)


def test_what_is_not_there_is_a_sentence(run, workspace, dataset):
    cam = open_grad_cam(run.record.path)
    with pytest.raises(ConfigError, match="no block “Attic”"):
        cam.explain(picture((0, 0, 0)), block="Attic")
    with pytest.raises(ConfigError, match="Received: 9"):
        cam.explain(picture((0, 0, 0)), label=9)
    run.folder.model_file.write_bytes(b"no model")
    with pytest.raises(ModelUnavailableError):
        open_grad_cam(run.record.path)


def test_a_sigmoid_has_two_classes_to_explain(train_run, two_classes):
    head = HeadConfig(output="sigmoid", feature_normalization="layer", dropout=0.0)
    trained = train_run(two_classes, head=head, epochs=6)
    cam = open_grad_cam(trained.record.path)
    for label, colour in enumerate([(40, 60, 200), (210, 50, 50)]):
        assert cam.explain(picture(colour)).label == label
        assert 0 <= cam.explain(picture(colour), 1 - label).probability < 0.5


def test_the_overlay_covers_the_place_and_leaves_the_rest():
    grey = np.full((40, 80, 3), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 3] = 1
    with Image.open(io.BytesIO(overlay(grey, heat, side=160))) as image:
        assert image.size == (160, 80)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(pixels[:10, -20:] - 100).max() > 60
    assert np.abs(pixels[40:, :80] - 100).max() <= 2
