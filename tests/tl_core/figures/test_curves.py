import json

import plotly.graph_objects as go
import pytest

from tests.tl_core.figures.contrast import contrast
from tests.tl_core.figures.run_events import batch, end, epoch, phase, two_phase_run
from tests.tl_core.figures.test_confusion import THEME, blended
from tl_core.figures.curves import (
    BATCH_OPACITY,
    MAX_POINTS,
    curve_layout,
    curve_traces,
    curves_payload,
    describe_curves,
)
from tl_core.figures.history import History
from tl_core.figures.palette import TRAINING, VALIDATION

LONG_RUN_EPOCHS = 1500


def traces_of(history):
    return {trace["uid"]: trace for trace in curve_traces(history)}


def long_run():
    events = [phase("head", 1, LONG_RUN_EPOCHS)]
    for number in range(1, LONG_RUN_EPOCHS + 1):
        events += [batch(number, place, 20) for place in range(1, 21)]
        events.append(epoch(number, val_loss=1 / number, best=True))
    events[30 * 21 + 5]["loss"] = 99.0  # a spike of one batch
    return History().add(events)


def test_training_is_blue_and_dashed_validation_orange_and_solid_in_both_plots():
    traces = traces_of(History().add(two_phase_run()))
    for metric in ("accuracy", "loss"):
        assert traces[f"{metric}-training"]["line"] == {"color": TRAINING, "width": 2, "dash": "dash"}
        assert traces[f"{metric}-validation"]["line"] == {"color": VALIDATION, "width": 2.5, "dash": "solid"}


def test_each_metric_is_drawn_on_its_own_axes():
    traces = traces_of(History().add(two_phase_run()))
    assert {trace["xaxis"] for uid, trace in traces.items() if uid.startswith("accuracy")} == {"x"}
    assert {trace["xaxis"] for uid, trace in traces.items() if uid.startswith("loss")} == {"x2"}
    assert traces["loss-validation"]["y"][0] == 2
    assert traces["accuracy-validation"]["y"][0] == 0.5


def test_each_epoch_has_a_mark_while_there_are_few():
    few = History().add([phase("head", 1, 30), *(epoch(number) for number in range(1, 25))])
    assert traces_of(few)["loss-training"]["mode"] == "lines+markers"
    many = few.add([epoch(25)])
    assert traces_of(many)["loss-training"]["mode"] == "lines"


def test_the_best_epoch_is_marked_at_its_validation_value():
    traces = traces_of(History().add(two_phase_run()[:-8]))  # the 7th epoch is not done yet, the 6th was not better
    assert (traces["loss-best"]["x"], traces["loss-best"]["y"]) == ([5], [0.4])
    assert (traces["accuracy-best"]["x"], traces["accuracy-best"]["y"]) == ([5], [0.9])


def test_the_boundary_stands_where_the_first_phase_ended():
    layout = curve_layout(History().add(two_phase_run(head=4, fine_tune=3)))
    assert {(shape["x0"], shape["x1"]) for shape in layout["shapes"]} == {(4, 4)}
    assert {label["text"].strip() for label in layout["annotations"]} == {"feature extraction", "fine-tuning"}


def test_one_phase_has_no_boundary():
    layout = curve_layout(History().add([phase("head", 1, 5), epoch(1)]))
    assert layout["shapes"] == []
    assert layout["annotations"] == []


def test_the_traces_are_always_the_same_in_the_same_order():
    empty, full = curve_traces(History()), curve_traces(History().add(two_phase_run()))
    assert [trace["uid"] for trace in empty] == [trace["uid"] for trace in full]
    assert all(trace["x"] == [] for trace in empty)


def test_a_long_run_keeps_to_the_limits_and_loses_no_spike():
    payload = curves_payload(long_run(), revision="run")
    assert sum(len(trace["x"]) for trace in payload["traces"]) <= MAX_POINTS
    assert len(json.dumps(payload)) < 200_000
    batches = next(trace for trace in payload["traces"] if trace["uid"] == "loss-batch")
    assert 99.0 in batches["y"]
    assert batches["x"][-1] == LONG_RUN_EPOCHS
    assert len(payload["rows"]) == LONG_RUN_EPOCHS


