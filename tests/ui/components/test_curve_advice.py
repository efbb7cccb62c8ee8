"""What is said under the curves, and the form it opens."""

from __future__ import annotations

import pytest

from tests.tl_core.advice.test_curve_rules import curves
from tests.tl_core.figures.run_events import epoch, phase
from tests.ui.pages_without_browser import open_page, press, texts
from tl_core.advice.curve_rules import remark_on
from tl_core.config import TrainingConfig
from tl_core.runs import EventLog, create_run, update_run
from tl_core.runs.store import now

OVERFIT = "over-fitting; the kept model is epoch 3"


@pytest.fixture
def overfitted(workspace, dataset):
    run = create_run(workspace, TrainingConfig(epochs=20, seed=11), dataset, "Learned by heart")
    losses = [1.0, 0.6, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65]
    with EventLog(run.folder.events_file) as events:
        events.write(**phase("head", 1, 8))
        for number, val_loss in enumerate(losses, start=1):
            events.write(**epoch(number, loss=1.0 / number, val_loss=val_loss, val_accuracy=0.8, best=number <= 3))
        events.write("end", status="stopped", text="Stopped")
    return update_run(run.path, status="stopped", started=now(), finished=now())


@pytest.mark.parametrize("page", ["pages/2_Train.py", "pages/3_Runs.py"])
def test_a_remark_leads_to_the_form_with_the_change(overfitted, page):
    at = open_page(page, run=overfitted.id)
    assert OVERFIT in texts(at).replace("\\", "")
    at = press(at, "Try augmentation")
    assert "run" not in at.query_params
    draft = at.session_state["train_draft"]
    config = draft.config()
    assert config.augmentation.enabled
    assert (config.seed, config.epochs) == (11, 20)
    assert draft.dataset_id == overfitted.dataset_id


def test_a_remark_leads_to_the_search_for_the_best(overfitted):
    at = press(open_page("pages/3_Runs.py", run=overfitted.id), "Find the best for me")
    assert at.query_params["dataset"] == overfitted.dataset_id
    assert at.session_state["search_panel"]


def test_few_validation_images_lead_to_more_images_and_not_to_other_settings(overfitted, monkeypatch):
    few = remark_on(curves(20, validation_images=12))
    assert few.rule == "few validation images"
    monkeypatch.setattr("ui.components.run.run_panel.remark_on", lambda _: few)
    at = open_page("pages/3_Runs.py", run=overfitted.id)
    assert "Find the best for me" not in [button.label for button in at.button]
    at = press(at, "Add images")
    assert at.query_params["dataset"] == overfitted.dataset_id


def test_a_good_run_is_left_in_peace(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset, "Fine")
    with EventLog(run.folder.events_file) as events:
        events.write(**phase("head", 1, 2))
        for number in (1, 2):
            events.write(**epoch(number, loss=0.1, val_loss=0.1, val_accuracy=0.9, best=True))
        events.write("end", status="done", text="Done")
    update_run(run.path, status="done", started=now(), finished=now())
    at = open_page("pages/3_Runs.py", run=run.id)
    assert ":material/school:" not in texts(at)
