"""What is said first about a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ui.trained_runs import colour_dataset, coloured, ended_run
from tl_core.data.editing import add_images
from tl_core.evaluation.cross_validated import too_few_images
from tl_core.evaluation.headline import Headline, headline
from tl_core.runs.evaluations import save_probabilities
from tl_core.storage.workspace import Workspace

GOOD = Headline(
    split="test",
    images=100,
    right=95,
    commonest="birds",
    guessing=0.42,
    weakest="tools",
    found=0.8,
    validation=0.9,
)


def test_the_numbers_in_sentences():
    assert GOOD.sentence() == "95.0 % of the 100 test images are right (validation 90.0 %)."
    assert (
        GOOD.baseline() == "Always answering “birds” would be right for 42.0 %. Weakest class: tools, 80.0 % found."
    )
    assert list(GOOD.warnings()) == []
    assert replace(GOOD, split="validation", validation=None).sentence() == (
        "95.0 % of the 100 validation images are right."
    )


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"guessing": 0.95}, "No better than guessing"),  # 190 images of one class, 10 of another
        ({"guessing": 0.93}, "Hardly better than guessing, as far as 100 images can tell."),
        ({"right": 50, "validation": 1.0}, "Far below validation"),
        ({"right": 50, "validation": 1.0, "validation_images": 15}, "Far below validation"),
        (
            {"images": 2, "right": 2, "validation": None},
            "Only 2 images: the true figure may be anywhere from 34 %",
        ),
    ],
)
def test_what_should_keep_one_from_trusting_the_figure(changes, warning):
    assert any(said.startswith(warning) for said in replace(GOOD, **changes).warnings())


def test_one_wrong_image_of_few_is_not_far_below_validation():
    few = replace(GOOD, images=15, right=14, validation=1.0, validation_images=15)
    assert not any("Far below" in said for said in few.warnings())


def test_it_is_read_from_what_the_training_has_saved(tmp_path):
    workspace = Workspace(tmp_path).ensure()
    dataset = colour_dataset(workspace)
    run = ended_run(workspace, dataset, "Colours", accuracy=0.75)
    assert headline(run, dataset) is None
    labels = np.array([record.label for record in dataset.of_split("test")])
    answers = np.zeros((len(labels), 2), np.float32)
    answers[:, 1] = 1  # always red
    save_probabilities(
        run.folder,
        "test",
        answers,
        labels,
        model_sha256=run.model_sha256,
        dataset_fingerprint=dataset.fingerprint,
    )
    found = headline(run, dataset)
    assert (found.split, found.images, found.right) == ("test", 8, int((labels == 1).sum()))
    assert (found.weakest, found.found, found.validation) == ("blue", 0.0, 0.75)
    assert found.guesses
    assert headline(replace(run, model_sha256="another model"), dataset) is None


def test_a_class_that_was_not_measured_is_named_beside_a_perfect_figure(tmp_path):
    workspace = Workspace(tmp_path).ensure()
    dataset = colour_dataset(workspace)
    green, _ = add_images(workspace, dataset.id, {"green": [("g.png", coloured((40, 200, 40), 7))]}, split="train")
    run = ended_run(workspace, green, "Colours")
    labels = np.array([record.label for record in green.of_split("test")])
    save_probabilities(
        run.folder,
        "test",
        np.eye(len(green.classes), dtype=np.float32)[labels],
        labels,
        model_sha256=run.model_sha256,
        dataset_fingerprint=green.fingerprint,
    )
    found = headline(run, green)
    assert found.accuracy == 1
    assert "No test images of: green. Nothing can be said about them there." in found.warnings()
    assert "No validation images of: green. Nothing can be said about them there." in found.warnings()
    assert too_few_images(green) == (
        "Cross-validation needs 3 different images of each class: green has 1. Add images first."
    )
    assert too_few_images(dataset) is None
