"""No page has a serious or critical fault that axe-core can find: names, contrast, alternative texts, structure."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.application import DESKTOP, PHONE, App
from tests.tl_core.small_trainings import COLOURS, Trainer, import_coloured
from tests.ui.trained_runs import colour_dataset, ended_run

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class OfStreamlit:
    """A finding in what Streamlit draws, which this code cannot change."""

    rule: str  # of axe-core
    where: str  # a selector of the element or of one around it
    reason: str


OF_STREAMLIT = (
    OfStreamlit(
        "color-contrast",
        "[data-testid=stWidgetLabel] [aria-hidden=true]",
        "The label of a disabled control is grey, which WCAG allows (1.4.3, inactive components). Streamlit says "
        "that the control is disabled at the control alone, so that axe-core takes its label for an ordinary text.",
    ),
)

USUAL = [("light", "desktop"), ("dark", "phone")]
OTHERS = [("light", "phone"), ("dark", "desktop")]
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}
SETTLED = """() => document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning"
  && !document.querySelector("[data-testid=stSkeleton]")
  && document.getAnimations().every(one => one.playState !== "running" || one.effect.getTiming().iterations > 1)"""
VERDICT = re.compile(r"Right: the dataset says|Wrong: it is|the guess is")  # one epoch may not be enough to be right
FOLDED = "[data-testid=stExpander] details:not([open]) > summary"
FIND = """async (known) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] })
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
  const ofStreamlit = (rule, element) => known.some((one) => one.rule === rule && element?.closest(one.where))
  return grave.flatMap(({ id, nodes }) => nodes
    .filter(({ target }) => !ofStreamlit(id, document.querySelector(target[0])))
    .map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`))
}"""


@pytest.fixture(scope="module")
def addresses(app: App) -> dict[str, tuple[str, str]]:
    """Every page with something on it: name -> address, and a text that it shows once it is drawn."""
    dataset = import_coloured(app.workspace.ensure(), COLOURS)
    run = Trainer(app.workspace)(dataset, epochs=1).record
    other = ended_run(app.workspace, colour_dataset(app.workspace), "Another")
    return {
        "Home": (app.at(), "This machine"),
        "Data": (app.at("Data", dataset=dataset.id), "Images per class"),
        "Train, form": (app.at("Train"), "Phase 1"),
        "Train, run": (app.at("Train", run=run.id), "Try it on a photo"),
        "Runs": (app.at("Runs"), "Search"),
        "Runs, one run": (app.at("Runs", run=run.id), "Export the model"),
        "Runs, compare": (app.at("Runs", compare=f"{run.id},{other.id}"), "What differs"),
        "Evaluate": (app.at("Evaluate", run=run.id), "How to read it"),
        "Predict": (app.at("Predict", run=run.id), "Answers come from"),
    }


def findings(page: Page) -> list[str]:
    """What is wrong with the page as it stands, without what Streamlit answers for."""
    page.wait_for_function(SETTLED)
    page.evaluate(Axe().axe_script)
    found: list[str] = page.evaluate(FIND, [asdict(one) for one in OF_STREAMLIT])
    return found


def unfold(page: Page) -> None:
    """Open all that is folded away."""
    page.wait_for_function(SETTLED)
    while folded := page.locator(FOLDED).filter(visible=True).count():
        page.locator(FOLDED).filter(visible=True).first.click()
        expect(page.locator(FOLDED).filter(visible=True)).to_have_count(folded - 1)
        page.wait_for_function(SETTLED)


def look_at_every_page(browser: Browser, addresses: dict[str, tuple[str, str]], theme: str, screen: str) -> None:
    context = browser.new_context(color_scheme=theme, **SCREENS[screen])  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(60_000)
    found = {}
    for name, (address, text) in addresses.items():
        page.goto(address)
        page.get_by_text(text).filter(visible=True).first.wait_for()
        unfold(page)
        found[name] = findings(page)
        if name == "Predict":
            page.get_by_role("button", name="Try with a test image").click()
            page.get_by_text(VERDICT).first.wait_for()
            found["Predict, answered"] = findings(page)
        if name == "Evaluate":
            page.get_by_role("button", name="Look closer").first.click()
            page.get_by_role("dialog").get_by_role("img", name="what pushed it towards").wait_for()
            found["Evaluate, a closer look"] = findings(page)
    context.close()
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "screen"), USUAL)
def test_every_page_can_be_used_by_everybody(browser, addresses, theme, screen):
    look_at_every_page(browser, addresses, theme, screen)


@pytest.mark.long
@pytest.mark.parametrize(("theme", "screen"), OTHERS)
def test_every_page_can_be_used_by_everybody_in_the_other_themes_and_sizes(browser, addresses, theme, screen):
    look_at_every_page(browser, addresses, theme, screen)


def test_a_fault_would_be_found(page: Page, app: App):
    page.goto(app.at())
    page.get_by_text("This machine").first.wait_for()
    assert findings(page) == []
    page.get_by_test_id("stMainBlockContainer").evaluate(
        """(main) => main.insertAdjacentHTML("beforeend",
          '<button></button><img src="data:,"><p style="color: #bbb; background: #fff">pale</p>')"""
    )
    assert {fault.partition(":")[0] for fault in findings(page)} == {"button-name", "image-alt", "color-contrast"}
