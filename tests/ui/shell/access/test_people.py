"""Where people log in, each sees and changes their own runs, datasets and models, and what is shared with all."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
import streamlit as st

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tests.ui.pages_without_browser import ROOT, checked, open_page, press, texts
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.data import list_datasets, rename_dataset
from tl_core.runs import list_runs
from tl_core.storage.ownership import belonging, person_id, share
from ui.data_page.imports import IMPORTS, start_import

ADA, EVE = "ada@example.org", "eve@example.org"
CHANGING = {"Star", "Unstar", "Save the name", "Delete for good", "Rename", "Delete it", "Train 5 more epochs"}


@pytest.fixture
def visit(monkeypatch, user):
    """``visit(EVE)``: from now on, she is the one who opens pages."""
    monkeypatch.setenv("TL_ALLOWED_EMAILS", f"{ADA} {EVE}")

    def become(email, **claims):
        user({"is_logged_in": True, "email": email, **claims})

    return become


@pytest.fixture
def hers(workspace):
    """A dataset and a run of Ada's."""
    room = replace(workspace, person=person_id(workspace, ADA))
    dataset = rename_dataset(room, colour_dataset(room).id, "Ada's pictures")
    return dataset, ended_run(room, dataset, "Ada's run")


def everything(at):
    return texts(at) + repr(at.main) + repr(at.sidebar)


def entries(dataset, run):
    """Every page, and every address that could name a thing of hers."""
    yield from ((page, {}) for page in (None, *sorted(path.name for path in (ROOT / "pages").glob("*.py"))))
    yield "1_Data.py", {"dataset": dataset.id}
    yield "2_Train.py", {"dataset": dataset.id}
    yield "2_Train.py", {"like": run.id}
    yield "2_Train.py", {"run": run.id}
    yield "3_Runs.py", {"run": run.id}
    yield "3_Runs.py", {"compare": run.id}
    yield "4_Evaluate.py", {"run": run.id}
    yield "5_Predict.py", {"run": run.id}


def visible(at, dataset, run):
    shown = everything(at)
    # What an address itself says is no secret to who typed it; names and everything else are.
    return [text for text in (dataset.name, run.name) if text in shown]


def test_nothing_of_hers_is_seen_by_another_on_any_page_by_any_address(hers, visit):
    seen_by_her = 0
    for page, query in entries(*hers):
        path = page and f"pages/{page}"
        visit(ADA)
        seen_by_her += bool(visible(open_page(path, **query), *hers))
        visit(EVE)
        at = open_page(path, **query)
        assert visible(at, *hers) == [], (page, query)
    assert seen_by_her >= 10, "the test looks where she herself sees something"


@pytest.mark.parametrize(("page", "query"), [("2_Train.py", "run"), ("3_Runs.py", "run"), ("2_Train.py", "like")])
def test_a_link_to_what_is_not_shared_explains_how_to_get_it(hers, visit, page, query):
    visit(EVE)
    at = open_page(f"pages/{page}", **{query: hers[1].id})
    assert "somebody else's: ask them to switch on" in at.error[0].value


@pytest.mark.parametrize("has_her_own", [False, True])
def test_a_link_to_a_dataset_that_is_not_shared_explains_how_to_get_it(workspace, hers, visit, has_her_own):
    if has_her_own:
        colour_dataset(replace(workspace, person=person_id(workspace, EVE)))
    visit(EVE)
    at = open_page("pages/1_Data.py", dataset=hers[0].id)
    assert "somebody else's: ask them to switch on" in at.warning[0].value
    visit(ADA)
    assert not open_page("pages/1_Data.py", dataset=hers[0].id).warning


def test_every_page_shows_who_is_logged_in_with_a_logout(visit, workspace):
    assert "Log out" not in labels(open_page().sidebar), "nobody logs in here"
    visit(ADA)
    for page in (None, *sorted((ROOT / "pages").glob("*.py"))):
        sidebar = open_page(page and f"pages/{page.name}").sidebar
        assert "Log out" in labels(sidebar)
        assert ADA in [text.value for text in sidebar.text]


def labels(part):
    return [button.label for button in part.button]


