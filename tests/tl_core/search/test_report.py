"""The report of a search: one file, whole by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tl_core.command_line import main
from tl_core.config.presets import PRESETS
from tl_core.errors import NotEnoughDataError
from tl_core.runs import EventLog
from tl_core.search.history import Trial, read_history
from tl_core.search.record import create_search, update_search
from tl_core.search.report import write_report
from tl_core.search.space import SOURCES, dimensions, quick_start_params

QUICK_START = quick_start_params(dimensions(SOURCES, unbalanced=False))
FAST = Trial(0, QUICK_START, "complete", 0.8, 0.3, 0.8, (), 1.0, 2.0)
LEADER = replace(FAST, number=1, params={**QUICK_START, "source": SOURCES[1].name}, accuracy=0.9, score=0.9)
RECIPE = PRESETS["mobilenet_quick"]
WHOLE = Trial(
    2, {}, "pruned", 0.7, 0.6, 0.7, (), 30.0, 32.0, title=RECIPE.title, config=RECIPE.config.to_file()
)  # fmt: skip


@pytest.fixture
def search(workspace, dataset):
    made = create_search(workspace, dataset, 2, recipes=True)
    with EventLog(made.events_file) as events:
        for trial in (FAST, LEADER, WHOLE):
            events.write("trial", **trial.to_event())
        events.write("left_out", title="Xception", why="Its weights are not here.")
    outcome = {"text": "It is *better*.", "test": 0.91, "importances": {"source": 0.7, "dropout": 0.3}}
    return update_search(made.path, status="done", outcome=outcome)


def test_a_whole_training_is_a_trial_that_outlives_the_search(search):
    history = read_history(search)
    assert history.trials == [FAST, LEADER, WHOLE]
    assert history.leader == LEADER
    assert history.trials[2].settings(1) == RECIPE.config
    assert history.left_out == {"Xception": "Its weights are not here."}
    old = {name: value for name, value in FAST.to_event().items() if name not in ("title", "config")}
    assert Trial.from_event(old) == FAST, "as it was written before there were whole trainings"


def test_the_report_has_everything_in_one_file(search, workspace, tmp_path, monkeypatch, capsys):
    page = write_report(search).decode()
    for words in (
        "It is better.",
        "91.0 % right",
        "What mattered",
        RECIPE.title,
        "Its weights are not here.",
        "leads",
    ):
        assert words in page
    assert page.count('class="plotly-graph-div"') == 3
    assert "prefers-color-scheme: dark" in page
    assert "<script src" not in page
    assert "default-src &#x27;none&#x27;" in page
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    assert main(["search", "--report-of", search.id, "--report", str(tmp_path / "found.html")]) == 0
    assert (tmp_path / "found.html").read_text(encoding="utf-8") == page
    assert main(["search", "--report-of", search.id]) == 2
    assert "--report" in capsys.readouterr().err


def test_there_is_no_report_of_nothing(workspace, dataset):
    with pytest.raises(NotEnoughDataError, match="nothing yet"):
        write_report(create_search(workspace, dataset, 2))
