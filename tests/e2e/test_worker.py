"""The process that trains dies while a browser looks at its run: the page says so, and *Resume* goes on."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import serve
from tests.e2e.long_run import epochs_told, training_server, wait_for
from tl_core.runs import find_run, list_runs

pytestmark = pytest.mark.e2e


def test_a_killed_worker_is_a_sentence_and_resume_goes_on(tmp_path: Path, page: Page):
    with training_server(tmp_path) as (app, run):
        page.goto(app.at("Train"))
        page.get_by_role("button", name="Watch it").click()
        page.wait_for_url(re.compile(rf"/Train\?.*run={run.id}"))  # so that a reload shows the same run
        stop = page.get_by_role("button", name="Stop and keep the best")
        expect(stop).to_be_visible()
        told = len(epochs_told(run))
        psutil.Process(find_run(app.workspace, run.id).owner.pid).kill()
        expect(page.get_by_text("ended unexpectedly")).to_be_visible()
        page.get_by_role("button", name="Resume from the last epoch").click()
        expect(stop).to_be_visible()
        wait_for(lambda: len(epochs_told(run)) > told)
        epochs = epochs_told(run)
        assert epochs == list(range(1, len(epochs) + 1))
        stop.click()
        expect(page.locator("strong", has_text="Stopped:")).to_be_visible()  # the line at the top says so as well
        assert "Traceback" not in app.log.read_text(errors="replace")


@pytest.mark.slow
def test_what_waits_is_moved_and_outlives_the_server(tmp_path: Path, page: Page):
    with training_server(tmp_path) as (app, run):
        for _ in range(2):
            page.goto(app.at("Train", like=run.id))
            page.get_by_role("button", name="Start training").click()
            expect(page.get_by_text("Waiting in the queue")).to_be_visible()
        second, third = reversed([found.id for found in list_runs(app.workspace) if found.id != run.id])
        page.goto(app.at("Runs"))
        expect(page.get_by_text("2 trainings wait")).to_be_visible()
        page.get_by_role("button", name="Earlier").nth(1).click()
        expect(page.get_by_role("button", name="Earlier").nth(1)).to_be_enabled()
        wait_for(lambda: place(app, third) < place(app, second))
    with serve(tmp_path, {}) as app:
        wait_for(lambda: find_run(app.workspace, third).status == "running")
        assert find_run(app.workspace, second).status == "queued"
        assert find_run(app.workspace, run.id).status == "interrupted"


def place(app, run_id):
    return find_run(app.workspace, run_id).waiting.place