def test_what_is_shared_can_be_used_and_not_changed(workspace, hers, visit):
    dataset, run = hers
    visit(ADA)
    at = open_page("pages/3_Runs.py", run=run.id)
    assert CHANGING & {button.label for button in at.button}
    (switch,) = [toggle for toggle in at.toggle if toggle.label == "Everybody invited may see it"]
    assert not switch.value
    checked(switch.set_value(True).run())
    assert belonging(run.path).shared
    visit(EVE)
    at = open_page("pages/3_Runs.py", run=run.id)
    assert run.name in everything(at)
    assert "only they can change it" in texts(at)
    assert not CHANGING & {button.label for button in at.button}
    assert not at.text_area, "notes are hers"
    assert not at.toggle
    assert run.name in everything(open_page("pages/5_Predict.py"))
    assert dataset.name not in everything(open_page("pages/1_Data.py")), "the dataset is not shared by itself"


def test_a_shared_run_is_trained_again_on_other_images_where_its_own_are_not_shared(workspace, hers, visit):
    share(replace(workspace, person=person_id(workspace, ADA)), hers[1].path, True)
    colour_dataset(replace(workspace, person=person_id(workspace, EVE)))
    visit(EVE)
    at = open_page("pages/2_Train.py", like=hers[1].id)
    assert "somebody else's who does not share them" in at.warning[0].value
    assert hers[0].name not in everything(at)


def test_a_visitor_cannot_change_when_a_shared_model_answers(workspace, hers, visit):
    run = hers[1]
    for thing in hers:
        share(replace(workspace, person=person_id(workspace, ADA)), thing.path, True)
    visit(ADA)
    assert labels(open_page("pages/4_Evaluate.py", run=run.id)).count("Keep this for the model") == 1
    visit(EVE)
    at = open_page("pages/4_Evaluate.py", run=run.id)
    assert "Kept so far: it answers however unsure it is" in texts(at)
    assert not {"Keep this for the model", "Always answer"} & set(labels(at))


def test_a_shared_dataset_can_be_trained_on(workspace, hers, visit):
    dataset, _ = hers
    share(replace(workspace, person=person_id(workspace, ADA)), dataset.path, True)
    visit(EVE)
    at = open_page("pages/1_Data.py", dataset=dataset.id)
    assert dataset.name in everything(at)
    assert not CHANGING & {button.label for button in at.button}
    press(at, "Train on these images")


def test_what_is_imported_belongs_to_who_imported_it_and_others_do_not_see_it_coming(workspace, visit):
    ada, eve = (replace(workspace, person=person_id(workspace, email)) for email in (ADA, EVE))
    task = start_import(ada, "Ada's zip", lambda task: import_coloured(ada, COLOURS))
    while not IMPORTS.find(task).ended:
        visit(EVE)
        assert "Ada's zip" not in everything(open_page("pages/1_Data.py"))
    assert IMPORTS.find(task).state == "done"
    assert len(list_datasets(ada)) == 1
    assert list_datasets(eve) == list_runs(eve) == []


def test_without_a_login_all_is_everybodys(workspace, hers):
    at = open_page("pages/3_Runs.py", run=hers[1].id)
    assert hers[1].name in everything(at)
    assert not at.toggle


def test_home_shows_who_sees_what(workspace, visit):
    visit(ADA)
    assert "You see your own datasets and runs, and those that others have shared." in texts(open_page())


def test_a_page_that_refreshes_itself_asks_to_log_in_once_the_login_is_over(workspace, hers, visit, monkeypatch):
    visit(ADA, exp=time.time() + 1000)
    at = open_page("pages/3_Runs.py")
    assert hers[1].name in everything(at)
    left = at.session_state["access-expires"]
    monkeypatch.setattr(st, "user", {"is_logged_in": True, "email": ADA, "exp": left - 5000})
    at.session_state["access-expires"] = time.time() - 1  # the clock of the fragment
    at.run()
    assert "Your login has run out" in at.info[0].value
    assert hers[1].name not in everything(at)


def test_no_page_opens_a_folder_whose_owner_was_not_checked():
    """Folders of the workspace are opened by the lists and `find_run`, which look whose it is."""
    opened = [
        found
        for path in [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "ui").rglob("*.py")]
        for found in re.findall(r"\.(?:runs|datasets|models) / [\w.]+", path.read_text("utf-8"))
    ]
    assert set(opened) == {".datasets / run.dataset_id"}, "of a run that may be seen"
