"""Asking a finished model, also beside a training."""

import io
import threading
import zipfile

import numpy as np
import pytest

from tests.tl_core.small_trainings import COLOURS, coloured, probabilities_of
from tl_core.data import read_image, resize_image
from tl_core.errors import ArchiveError, ModelUnavailableError, RunNotFoundError, StoppedError
from tl_core.features.cache import open_cache
from tl_core.features.images import open_images
from tl_core.inference import predict, predictor
from tl_core.inference.calibration import Calibration, apply_temperature, save_calibration
from tl_core.inference.predict import answerer_of_run, predict_archive, predict_images
from tl_core.inference.predictor import open_predictor
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.runs import create_run

NAMES = tuple(COLOURS)


@pytest.fixture(scope="module")
def photos():
    return [coloured(colour, 900 + index) for index, colour in enumerate(COLOURS.values())]


def test_each_photograph_gets_its_class(shared_run, photos):
    answers = predict_images(shared_run.record.path, photos)
    assert [answer.ranked[0][0] for answer in answers] == list(NAMES)
    for answer in answers:
        assert answer.error is None
        shares = [share for _, share in answer.ranked]
        assert sorted(name for name, _ in answer.ranked) == sorted(NAMES)
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert shares == sorted(shares, reverse=True)
        assert answer.seconds > 0


def test_a_bad_file_among_good_ones_gets_its_sentence(shared_run, photos):
    answers = predict_images(shared_run.record.path, [photos[0], b"no image at all", photos[1]])
    assert [answer.error is None for answer in answers] == [True, False, True]
    assert answers[1].error.endswith(".")
    assert answers[1].ranked == ()
    assert answers[2].ranked[0][0] == NAMES[1]


def test_prediction_sees_what_training_saw(shared_run, dataset):
    """The stored validation images, sent as uploads, get the probabilities that the training measured."""
    kept = np.load(shared_run.folder.path / "evaluation-validation.npz")["probabilities"]
    files = [dataset.path_of(record).read_bytes() for record in dataset.of_split("validation")]
    answers = predict_images(shared_run.record.path, files)
    assert np.abs(probabilities_of(answers) - kept).max() < 1e-5


def test_many_photographs_and_none(shared_run, photos):
    assert predict_images(shared_run.record.path, []) == []
    answers = predict_images(shared_run.record.path, photos * 50)
    assert [answer.ranked[0][0] for answer in answers] == list(NAMES) * 50


def test_the_predictor_is_loaded_once_and_kept_warm(shared_run, photos, monkeypatch):
    predict_images(shared_run.record.path, photos)
    monkeypatch.setattr(predictor, "load_stored", lambda *_: pytest.fail("loaded again"))
    assert len(predict_images(shared_run.record.path, photos)) == 3


