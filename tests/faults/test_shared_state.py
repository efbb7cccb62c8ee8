"""Keras keeps state for the whole process: building models and predicting beside a training harms neither."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, QUICK, Trained, coloured
from tl_core.data import read_image, resize_image
from tl_core.errors import StoppedError
from tl_core.models.classifier import build_classifier
from tl_core.models.load import load_stored

LOADED_EVERY = 10  # models are read from a file; the others are built


class Beside:
    """Builds or reads a model and asks it, again and again."""

    def __init__(self, run: Trained) -> None:
        self._run = run
        photographs = [coloured(colour, 900 + place) for place, colour in enumerate(COLOURS.values())]
        self._images = np.stack([resize_image(read_image(data), 32) for data in photographs])
        self.done = 0
        self.errors: list[Exception] = []

    def work(self, times: int) -> None:
        """So many models."""
        for turn in range(times):
            try:
                self._ask(loaded=turn % LOADED_EVERY == 0)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is counted
                self.errors.append(error)
            self.done += 1

    def _ask(self, *, loaded: bool) -> None:
        model = load_stored(self._run.record) if loaded else build_classifier(QUICK, len(COLOURS)).model
        probabilities = model(self._images.astype(np.float32), training=False).numpy()
        assert probabilities.shape == (3, 3)
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        if loaded:
            assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]


def require_no_harm(train_run, dataset, times: int) -> int:
    """Train for as long as the other thread works; gives the number of epochs that were trained."""
    expected = train_run(dataset, epochs=6)
    beside = Beside(expected)
    thread = threading.Thread(target=beside.work, args=(times,))
    thread.start()
    run = train_run(dataset, lambda path: not thread.is_alive(), epochs=1000, fine_tune_epochs=0)
    rounds = 1
    while thread.is_alive():  # a thousand epochs were not enough
        with contextlib.suppress(StoppedError):  # in its first epoch
            run = train_run(dataset, lambda path: not thread.is_alive(), epochs=1000)
        rounds += 1
    thread.join()
    assert beside.errors == []
    assert beside.done == times
    assert run.epochs or rounds > 1, "it was at work meanwhile"
    again = train_run(dataset, epochs=6)
    assert again.curve("val_loss") == pytest.approx(expected.curve("val_loss"), abs=1e-3)
    return 1000 * (rounds - 1) + len(run.epochs)


@pytest.mark.slow
def test_building_and_predicting_beside_a_training(train_run, dataset):
    assert require_no_harm(train_run, dataset, 20) >= 1


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_building_and_predicting_with_1000_models_beside_a_training(train_run, dataset, say):
    say(f"{require_no_harm(train_run, dataset, 1000)} epochs were trained meanwhile")
