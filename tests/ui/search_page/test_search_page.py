"""*Find the best for me* as a person uses it, driven without a browser."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ui.pages_without_browser import checked, open_page, press, texts
from tl_core.config.presets import PRESETS
from tl_core.runs import EventLog
from tl_core.runs.store import now
from tl_core.search.history import Trial
from tl_core.search.record import create_search, list_searches, load_search, stop_requested, update_search
from tl_core.search.sources.downloads import to_download
from tl_core.search.space import SOURCES, dimensions, quick_start_params
from tl_core.search.verdict import describe, judge
from ui.search_page import begin, view

PAGE = "pages/2_Train.py"
QUICK_START = quick_start_params(dimensions(SOURCES, unbalanced=False))


def trial(number: int, accuracy: float, state: str = "complete", **changes) -> Trial:
    right = np.packbits(np.arange(100) < 100 * accuracy).tobytes().hex()
    return Trial(
        number=number,
        params={**QUICK_START, **changes},
        state=state,
        accuracy=accuracy,
        loss=0.3,
        score=accuracy,
        steps=((3, accuracy),),
        seconds=1.5,
        elapsed=10.0 * (number + 1),
        right=right,
    )


TRIALS = [
    trial(0, 0.80),
    trial(1, 0.95, source=SOURCES[2].name, dropout=0.45),
    trial(2, 0.60, "pruned", units=0),
    trial(3, 0.949, source=SOURCES[2].name, blocks=3, pooling="both"),
]


@pytest.fixture
def started(monkeypatch):
    """The searches whose process was started, which here it is not."""
    found = []
    monkeypatch.setattr(begin, "start_search", found.append)
    monkeypatch.setattr(view, "start_search", found.append)
    return found


@pytest.fixture
def search(workspace, dataset):
    """One at work that has tried a few heads."""
    made = update_search(create_search(workspace, dataset, 2).path, status="running")
    with EventLog(made.events_file) as events:
        events.write("plan", sources=[source.name for source in SOURCES[:3]], seconds=120)
        for one in TRIALS:
            events.write("trial", **one.to_event())
    return made


def finish(search, **changes):
    complete = [one for one in TRIALS if one.state == "complete"]
    verdict = judge([one.rightly(100) for one in complete], 0, 1)
    outcome = {
        **verdict.to_dict(),
        "text": describe(verdict),
        "trial": 1,
        "test": 0.91,
        "importances": {"source": 0.7},
        **changes,
    }
    return update_search(search.path, status="done", finished=now(), outcome=outcome)


def test_the_form_begins_a_search_and_shows_it(workspace, dataset, started):
    at = open_page(PAGE)
    at.radio(key="search_minutes").set_value(10.0).run()
    at.checkbox(key="search_recipes").check().run()
    press(at, "Search")
    (made,) = list_searches(workspace)
    assert [search.id for search in started] == [made.id]
    assert (made.minutes, made.goal, made.dataset_id) == (10.0, "accuracy", dataset.id)
    assert made.recipes
    assert not made.downloads, "not without being asked"
    assert made.id in at.query_params["search"]
    assert f"The best model for {dataset.name}" in texts(at)


def test_the_form_names_the_megabytes_that_a_search_may_download(workspace, dataset, started, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    at = open_page(PAGE)
    box = at.checkbox(key="search_downloads")
    assert box.label == "Also download other backbones, 182 MB at most"
    assert "EfficientNetV2B0 24 MB" in box.help
    box.check().run()
    press(at, "Search")
    (made,) = list_searches(workspace)
    assert made.downloads


def test_where_all_weights_are_here_nobody_is_asked(workspace, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for backbone in to_download(workspace):
        (workspace.weights / backbone.weights_file).touch()
    assert "search_downloads" not in [box.key for box in open_page(PAGE).checkbox]


def test_a_download_is_told_while_it_is_on_its_way(search):
    with EventLog(search.events_file) as events:
        events.write("download", text="Downloading EfficientNetV2B0: 12 of 24 MB")
    shown = texts(open_page(PAGE, search=search.id)).replace("\\", "")
    assert "Downloading EfficientNetV2B0: 12 of 24 MB" in shown
    with EventLog(search.events_file) as events:
        events.write("download", text="")
    assert "Downloading" not in texts(open_page(PAGE, search=search.id))


def test_the_first_pass_says_how_long_it_takes(workspace, dataset):
    made = update_search(create_search(workspace, dataset, 10).path, status="running")
    with EventLog(made.events_file) as events:
        events.write("phase", phase="features", text="Running the frozen layers once over 2,000 images")
        events.write("progress", phase="features", done=200, total=2000, images_per_second=15.0)
    shown = texts(open_page(PAGE, search=made.id))
    assert "at 15 images per second that is about 2 minutes more" in shown


def test_a_search_at_work_shows_what_leads_and_why(search):
    shown = open_page(PAGE, search=search.id)
    assert {metric.label: metric.value for metric in shown.metric} == {
        "Best so far": "95.0 %",
        "Fast, the one to beat": "80.0 %",
        "Models tried": "4",
    }
    assert "EfficientNet-Lite0, 320 px gave 15.0 points" in texts(shown)
    assert "Dropout made no difference" in texts(shown)
    (table,) = shown.dataframe
    assert table.value["Stands"].tolist() == ["leads", "", "", "ended early"]


def test_a_recipe_stands_in_the_table_and_what_was_left_out_below(search):
    recipe = PRESETS["mobilenet_quick"]
    tried = Trial(
        4, {}, "complete", 0.97, 0.2, 0.97, (), 9.0, 60.0, title=recipe.title, config=recipe.config.to_file()
    )
    with EventLog(search.events_file) as events:
        events.write("trial", **tried.to_event())
        events.write("left_out", title="Xception", why="Its weights are not here.")
    shown = open_page(PAGE, search=search.id)
    (table,) = shown.dataframe
    assert table.value["Features"].tolist()[0] == recipe.title
    assert f"It is {recipe.title}." in texts(shown)
    assert "Xception was left out. Its weights are not here" in texts(shown).replace("\\", "")


def test_stopping_asks_the_search_to_stop(search):
    at = press(open_page(PAGE, search=search.id), "Stop")
    assert stop_requested(load_search(search.path))
    assert next(button for button in at.button if button.label == "Stop").disabled


def test_the_end_says_how_much_better_and_how_sure(search):
    finish(search)
    shown = texts(open_page(PAGE, search=search.id))
    assert "It is better than *Fast* by about" in shown
    assert "looked at once, for this model alone: 91.0 % right" in shown
    assert "the backbone and image size (70 %) mattered most" in shown


def test_a_search_that_was_cut_off_can_be_gone_on_with(search, started):
    update_search(search.path, owner=None)
    at = open_page(PAGE, search=search.id)
    assert "cut off" in texts(at)
    press(at, "Search 5 more minutes")
    assert [one.id for one in started] == [search.id]
    assert load_search(search.path).minutes == 7


def test_a_search_that_was_cut_off_can_use_the_minutes_it_has_left(search, started):
    update_search(search.path, owner=None)
    press(open_page(PAGE, search=search.id), "Continue: about 1 minute left")
    assert [one.id for one in started] == [search.id]
    assert load_search(search.path).minutes == 2


def test_a_search_that_was_cut_off_after_its_time_trains_the_best(search, started):
    update_search(search.path, owner=None, minutes=0.1)
    press(open_page(PAGE, search=search.id), "Train the best so far")
    assert [one.id for one in started] == [search.id]


def test_while_fast_leads_it_is_not_called_luck(workspace, dataset):
    made = update_search(create_search(workspace, dataset, 2).path, status="running")
    with EventLog(made.events_file) as events:
        for one in (trial(0, 0.80), trial(1, 0.70, dropout=0.45)):
            events.write("trial", **one.to_event())
    shown = texts(open_page(PAGE, search=made.id))
    assert "*Fast* itself leads so far." in shown
    assert "luck" not in shown


def test_a_search_at_work_is_seen_on_every_page_and_leads_to_itself(search):
    [link] = [link for link in open_page("pages/3_Runs.py").main.page_link if "search" in link.label]
    assert link.label == "**Pets** search · 4 models tried"
    assert f"search={search.id}" in str(link.proto)


def test_the_end_of_a_search_is_told_on_every_page(search):
    at = open_page("pages/3_Runs.py")
    update_search(search.path, status="done")
    checked(at.run())
    assert [toast.value for toast in at.toast] == ["The search **Pets** is ready."]
    [link] = [link for link in at.main.page_link if "search" in link.label]
    assert link.label == "**Pets** search is ready"
    assert f"search={search.id}" in str(link.proto)


def test_a_search_that_still_works_behind_an_older_one_has_not_ended(search, workspace, dataset):
    newer = create_search(workspace, dataset, minutes=1, goal="accuracy")
    update_search(search.path, status="done")
    update_search(newer.path, status="running", owner=load_search(search.path).owner)
    at = open_page("pages/3_Runs.py")
    update_search(search.path, status="running")
    checked(at.run())
    assert not at.toast


def test_the_unfolded_panel_has_the_one_start_button(workspace, dataset):
    at = open_page(PAGE)
    assert "Start training" in [button.label for button in at.button]
    at.session_state["search_panel"] = True
    labels = [button.label for button in checked(at.run()).button]
    assert "Search" in labels
    assert "Start training" not in labels


@pytest.mark.parametrize("way", ["the goals", "a link"])
def test_the_goals_and_a_link_unfold_the_panel(way, workspace, dataset):
    at = open_page(PAGE) if way == "the goals" else open_page(PAGE, dataset=dataset.id, way="search")
    if way == "the goals":
        press(at, "Not sure? Let a search find the best")
    assert at.session_state["search_panel"]
    assert "way" not in at.query_params
    assert "Start training" not in [button.label for button in at.button]


def test_those_that_answer_together_are_told_in_the_table(search):
    finish(search, members=[1, 3], accuracy=0.97)
    at = open_page(PAGE, search=search.id)
    assert {metric.label: metric.value for metric in at.metric}["Best"] == "97.0 %"
    (table,) = at.dataframe
    assert table.value["Stands"].tolist() == ["together", "together", "", "ended early"]


def test_searches_are_listed_on_the_form(search):
    at = press(open_page(PAGE), "Show")
    assert search.id in at.query_params["search"]


def test_a_deleted_search_leads_back_to_the_form(search, workspace):
    finish(search)
    press(open_page(PAGE, search=search.id), "Delete")
    assert list_searches(workspace) == []


def test_a_link_to_nothing_is_answered_in_a_sentence(workspace):
    assert "There is no search of this id" in texts(open_page(PAGE, search="nothing"))
