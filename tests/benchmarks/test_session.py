"""Contenders run in processes of their own, on the same pictures every time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.session import BenchmarkError, Measured, Session
from benchmarks.synthetic import CLASSES, Kind, make_dataset
from tl_core.data import read_image

KIND = Kind(images=60, different=30, width=48, height=40)


def tell_process(word: str) -> Measured:
    sys.stdout.write("chatter of a library")
    return {"word": word, "process": os.getpid()}


def fail(_word: str) -> Measured:
    raise RuntimeError("the contender is broken")


def test_a_contender_runs_in_a_fresh_process(tmp_path: Path):
    first, second = (Session(tmp_path).measure(tell_process, word="same") for _ in range(2))
    assert first["word"] == second["word"] == "same"
    assert len({first["process"], second["process"], os.getpid()}) == 3


def test_a_smoke_test_stays_in_this_process(tmp_path: Path):
    assert Session(tmp_path, quick=True).measure(tell_process, word="same")["process"] == os.getpid()


def test_only_the_datasets_stay_between_two_benchmarks(tmp_path: Path):
    session = Session(tmp_path, program="photo")
    dataset = make_dataset(session.store, KIND)
    workspace = session.workspace()
    session.tidy()
    assert dataset.path.is_dir()
    assert not workspace.root.exists()


def test_a_broken_contender_is_reported_with_its_last_lines(tmp_path: Path):
    with pytest.raises(BenchmarkError, match="the contender is broken"):
        Session(tmp_path).measure(fail, _word="")


def test_datasets_are_the_same_wherever_they_are_made(tmp_path: Path):
    one, other = (make_dataset(tmp_path / name, KIND) for name in ("one", "other"))
    assert one.fingerprint == other.fingerprint
    assert one.images == other.images
    assert make_dataset(tmp_path / "one", KIND) is one


def test_every_class_has_images_of_its_own_in_both_splits(tmp_path: Path):
    dataset = make_dataset(tmp_path, KIND)
    assert len(dataset.classes) == CLASSES
    assert all(row["train"] and row["validation"] for row in dataset.counts().values())
    assert len({image.pixels_sha256 for image in dataset.images}) == KIND.images
    assert len({image.file for image in dataset.images}) == KIND.different
    assert len(dataset.of_split("validation")) == pytest.approx(0.2 * KIND.images, abs=CLASSES)


def test_pictures_are_structured(tmp_path: Path):
    dataset = make_dataset(tmp_path, KIND)
    first, second = (read_image(dataset.path_of(image)) for image in dataset.images[:2])
    assert first.shape == (KIND.height, KIND.width, 3)
    assert first.std() > 10
    assert not np.array_equal(first, second)