def test_missing_values_are_gaps_and_not_zeros():
    traces = traces_of(History().add([phase("head", 1, 3), epoch(1, val_loss=None), epoch(2, val_loss=0.5)]))
    assert traces["loss-validation"]["y"] == [None, 0.5]


@pytest.mark.parametrize(("position", "planned", "upper"), [(1, 100, 1), (4, 100, 5), (6, 7, 7), (6, 100, 8)])
def test_the_epoch_axis_grows_in_steps(position, planned, upper):
    history = History().add([phase("head", 1, planned), *(epoch(number) for number in range(1, position + 1))])
    assert curve_layout(history)["xaxis"]["autorangeoptions"]["include"] == [0, upper]


def test_a_finished_run_fills_the_axis():
    history = History().add([phase("head", 1, 100), *(epoch(number) for number in range(1, 7)), end()])
    assert curve_layout(history)["xaxis2"]["autorangeoptions"]["include"] == [0, 6]


def test_plotly_accepts_the_figure():
    history = History().add(two_phase_run())
    figure = go.Figure(data=curve_traces(history), layout=curve_layout(history))
    assert len(figure.data) == 8


def test_the_description_names_what_the_chart_shows():
    text = describe_curves(History().add(two_phase_run()))
    assert "epochs 1 to 7" in text
    assert "validation accuracy rose from 50.0% to 92.9%" in text
    assert "validation loss fell from 2 to 0.286" in text
    assert "epoch that is kept so far is 7" in text
    assert "From epoch 5 on it is fine-tuning" in text


def test_the_description_of_nothing_says_so():
    assert "no epoch is finished" in describe_curves(History().add([batch(1, 1)]))


def sparse_run(epochs=30, every=7):
    """Fast epochs on cached features: one batch is written in every seventh, then a slow phase follows."""
    events = [phase("head", 1, epochs)]
    for number in range(1, epochs + 1):
        events += [batch(number, 5, accuracy=number / epochs)] if number % every == 0 else []
        events.append(epoch(number, accuracy=0.97))
    events.append(phase("fine_tune", epochs + 1, 2))
    for number in (epochs + 1, epochs + 2):
        events += [batch(number, place, accuracy=0.9 + place / 100) for place in range(1, 11)]
        events.append(epoch(number, accuracy=0.955))
    return History().add(events)


def test_batches_are_drawn_where_there_are_enough_to_agree_with_their_epoch():
    history = sparse_run()
    drawn = traces_of(history)["accuracy-batch"]
    assert min(drawn["x"]) > 30
    of_epoch = [y for x, y in zip(drawn["x"], drawn["y"], strict=True) if 30 < x <= 31]
    assert sum(of_epoch) / len(of_epoch) == pytest.approx(history.epochs[31]["accuracy"], abs=0.01)


def test_between_two_stretches_of_batches_there_is_a_gap():
    dense = [batch(1, place) for place in range(1, 11)]
    history = History().add([phase("head", 1, 3), *dense, epoch(1), batch(2, 5), epoch(2)])
    history.add([*(batch(3, place) for place in range(1, 6))])
    drawn = traces_of(history)["loss-batch"]
    assert None in drawn["y"]
    assert 1.5 not in drawn["x"]


def test_the_first_epoch_is_drawn_from_its_first_batch_on():
    assert traces_of(History().add([phase("head", 1, 3), batch(1, 1)]))["loss-batch"]["x"] == [0.1]


def test_the_star_says_which_epoch_is_kept_and_why():
    assert traces_of(History().add(two_phase_run()))["loss-best"]["name"] == "Kept: epoch 7 (lowest loss)"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_line_of_the_batches_is_seen_on_both_grounds(mode):
    page = THEME[mode]["backgroundColor"]
    assert contrast(blended(TRAINING, page, BATCH_OPACITY), page) >= 3
