"""Comparing runs on the Runs page, driven without a browser."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.ui.pages_without_browser import open_page, press, texts
from tests.ui.trained_runs import ended_run
from tl_core.config import HeadConfig, TrainingConfig
from tl_core.runs import list_runs
from tl_core.runs.comparison import (
    RESULTS,
    best_places,
    changes_between,
    differing_settings,
    most_similar_earlier,
)
from tl_core.storage.files import write_json
from ui.runs_page.colors import run_colors

PAGE = "pages/3_Runs.py"
PLAIN = TrainingConfig()
CHANGED = replace(PLAIN, learning_rate=1e-4, batch_size=8)


@pytest.fixture
def runs(workspace, dataset):
    first = ended_run(workspace, dataset, "Plain", accuracy=0.8, config=PLAIN)
    second = ended_run(workspace, dataset, "Changed", accuracy=0.9, config=CHANGED)
    write_json(second.folder.metrics_file, {"test": {"accuracy": 0.85}})
    first.folder.metrics_file.write_text("damaged")
    ended_run(workspace, dataset, "Nothing kept", status="stopped", model=False)
    return first, second


def chart(at):
    (part,) = [part for part in at.get("bidi_component") if "live_chart" in part.proto.component_name]
    return json.loads(part.proto.json)


def test_only_what_differs_is_listed(runs):
    assert differing_settings(runs) == {"Learning rate": ["0.002", "0.0001"], "Batch size": ["32", "8"]}
    deeper = replace(runs[0], config=replace(PLAIN, frozen_layers=100, fine_tune_epochs=5))
    rows = differing_settings([runs[0], deeper])
    assert rows["Epochs, fine-tuning"] == ["–", "5"]
    other_data = replace(runs[0], dataset_name="Cats", config=replace(PLAIN, head=HeadConfig(dense_units=(8,))))
    assert differing_settings([runs[0], other_data])["Dataset"] == ["Pets", "Cats"]
    assert differing_settings([runs[0], runs[0]]) == {}


def test_from_the_list_to_the_comparison_to_the_form(runs):
    at = press(open_page(PAGE), "Compare")
    assert at.query_params["compare"] == ",".join(run.id for run in reversed(runs))
    assert {trace["name"] for trace in chart(at)["traces"] if trace["showlegend"]} == {"Plain", "Changed"}
    table = at.dataframe[0].value
    assert list(table.columns) == ["Changed", "Plain"]
    assert table.loc["Validation accuracy"].tolist() == ["90.0 % · best", "80.0 %"]
    assert table.loc["Test accuracy"].tolist() == ["85.0 %", "–"]
    assert table.loc["Batch size"].tolist() == ["8", "32"]
    at = press(at, "Train again")
    assert at.session_state["train_draft"].config() == CHANGED  # of the better one
    assert at.session_state["train_draft"].dataset_id == runs[0].dataset_id


def test_a_link_opens_the_same_comparison_and_forgives_what_is_gone(runs):
    at = open_page(PAGE, compare=f"{runs[0].id},{runs[1].id},gone-{'0' * 32}")
    assert "1 of the runs of this link no longer exist" in texts(at)
    at.radio[0].set_value("time").run()
    assert chart(at)["layout"]["xaxis"]["title"]["text"].startswith("Seconds")
    at.multiselect[0].set_value([runs[0].id]).run()
    assert at.query_params["compare"] == runs[0].id
    assert "at least two runs" in texts(at)
    assert "compare" not in press(at, "All runs").query_params


def test_without_two_runs_there_is_nothing_to_compare(workspace, dataset):
    ended_run(workspace, dataset, "Alone")
    assert "Compare" not in [button.label for button in open_page(PAGE).button]


def test_what_was_changed_against_the_most_similar_earlier_run(runs, workspace, dataset):
    first, second = runs
    assert changes_between(PLAIN, CHANGED) == ["Learning rate 0.002 → 0.0001", "Batch size 32 → 8"]
    assert changes_between(PLAIN, CHANGED, longest=25) == ["Learning rate → 0.0001", "Batch size 32 → 8"]
    third = ended_run(workspace, dataset, "Third", config=replace(CHANGED, batch_size=16))
    everything = list_runs(workspace)
    assert most_similar_earlier(third, everything).id == second.id
    assert most_similar_earlier(first, everything) is None
    rows = open_page(PAGE).dataframe[0].value.set_index("run")
    assert rows.loc["Third", "changed"] == "Batch size 8 → 16"
    assert rows.loc["Plain", "changed"] == "first on these images"
    assert rows.loc["Changed", "test"] == pytest.approx(85)


def test_nothing_is_marked_where_all_are_equal():
    (accuracy,) = [result for result in RESULTS if result.name == "val_accuracy"]
    (loss,) = [result for result in RESULTS if result.name == "val_loss"]
    assert best_places(accuracy, [0.8, 0.9, None, 0.9]) == {1, 3}
    assert best_places(loss, [0.8, 0.9]) == {0}
    assert best_places(loss, [0.8, 0.8, None]) == set()


def test_ticked_runs_have_a_colour_their_curves_and_what_differs(runs):
    at = open_page(PAGE)
    at.session_state["runs-table-ticked"] = [run.id for run in runs]
    at.run()
    empty, *colours = at.dataframe[0].value["dot"]
    assert len({empty, *colours}) == 3
    assert len(empty) < min(map(len, colours)), "nothing is drawn in it"
    assert {trace["name"] for trace in chart(at)["traces"] if trace["showlegend"]} == {"Plain", "Changed"}
    assert at.dataframe[1].value.loc["Batch size"].tolist() == ["32", "8"]
    shown = colours_of(at)
    at = press(at, "Compare these 2")
    assert at.query_params["compare"] == ",".join(run.id for run in runs)
    assert colours_of(at) == shown


def colours_of(at):
    return {trace["name"]: trace["line"]["color"] for trace in chart(at)["traces"] if trace["showlegend"]}


def test_a_run_keeps_its_colour_whatever_is_shown_beside_it(runs):
    plain, changed = runs
    colour = run_colors([plain, changed], runs)
    assert len(set(colour.values())) == 2
    for shown in ([plain], [changed], [changed, plain]):
        assert run_colors(shown, runs) == {run.id: colour[run.id] for run in shown}
    many = [replace(plain, id=f"run-{n}", created=f"2026-01-{n + 1:02}T00:00:00+00:00") for n in range(9)]
    assert len(set(run_colors([many[0], many[8]], many).values())) == 2, "the ninth would have that of the first"


def test_without_a_tick_there_are_no_curves_and_no_colours(runs):
    at = open_page(PAGE)
    assert at.dataframe[0].value["dot"].nunique() == 1
    assert not [part for part in at.get("bidi_component") if "live_chart" in part.proto.component_name]


def test_one_ticked_run_has_its_actions_in_one_bar(runs):
    at = open_page(PAGE)
    at.session_state["runs-table-ticked"] = [runs[1].id]
    at.run()
    assert {"Open", "Predict", "Evaluate", "Train again"} <= {button.label for button in at.button}
    at = press(at, "Train again")
    form = at.session_state["train_draft"]
    assert (form.config(), form.parent) == (CHANGED, runs[1].id)
