"""One current dataset and one current model, on all pages, in links and after a reload."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import checked, open_page
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.data import delete_dataset, rename_dataset
from tl_core.search.record import create_search
from ui.state.current import Choice, decide

DATA, TRAIN, EVALUATE, PREDICT = "pages/1_Data.py", "pages/2_Train.py", "pages/4_Evaluate.py", "pages/5_Predict.py"


@pytest.fixture
def two(workspace):
    """Two datasets with a run each; the second is the newer one."""
    first, second = (colour_dataset(workspace) for _ in range(2))
    rename_dataset(workspace, first.id, "First")
    runs = [ended_run(workspace, dataset, name) for dataset, name in ((first, "Old"), (second, "New"))]
    return (first, second), runs


def shown(at):
    return at.selectbox(key="frame-dataset").value, at.selectbox(key="frame-model").value


def test_at_first_it_is_what_was_worked_with_last(two):
    (_, second), (_, new) = two
    for page in (None, DATA, TRAIN, EVALUATE, PREDICT):
        assert shown(open_page(page)) == (second.id, new.id)


@pytest.mark.parametrize("page", [TRAIN, EVALUATE, PREDICT])
def test_the_dataset_chosen_on_data_is_the_one_on_every_page(two, page):
    (first, _), (old, _) = two
    at = open_page(DATA)
    checked(at.selectbox(key="frame-dataset").set_value(first.id).run())
    assert shown(at) == (first.id, old.id)
    at.switch_page(page)
    at.query_params.clear()
    assert shown(checked(at.run())) == (first.id, old.id)
    assert first.id in at.query_params["dataset"]


def test_the_address_of_one_tab_shows_the_same_in_another(two):
    (first, _), (old, _) = two
    at = open_page(TRAIN, dataset=first.id)
    other = open_page(TRAIN, **{name: at.query_params[name] for name in ("dataset", "current")})
    assert shown(other) == (first.id, old.id)
    assert other.selectbox(key="frame-dataset").value == first.id


def test_a_model_brings_the_images_that_it_has_learned_from(two):
    (first, _), (old, _) = two
    at = open_page(PREDICT)
    checked(at.selectbox(key="frame-model").set_value(old.id).run())
    assert shown(at) == (first.id, old.id)
    assert at.query_params["run"] == old.id


def test_another_dataset_on_a_page_with_an_opened_run_leaves_the_run(two):
    (first, _), (_, new) = two
    at = open_page(TRAIN, run=new.id)
    checked(at.selectbox(key="frame-dataset").set_value(first.id).run())
    assert at.selectbox(key="frame-dataset").value == first.id
    assert "run" not in at.query_params


def test_a_search_brings_its_images_and_another_dataset_leaves_it(two, workspace):
    first, second = two[0]
    at = open_page(TRAIN, search=create_search(workspace, first, 1.0).id)
    assert at.selectbox(key="frame-dataset").value == first.id
    checked(at.selectbox(key="frame-dataset").set_value(second.id).run())
    assert "search" not in at.query_params
    assert at.selectbox(key="frame-dataset").value == second.id


def test_images_that_no_model_has_learned_from_have_none(two, workspace):
    untouched = colour_dataset(workspace)
    at = open_page(EVALUATE, dataset=untouched.id)
    assert shown(at) == (untouched.id, "")
    assert "No model has learned from these images" in at.markdown[-1].value
    assert "Train a model" in [button.label for button in at.button]

    (take,) = [button for button in at.button if button.label.startswith("New: ")]
    assert take.label == "New: 90.0 % of the validation images right"
    at = checked(take.click().run())
    assert shown(at) == (two[0][1].id, two[1][1].id)


def test_a_model_whose_images_were_deleted_is_not_paired_with_others(two, workspace):
    (first, second), (old, _) = two
    delete_dataset(workspace, first.id)
    at = open_page(PREDICT, run=old.id)
    assert shown(at) == ("", old.id)
    at.switch_page(TRAIN)
    at.query_params.clear()
    assert checked(at.run()).selectbox(key="frame-dataset").value == second.id


def test_what_is_gone_is_not_chosen():
    assert decide({"dataset": "gone", "run": "gone"}, Choice("gone", "gone"), [], []) == Choice()
