"""Pictures that are not square are made square alike: for learning, measuring, asking and in exports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import Trainer, png, probabilities_of
from tl_core.data import import_uploads
from tl_core.data.normalise import Reading
from tl_core.evaluation.evaluate import evaluate_run
from tl_core.export.exporting import export_run
from tl_core.export.picture_kinds import KINDS
from tl_core.inference import predictor
from tl_core.inference.predict import predict_images
from tl_core.runs import load_run


@pytest.fixture(scope="module")
def wide(workspace):
    """Two classes of noise, twice as wide as high, that differ at one end."""

    def drawn(seed: int, place: int) -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 120, (24, 48, 3))
        pixels[:, place : place + 10] += 130
        return png(pixels)

    images = {
        name: [(f"{number}.png", drawn(100 * place + number, place)) for number in range(10)]
        for place, name in ((0, "left"), (38, "right"))
    }
    return import_uploads(workspace, images, "Wide")


@pytest.fixture(scope="module")
def run(workspace, wide):
    return Trainer(workspace)(wide, fit="border", epochs=2).record


@pytest.mark.slow
def test_a_border_is_the_same_in_training_evaluation_prediction_and_export(run, wide):
    records = wide.of_split("test")
    measured = evaluate_run(run.path, wide.path, "test").probabilities
    answers = predict_images(run.path, [wide.path_of(record).read_bytes() for record in records])
    assert np.allclose(probabilities_of(answers), measured, atol=1e-5)
    squeezed = predictor.open_predictor(run.path).predict(
        np.stack([Reading(32).of_stored(wide.path_of(record)) for record in records])
    )
    assert not np.allclose(squeezed, measured, atol=1e-3), "squeezed they would be other pictures"
    proof = export_run(run.path, "keras").proof
    assert (proof.passed, proof.kinds) == (True, len(KINDS))


def test_a_run_reads_pictures_as_those_it_learned_from_were_read(run):
    assert (load_run(run.path).decoding, run.config.fit) == (2, "border")
    before = predictor.compile_predictor(replace(run, decoding=1))  # as runs are that were made before others
    assert before.reading == Reading(32, "border", 1)