def test_a_run_without_a_model_says_so(workspace, dataset, shared_run):
    waiting = create_run(workspace, shared_run.record.config, dataset)
    with pytest.raises(ModelUnavailableError, match="no model yet"):
        predict_images(waiting.path, [])
    with pytest.raises(RunNotFoundError):
        predict_images(workspace.runs / "nothing", [])


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_or_changed_model_is_not_used(train_run, dataset, photos, damage):
    run = train_run(dataset, epochs=1)
    data = bytearray(run.folder.model_file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    run.folder.model_file.write_bytes(data[: len(data) // 2] if damage == "cut" else data)
    with pytest.raises(ModelUnavailableError, match="damaged"):
        predict_images(run.record.path, photos)


def test_predicting_while_another_model_trains(shared_run, train_run, dataset, photos):
    answers, finished = [], threading.Event()

    def ask():
        while not finished.is_set():
            answers.append([answer.ranked[0][0] for answer in predict_images(shared_run.record.path, photos)])

    thread = threading.Thread(target=ask)
    thread.start()
    trained = train_run(dataset, epochs=30)
    finished.set()
    thread.join()
    assert trained.record.status == "done"
    assert trained.record.best.val_accuracy == 1.0
    assert answers
    assert all(answer == list(NAMES) for answer in answers)


def test_stored_and_predicted_pixels_are_equal(dataset, workspace):
    images = open_images(open_cache(workspace), dataset, 32, UNATTENDED)
    for row, record in enumerate(dataset.images[:5]):
        seen = resize_image(read_image(dataset.path_of(record).read_bytes()), 32)
        assert np.array_equal(images.read(np.array([row]))[0], seen)


def choose(run, **values):
    save_calibration(run.record.workspace, run.record, Calibration(model_sha256=run.record.model_sha256, **values))


@pytest.fixture
def chosen(shared_run):
    """``chosen(threshold=0.9)`` for the shared run, undone afterwards."""
    yield lambda **values: choose(shared_run, **values)
    shared_run.folder.calibration_file.unlink(missing_ok=True)


def test_the_chosen_temperature_makes_probabilities_calmer(shared_run, photos, chosen):
    plain = probabilities_of(predict_images(shared_run.record.path, photos))
    chosen(temperature=3.0)
    calm = probabilities_of(predict_images(shared_run.record.path, photos))
    assert calm == pytest.approx(apply_temperature(plain, 3.0), abs=1e-6)
    assert (calm.max(axis=1) < plain.max(axis=1)).all()
    assert (calm.argmax(axis=1) == plain.argmax(axis=1)).all()


def test_below_the_chosen_threshold_there_is_no_answer(shared_run, photos, chosen):
    surest = max(answer.ranked[0][1] for answer in predict_images(shared_run.record.path, photos))
    chosen(threshold=(surest + 1) / 2)
    doubtful = predict_images(shared_run.record.path, [*photos, b"text"])
    assert not any(answer.answered for answer in doubtful)
    assert [answer.ranked[0][0] for answer in doubtful[:3]] == list(NAMES), "the best guess is still told"
    chosen(threshold=0.01)
    assert all(answer.answered for answer in predict_images(shared_run.record.path, photos))


def test_what_was_chosen_for_another_model_does_not_count(shared_run, photos):
    run = shared_run.record
    save_calibration(run.workspace, run, Calibration(model_sha256="0" * 64, threshold=1.0))
    assert all(answer.answered for answer in predict_images(shared_run.record.path, photos))
    shared_run.folder.calibration_file.unlink()


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    packed.seek(0)
    return packed


def test_a_zip_is_answered_file_by_file(shared_run, photos, monkeypatch):
    monkeypatch.setattr(predict, "_CHUNK", 4)
    names = [f"folder/{number}.png" for number in range(10)]
    files = {name: photos[place % 3] for place, name in enumerate(names)}
    told = []
    archive = zipped({**files, "folder/notes.txt": b"text", "../evil.png": photos[0]})
    task = TaskContext(lambda at: told.append((at.done, at.total)))
    answers = predict_archive(answerer_of_run(shared_run.record.path), archive, task)
    by_name = {answer.name: answer for answer in answers}
    assert [by_name[name].ranked[0][0] for name in names] == [NAMES[place % 3] for place in range(10)]
    assert all(len(by_name[name].ranked) == 3 for name in names)
    assert by_name["folder/notes.txt"].error.endswith(".")
    assert sum("outside the archive" in (answer.error or "") for answer in answers) == 1
    assert told == [(0, 11), (4, 11), (8, 11), (11, 11)]


def test_a_zip_can_be_stopped_or_be_none(shared_run, photos):
    answerer = answerer_of_run(shared_run.record.path)
    with pytest.raises(StoppedError):
        predict_archive(answerer, zipped({"a.png": photos[0]}), TaskContext(should_stop=lambda: True))
    with pytest.raises(ArchiveError, match="not a zip"):
        predict_archive(answerer, io.BytesIO(b"no zip at all"))


def test_predictor_gives_probabilities_for_arrays(shared_run):
    predictor = open_predictor(shared_run.record.path)
    assert predictor.image_size == 32
    assert predictor.predict(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 3)
    assert predictor.predict(np.zeros((2, 32, 32, 3), np.uint8)).shape == (2, 3)
