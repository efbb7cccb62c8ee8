"""Comparing runs on the Runs page, driven without a browser."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.ui.pages_without_browser import open_page, press, texts
from tests.ui.trained_runs import ended_run
from tl_core.config import HeadConfig, TrainingConfig
from tl_core.runs.comparison import differing_settings
from tl_core.storage.files import write_json

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
    assert table.loc["Validation accuracy"].tolist() == ["90.0 %", "80.0 %"]
    assert table.loc["Test accuracy"].tolist() == ["85.0 %", "–"]
    assert table.loc["Batch size"].tolist() == ["8", "32"]
    at = press(at, "Clone with a change")
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
    assert press(at, "All runs").query_params == {}


def test_without_two_runs_there_is_nothing_to_compare(workspace, dataset):
    ended_run(workspace, dataset, "Alone")
    assert "Compare" not in [button.label for button in open_page(PAGE).button]
