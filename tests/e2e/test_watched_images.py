"""Watched images in a real browser: their lines grow in place."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.tl_core.figures.run_events import epoch, phase
from tests.ui.pages_without_browser import pictures
from tl_core.config import TrainingConfig
from tl_core.data import import_uploads
from tl_core.runs import EventLog, create_run, update_run
from tl_core.runs.store import now, this_process
from tl_core.runs.watched_images import save_watched_images, watch_dataset_image

pytestmark = pytest.mark.e2e


@pytest.mark.slow
def test_the_lines_grow_in_place(page, app):
    dataset = import_uploads(app.workspace.ensure(), pictures(each=4), "Pets")
    run = create_run(app.workspace, TrainingConfig(), dataset, "Watched")
    save_watched_images(run.folder, [watch_dataset_image(dataset, record) for record in dataset.images[:3]])
    update_run(run.path, status="running", started=now(), owner=this_process())
    with EventLog(run.folder.events_file) as writer:
        writer.write(**phase("head", 1, 4))
        page.goto(app.at("Train", run=run.id))
        expect(page.get_by_text("No answer yet").first).to_be_visible()
        panel = page.locator(".watched").element_handle()
        for number in (1, 2, 3):
            writer.write(**epoch(number, val_loss=1 / number))
            writer.write("pinned", epoch=number, probabilities=[[0.2 * number, 1 - 0.2 * number]] * 3)
            page.wait_for_function(f"panel => panel.dataset.epochs === '{number}'", arg=panel, polling=200)
        assert panel.evaluate("panel => panel.isConnected")
        assert panel.evaluate("panel => panel.querySelectorAll('.line').length") == 6
        assert panel.evaluate("panel => panel.querySelector('.line').getAttribute('d')").count("L") == 2
        expect(page.get_by_text("cat · 60.0 %").first).to_be_visible()
    update_run(run.path, status="done", finished=now())
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert panel.evaluate("panel => panel.isConnected")
