"""The address of the browser always leads to what is shown."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.ui.pages_without_browser import pictures
from tl_core.config import TrainingConfig
from tl_core.data import import_uploads
from tl_core.runs import create_run, update_run
from ui.shell.navigation import HOME, PAGES

pytestmark = pytest.mark.e2e


def test_no_page_asks_for_what_is_not_there(page, app):
    """Streamlit's program would ask for `/Data/_stcore/health` first, as if `Data` were a folder of the server."""
    missing = []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
    for entry in PAGES:
        page.goto(app.at("" if entry is HOME else entry.title))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Data").click()
    page.wait_for_url(app.at("Data"))
    expect(page.get_by_role("heading", level=1, name="Data")).to_be_visible()
    assert missing == []


def test_from_a_run_the_page_at_the_side_is_opened_anew_and_stays(page, app):
    dataset = import_uploads(app.workspace.ensure(), pictures(each=12), "Pets")
    run = create_run(app.workspace, TrainingConfig(), dataset, "Ended")
    update_run(run.path, status="stopped")
    page.goto(app.at("Train", run=run.id))
    expect(page.get_by_text("This run has ended.")).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Train").click()
    none = page.get_by_role("button", name="None", exact=True)
    expect(none).to_be_visible()
    page.wait_for_url(lambda url: "run=" not in url)
    none.click()
    expect(page.get_by_text("Everything is fine-tuned")).to_be_visible()
    expect(none).to_be_visible()

    page.go_back()
    expect(page.get_by_text("This run has ended.")).to_be_visible()
