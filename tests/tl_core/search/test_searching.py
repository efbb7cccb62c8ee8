"""Searches of a few seconds on photographed surfaces: real features, real trainings."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.tl_core.jobs.waiting import wait_until
from tests.tl_core.search.loops import make_loop, overlapping_classes
from tl_core.data import import_uploads
from tl_core.data.editing import remove_images
from tl_core.data.revisions import undo
from tl_core.data.samples import import_sample
from tl_core.errors import ConfigError, NotYoursError, SearchNotFoundError, WorkspaceError
from tl_core.runs import EventLog, list_runs, load_run, read_events
from tl_core.runs.evaluations import read_metrics
from tl_core.search import searching as searching_module
from tl_core.search.heads import Features
from tl_core.search.history import Trial
from tl_core.search.process import start_search
from tl_core.search.record import (
    create_search,
    delete_search,
    find_search,
    list_searches,
    load_search,
    prepare_to_go_on,
    request_stop,
    update_search,
)
from tl_core.search.searching import StopRequest, pace_of, run_search
from tl_core.search.space import QUICK_START, SOURCES, configure, dimensions, quick_start_params
from tl_core.search.winner import Pace, seconds_to_finish
from tl_core.storage.workspace import Workspace

MINUTES = 0.1


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("searches")).ensure()


@pytest.fixture(scope="module")
def surfaces(workspace):
    """A few of the photographs of each surface."""
    every = import_sample(workspace, "surfaces")
    images = {
        name: [
            (image.source_name, every.path_of(image).read_bytes())
            for image in [image for image in every.images if every.classes[image.label] == name][::6]
        ]
        for name in every.classes
    }
    return import_uploads(workspace, images, "Surfaces")


@pytest.fixture(scope="module")
def killed(workspace, surfaces):
    """A search whose process was killed, and the trials that it had told of."""
    search = create_search(workspace, surfaces, 30)
    process = subprocess.Popen(
        [sys.executable, "-m", "tl_core.search.process", str(search.path)], stdin=subprocess.PIPE
    )
    wait_until(lambda: len(trials_of(search)) >= 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return load_search(search.path), trials_of(search)


@pytest.fixture(scope="module")
def found(workspace, killed):
    """One search that was gone on with after it had been cut off, and has come to its end."""
    search, known = killed
    update_search(search.path, minutes=max(MINUTES, known[-1]["elapsed"] / 60 + 0.05))
    return run_search(prepare_to_go_on(workspace, search.id))


def trials_of(search):
    return [event for event in read_events(search.events_file) if event["kind"] == "trial"]


def test_quick_start_is_the_first_trial(found):
    first = trials_of(found)[0]
    config = configure(first["params"], QUICK_START.seed)
    assert config == QUICK_START
    assert first["state"] == "complete"
    assert found.outcome["quick_start"] == pytest.approx(first["accuracy"], abs=1e-6)


def test_the_winner_is_a_run_that_keeps_its_promise(found, workspace):
    assert found.status == "done"
    run = load_run(workspace.runs / found.run_id)
    assert run.status == "done"
    assert run.has_model
    assert run.best.val_accuracy == pytest.approx(found.outcome["validation"], abs=0.05)
    assert found.outcome["run_validation"] == run.best.val_accuracy
    winner = next(trial for trial in trials_of(found) if trial["number"] == found.outcome["trial"])
    configs = [run.config, *run.members]
    assert configure(winner["params"], found.seed) in configs
    assert len(configs) == len(found.outcome["members"])
    assert found.outcome["members"][0] == found.outcome["trial"]


def test_backbones_run_over_training_and_validation_images_alone(killed, surfaces):
    told = [event.get("text", "") for event in read_events(killed[0].events_file)]
    images = len(surfaces.images) - len(surfaces.of_split("test"))
    passes = [text for text in told if text.startswith("Running ")]
    assert passes[0].endswith(f" once over {images} images")
    assert surfaces.of_split("test")


def test_test_images_are_looked_at_for_the_winner_alone(found, workspace):
    assert found.outcome["test"] == read_metrics(load_run(workspace.runs / found.run_id))["test"]["accuracy"]
    assert [run.id for run in list_runs(workspace) if "best of" in run.name].count(found.run_id) == 1
    assert not any("test" in trial for trial in trials_of(found))


def test_the_outcome_says_how_sure_it_is(found):
    assert found.outcome["text"]
    assert found.outcome["optimism"] >= 0
    assert found.outcome["trials"] == len(trials_of(found)) >= 3


@pytest.mark.slow
def test_a_search_that_has_ended_goes_on_with_what_it_knows(found, workspace, surfaces):
    before = len(trials_of(found))
    again = run_search(prepare_to_go_on(workspace, found.id, 2 * MINUTES))
    assert again.status == "done"
    numbers = [trial["number"] for trial in trials_of(again)]
    assert len(numbers) > before
    assert len(set(numbers)) == len(numbers)
    assert again.outcome["trials"] == len(numbers)


def test_added_minutes_have_a_share_of_their_own_for_more_backbones(workspace, surfaces):
    search = create_search(workspace, surfaces, 5)
    with EventLog(search.events_file) as events:
        searching = searching_module._Searching(search, events, StopRequest(), str)
        searching._dataset = surfaces
        small = np.zeros((1, 4, 8), np.float32), np.zeros(4, np.int64), np.zeros(4, bool)
        searching._features[SOURCES[0].name] = Features(*small, classes=2, channels=(8,))
        searching._clock = searching_module._Clock(before=240.0)
        assert len(searching._plan(0.1)) > 1
    delete_search(workspace, search.id)


def test_building_a_backbone_is_told_apart_from_the_time_of_an_image():
    def progress(t, done):
        return {"kind": "progress", "t": t, "done": done}

    prepared = [progress(2, 60), progress(4, 120), {"kind": "phase", "t": 5}]
    slow = pace_of([*prepared, progress(11, 20), progress(14, 80), progress(16, 120)], 16, 120)
    assert (slow.image, slow.building) == (pytest.approx(0.05), pytest.approx(10))
    batch = [progress(6, 0), progress(12, 120)]
    assert pace_of([*prepared, *batch], 12, 120) == Pace(pytest.approx(0.1), 0)
    assert pace_of(prepared, 0.1, 120) == Pace(0.008, 0), "all were kept"


def test_the_time_for_the_winner_is_known_before_it_is_trained():
    def trial(number, source, seconds, config=None):
        return Trial(number, {"source": source.name}, "complete", 0.9, 0.3, 0.9, (), seconds, 0, config=config)

    small, large = trial(0, SOURCES[0], 3.0), trial(1, SOURCES[1], 6.0)
    pace, cost = Pace(0.01, 5.0), SOURCES[1].cost
    assert seconds_to_finish([small], pace, 50, 1000, 3) == pytest.approx(10 + 5 + 1)
    together = seconds_to_finish([small, large], pace, 50, 1000, 3)
    assert together == pytest.approx(10 * cost + 10.5 * (1 + cost) + 10 + 2), "its own test images, then of both"
    whole = trial(2, SOURCES[0], 90.0, config=QUICK_START.to_file())
    assert seconds_to_finish([whole], pace, 50, 1000, 1) == pytest.approx(10 + 5 + 90), "a run repeats it"


def test_trials_end_so_early_that_the_winner_is_finished_in_time(workspace, surfaces, tmp_path):
    features = overlapping_classes(30, 9, 0.5)
    loop = make_loop(features, tmp_path)
    group = loop.propose(lambda _: features)
    loop.record(group, loop.measure(group, features))
    search = create_search(workspace, surfaces, 5)
    with EventLog(search.events_file) as events:
        images = len(surfaces.of_split("test"))
        for seconds, ends in ((1, 240), (100, 200), (1000, 150)):  # of all test images
            searching = searching_module._Searching(search, events, StopRequest(), str)
            searching._dataset, searching._pace = surfaces, Pace(seconds / images, 0.0)
            assert searching._ends(loop) == pytest.approx(ends, abs=1)
    delete_search(workspace, search.id)


def test_a_killed_search_loses_no_trial_and_goes_on(killed, found):
    search, known = killed
    assert search.status == "interrupted"
    assert found.status == "done"
    assert trials_of(found)[: len(known)] == known


@pytest.mark.slow
def test_the_process_of_the_dashboard_keeps_the_best_when_it_is_asked_to_stop(workspace, surfaces):
    search = create_search(workspace, surfaces, 30)
    start_search(search)
    wait_until(lambda: len(trials_of(search)) >= 2)
    request_stop(workspace, search.id)
    wait_until(lambda: not load_search(search.path).active)
    assert load_search(search.path).status == "stopped"
    assert load_run(workspace.runs / load_search(search.path).run_id).has_model


def test_a_search_is_for_the_images_with_which_it_was_begun(workspace, surfaces):
    search = create_search(workspace, surfaces, 1)
    remove_images(workspace, surfaces.id, surfaces.images[:2])
    try:
        assert search.dataset().images == surfaces.images
    finally:
        undo(workspace, surfaces.id)


def test_searches_belong_to_people(workspace, surfaces):
    ada, bob = (Workspace(workspace.root, name * 32) for name in "ab")
    mine = create_search(ada, surfaces, 1)
    assert find_search(ada, mine.id).id == mine.id
    assert mine.id not in {search.id for search in list_searches(bob)}
    with pytest.raises(NotYoursError):
        find_search(bob, mine.id)
    with pytest.raises(NotYoursError):
        request_stop(bob, mine.id)


def test_what_cannot_be_searched_is_refused_in_a_sentence(workspace, surfaces):
    with pytest.raises(ConfigError, match="minutes"):
        create_search(workspace, surfaces, 0)
    with pytest.raises(ConfigError, match="What matters"):
        create_search(workspace, surfaces, 1, "speed")
    with pytest.raises(SearchNotFoundError):
        find_search(workspace, "nothing")
    at_work = create_search(workspace, surfaces, 1)
    with pytest.raises(WorkspaceError, match="at work"):
        prepare_to_go_on(workspace, at_work.id)


def test_everything_that_is_chosen_is_a_setting_of_a_training():
    for source in SOURCES:
        found = dimensions([source], unbalanced=True)
        params = {one.name: one.choices[-1] if one.choices else one.high for one in found}
        assert configure(params, 1).backbone == source.backbone
    assert set(quick_start_params(dimensions(SOURCES, unbalanced=False))) == {
        one.name for one in dimensions(SOURCES, unbalanced=False)
    }
