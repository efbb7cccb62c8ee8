"""Several runs in one chart."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from tests.tl_core.figures.run_events import epoch, phase, two_phase_run
from tl_core.figures.curves import MAX_POINTS, comparison_payload
from tl_core.figures.history import History
from tl_core.figures.palette import RUNS, TRAINING, VALIDATION


def run(name="A run", epochs=5, begin=1000.0, seconds=2.0):
    events = [phase("head", 1, epochs)]
    for number in range(1, epochs + 1):
        events.append(epoch(number, t=begin + number * seconds, seconds=seconds, val_loss=1 / number, best=True))
    return name, History().add(events)


def test_each_run_has_a_colour_training_is_dashed_and_validation_solid():
    payload = comparison_payload([run("First"), run("Second")], "epoch", revision="r")
    by_id = {trace["uid"]: trace for trace in payload["traces"]}
    assert len(by_id) == len(payload["traces"]) == 8
    for place in (0, 1):
        for metric in ("accuracy", "loss"):
            training, validation = (by_id[f"{place}-{metric}-{role}"] for role in ("training", "validation"))
            assert training["line"]["color"] == validation["line"]["color"] == RUNS[place]
            assert (training["line"]["dash"], validation["line"]["dash"]) == ("dash", "solid")
    assert [trace["name"] for trace in payload["traces"] if trace["showlegend"]] == ["First", "Second"]
    assert not {TRAINING, VALIDATION} & set(RUNS)


def test_runs_are_held_against_epochs_or_the_time_since_they_began():
    early, late = run(begin=1000.0, seconds=2.0), run(begin=9000.0, seconds=5.0)
    epochs = comparison_payload([early, late], "epoch", revision="r")["traces"]
    assert {tuple(trace["x"]) for trace in epochs} == {(1.0, 2.0, 3.0, 4.0, 5.0)}
    times = comparison_payload([early, late], "time", revision="r")["traces"]
    assert {tuple(trace["x"]) for trace in times} == {(2, 4, 6, 8, 10), (5, 10, 15, 20, 25)}


def test_twenty_long_runs_stay_small_and_are_a_figure_that_plotly_takes():
    payload = comparison_payload([run(f"Run {n}", 400) for n in range(20)], "time", revision="r")
    assert sum(len(trace["x"]) for trace in payload["traces"]) <= MAX_POINTS
    assert len(payload["rows"]) == 20 * 400
    go.Figure([{k: v for k, v in trace.items() if k != "meta"} for trace in payload["traces"]], payload["layout"])
    json.dumps(payload, allow_nan=False)


def test_a_run_without_an_epoch_is_an_empty_line():
    payload = comparison_payload([run(), ("Not yet", History())], "time", revision="r")
    assert [len(trace["x"]) for trace in payload["traces"]][4:] == [0] * 4
    assert "Not yet has no finished epoch yet" in payload["description"]


@pytest.mark.parametrize("by", ["epoch", "time"])
def test_two_phases_are_one_line(by):
    events = [{**event, "t": 100.0 + place} for place, event in enumerate(two_phase_run())]
    (_, validation, *_) = comparison_payload([("x", History().add(events))], by, revision="r")["traces"]
    assert len(validation["x"]) == 7
    assert validation["x"] == sorted(validation["x"])
