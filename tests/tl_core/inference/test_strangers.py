"""The promise of *unlike anything it was taught*, on a real backbone: other digits, noise and photographs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from tests.tl_core.small_trainings import png
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.data import import_uploads
from tl_core.data.samples import import_sample
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.inference.predict import predict_images
from tl_core.runs import create_run, load_run
from tl_core.training import train

TAUGHT = ("0", "1", "2", "3", "4")
ASKED = 250  # strangers


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_model_of_five_digits_refuses_the_other_five_noise_and_photographs(workspace):
    digits = import_sample(workspace, "digits")
    images: dict[str, list[tuple[str, bytes]]] = {name: [] for name in digits.classes}
    for image in digits.images:
        images[digits.classes[image.label]].append((image.file, digits.path_of(image).read_bytes()))
    dataset = import_uploads(workspace, {name: images[name] for name in TAUGHT}, "Five digits")
    run = create_run(workspace, PRESETS[DEFAULT_PRESET].config, dataset)
    train(run.config, dataset.path, run.path, lambda: False)
    run = load_run(run.path)
    save_calibration(workspace, run, Calibration(model_sha256=run.model_sha256, accepted=0.95))

    def refused(files):
        return np.mean([answer.unlike for answer in predict_images(run.path, files)])

    rng = np.random.default_rng(0)
    others = [data for name in digits.classes if name not in TAUGHT for _, data in images[name]]
    known = [dataset.path_of(image).read_bytes() for image in dataset.of_split("test")]
    assert refused([others[place] for place in rng.permutation(len(others))[:ASKED]]) >= 0.8
    assert refused(known) <= 0.1, "of 20 known ones one is given up, more or less"
    noise = [rng.integers(0, 256, (64, 64, 3)) for _ in range(10)]
    assert refused([png(pixels) for pixels in noise]) == 1
    assert refused([_jpeg(photo) for photo in load_sample_images().images]) == 1


def _jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()
