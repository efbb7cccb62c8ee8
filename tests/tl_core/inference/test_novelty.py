"""Pictures unlike anything a model was taught: the distances, their limit, and what a trained model refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, Trained, coloured, png
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.inference.novelty import (
    COMPONENTS,
    fit_novelty,
    images_for,
    joined,
    knows,
    load_novelty,
    save_novelty,
)
from tl_core.inference.novelty_learning import learns_first, novelty_of
from tl_core.inference.predict import predict_images
from tl_core.runs import load_run
from tl_core.runs.record import RunFolder
from tl_core.runs.store import with_more_epochs

VALUES = 100


def around(places, count, spread=0.05, seed=0):
    """Features near some directions, ``count`` of each."""
    rng = np.random.default_rng(seed)
    return joined([np.repeat(places, count, axis=0) + rng.normal(0, spread, (len(places) * count, len(places[0])))])


@pytest.fixture(scope="module")
def places():
    return np.random.default_rng(1).normal(0, 1, (3, VALUES))


@pytest.fixture(scope="module")
def known(places):
    names = [f"{number}.png" for number in range(120)]
    return fit_novelty(
        around(places, 40), np.repeat(np.arange(3), 40), names, around(places, 13, seed=2), "a" * 64, [VALUES]
    )


def test_all_depths_count_the_same_and_none_is_longer():
    features = joined([np.array([[3.0, 4.0]]), np.array([[1000.0, 0.0, 0.0]])])
    assert np.linalg.norm(features, axis=1) == pytest.approx(1)
    assert features[0] == pytest.approx(np.array([0.6, 0.8, 1, 0, 0]) / np.sqrt(2))


def test_the_distance_is_that_to_the_nearest_training_image(places, known):
    """Against all distances in full: the components leave little out, and what they leave out counts."""
    taught = around(places, 40)
    for asked in (around(places, 5, seed=3), around(np.random.default_rng(4).normal(0, 1, (4, VALUES)), 1)):
        distances, nearest = known.measure(asked)
        full = np.linalg.norm(asked[:, None] - taught[None], axis=2)
        assert distances == pytest.approx(full.min(axis=1), rel=0.15)
        assert known.labels[nearest].tolist() == known.labels[full.argmin(axis=1)].tolist()
    assert known.components.shape == (COMPONENTS, VALUES)


def test_a_depth_in_which_known_images_lie_close_together_counts_as_much_as_the_other():
    """A stranger that differs in that depth alone, by less than known images differ in the other one."""
    rng = np.random.default_rng(0)

    def images(count, away=0.0):
        wide, narrow = rng.normal(0, 1, (count, 40)), 1 + rng.normal(0, 0.01, (count, 40))
        narrow[:, 0] += away
        return joined([1 + 0.5 * wide, narrow])

    known = fit_novelty(images(100), np.zeros(100, int), [""] * 100, images(60), "a" * 64, [40, 40])
    strangers, _ = known.measure(images(50, away=1.0))
    assert (strangers > known.limit(0.95)).mean() > 0.9
    assert known.scale[0] < 1 < known.scale[-1]
    assert known.scale[0] * known.scale[-1] == pytest.approx(1, rel=1e-4)
    assert len(set(known.scale.tolist())) == 2


def test_where_known_images_do_not_differ_all_depths_count_the_same():
    features = np.repeat(joined([np.ones((1, 3)), np.ones((1, 2))]), 4, axis=0)
    known = fit_novelty(features, np.zeros(4, int), [""] * 4, features, "a" * 64, [3, 2])
    assert known.scale.tolist() == [1] * 5


def test_what_an_earlier_version_has_learned_opens(tmp_path, known):
    folder = RunFolder(tmp_path)
    save_novelty(folder, known)
    with np.load(folder.novelty_file) as file:
        earlier = {name: file[name] for name in file.files if name != "scale"}
    with folder.novelty_file.open("wb") as file:
        np.savez(file, **earlier)
    assert load_novelty(folder, "a" * 64).scale.tolist() == [1] * VALUES


def test_what_is_far_from_all_is_beyond_the_limit(places, known):
    strangers, _ = known.measure(around(np.random.default_rng(5).normal(0, 1, (30, VALUES)), 1))
    friends, _ = known.measure(around(places, 100, seed=6))
    assert (strangers > known.limit(0.95)).all()
    assert (friends <= known.limit(0.95)).mean() == pytest.approx(0.95, abs=0.05)
    assert known.limit(0.8) < known.limit(0.95) < known.limit(1) == np.inf


@pytest.mark.parametrize(("images", "enough"), [(18, False), (19, True), (98, True)])
def test_a_share_of_few_images_is_not_pretended(places, images, enough):
    held_out = around(places, 40, seed=7)[:images]
    known = fit_novelty(around(places, 40), np.zeros(120, int), ["a.png"] * 120, held_out, "a" * 64, [VALUES])
    assert known.enough_for(0.95) is enough
    assert not known.enough_for(0.99)
    room = 1.5 - 0.5 * images / 99
    assert known.limit(0.99) == pytest.approx(room * known.held_out.max()), "room for what they have not shown"


def test_more_images_leave_less_room_until_they_know_where_the_share_ends(places):
    limits = []
    for images in (10, 30, 48, 49):
        held_out = np.repeat(around(places, 1, seed=7), images // 3 + 1, axis=0)[:images]
        limits.append(
            fit_novelty(around(places, 9), np.zeros(27, int), [""] * 27, held_out, "a" * 64, [VALUES]).limit(0.98)
        )
    assert limits == sorted(limits, reverse=True)
    assert limits[-2] == pytest.approx(limits[-1], rel=0.02), "no step"
    assert [images_for(share) for share in (0.9, 0.95, 0.98, 0.99)] == [9, 19, 49, 99]


def test_it_is_kept_with_its_model_alone(tmp_path, known, places):
    folder = RunFolder(tmp_path)
    assert load_novelty(folder, "a" * 64) is None
    save_novelty(folder, known)
    asked = around(places, 5, seed=8)
    kept = load_novelty(folder, "a" * 64)
    assert np.array_equal(kept.measure(asked)[0], known.measure(asked)[0])
    assert load_novelty(folder, "b" * 64) is None
    folder.novelty_file.write_bytes(folder.novelty_file.read_bytes()[:900])
    assert load_novelty(folder, "a" * 64) is None, "it is learned again"


@pytest.fixture(scope="module")
def stripes():
    """Nothing of one colour."""
    image = np.zeros((40, 40, 3))
    image[:, ::8] = image[:, 1::8] = image[:, 2::8] = 255
    return [png(image), png(image.transpose(1, 0, 2))]


def test_a_model_refuses_what_is_unlike_its_images_and_knows_its_own(shared_run, stripes):
    own = [coloured(colour, 700 + index) for index, colour in enumerate(COLOURS.values())]
    answers = predict_images(shared_run.record.path, [*own, *stripes])
    assert [answer.reason for answer in answers] == [None, None, None, "unlike", "unlike"]
    assert [answer.nearest.label for answer in answers[:3]] == list(COLOURS)
    assert all(answer.novelty < 1 and answer.answered for answer in answers[:3])
    assert all(answer.novelty > 1 and answer.ranked and not answer.answered for answer in answers[3:])
    known = novelty_of(shared_run.record.path)
    assert len(known.held_out) == 6
    assert novelty_of(shared_run.record.path, epoch=99) is None, "another epoch may see otherwise"


@pytest.mark.slow
def test_what_the_training_kept_is_what_a_look_at_the_images_finds(train_run, dataset):
    """Of a run that was stopped, too: the best epoch is of a head, and the backbone sees as before."""
    run = train_run(dataset, lambda path: len(Trained(path).epochs) >= 2, epochs=9)
    assert run.record.status == "stopped"
    kept = load_novelty(run.folder, run.record.model_sha256)
    run.folder.novelty_file.unlink()
    looked = novelty_of(run.record.path)
    assert kept.held_out == pytest.approx(looked.held_out, rel=1e-3)
    assert kept.labels.tolist() == looked.labels.tolist()
    assert kept.images.tolist() == looked.images.tolist()


@pytest.mark.slow
def test_a_run_that_has_gone_on_keeps_what_its_new_model_sees(train_run, dataset):
    from tl_core.training import extend

    run = train_run(dataset, epochs=2)
    extend(with_more_epochs(run.record, 2), dataset.path, run.record.path, lambda: False)
    ended = load_run(run.record.path)
    assert ended.model_sha256 != run.record.model_sha256
    assert knows(ended.folder, ended.model_sha256)
    assert not knows(ended.folder, run.record.model_sha256)


@pytest.mark.slow
def test_a_fine_tuned_model_is_looked_into_as_it_has_become(train_run, dataset, stripes):
    """Its backbone saw otherwise while the features were made, so images are looked at before its first answer."""
    run = train_run(dataset, epochs=3, frozen_layers=15, fine_tune_epochs=2, fine_tune_learning_rate=1e-3)
    assert not knows(run.folder, run.record.model_sha256)
    assert learns_first(run.record)
    own = [coloured(colour, 700 + index) for index, colour in enumerate(COLOURS.values())]
    reasons = [answer.reason for answer in predict_images(run.record.path, [*own, *stripes])]
    assert knows(run.folder, run.record.model_sha256)
    assert not learns_first(run.record)
    assert reasons == [None, None, None, "unlike", "unlike"]


def test_whoever_wants_an_answer_to_everything_gets_it(shared_run, stripes):
    run = shared_run.record
    save_calibration(run.workspace, run, Calibration(model_sha256=run.model_sha256, accepted=1))
    try:
        assert [answer.reason for answer in predict_images(run.path, stripes)] == [None, None]
    finally:
        run.folder.calibration_file.unlink()
