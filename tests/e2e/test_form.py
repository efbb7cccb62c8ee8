"""The training form in a real browser, used faster than it is drawn."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.application import DESKTOP
from tests.ui.pages_without_browser import pictures
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.data import import_uploads

pytestmark = pytest.mark.e2e


@pytest.mark.slow
def test_a_quick_hand_changes_what_it_touches_and_nothing_else(browser, app):
    """Each touch cuts the drawing of the last one short."""
    import_uploads(app.workspace.ensure(), pictures(each=4), "Pets")
    for _ in range(2):  # without care for it, most of these attempts came out with all settings at their lowest
        context = browser.new_context(viewport=DESKTOP)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(app.at("Train"))
        page.get_by_text("More options").click()
        page.get_by_role("tab", name="Image and machine").click()
        seed = page.get_by_role("spinbutton", name="Seed")
        seed.fill("5")
        seed.press("Enter")
        expect(page.get_by_text(re.compile("Changed: Seed"))).to_be_visible()
        epochs = str(PRESETS[DEFAULT_PRESET].config.epochs)
        expect(page.get_by_role("spinbutton", name="Epochs", exact=True)).to_have_value(epochs)
        context.close()
