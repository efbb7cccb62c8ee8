"""Makes the pictures of the README from the running application: ``python -m tests.e2e.screenshots [FOLDER]``.

Every page is taken light and dark, on a desktop and on a phone, after a real training on a sample set. With no
folder the pictures that the README shows are replaced.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.application import CHROMIUM_ARGUMENTS, DESKTOP, PHONE, REPOSITORY, App, serve
from tests.e2e.browser import find_or_install_browser
from tl_core.data import list_datasets
from tl_core.runs import RunRecord, list_runs

README_FOLDER = REPOSITORY / "docs" / "images"
WAIT_MILLISECONDS = 600_000  # the second training, on a slow machine
SCREENS = {"desktop": DESKTOP, "phone": PHONE}
README_PICTURES = frozenset(
    {
        "home-light-phone",
        "data-light-desktop",
        "data-dark-desktop",
        "form-light-desktop",
        "train-light-desktop",
        "train-dark-desktop",
        "evaluate-light-desktop",
        "predict-light-desktop",
        "compare-light-desktop",
        "closer-light-desktop",
    }
)


def main(folder: Path | None) -> None:
    """Train once, then take every page."""
    target = folder or README_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as temporary,
        serve(Path(temporary), {}) as app,
        sync_playwright() as playwright,
    ):
        program = find_or_install_browser()
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_ARGUMENTS))
        run = train(app, browser)
        for theme in ("light", "dark"):
            for screen in SCREENS:
                for name, visit in pages(app, run).items():
                    picture = f"{name}-{theme}-{screen}"
                    if folder is not None or picture in README_PICTURES:
                        take(browser, theme, screen, visit, target / f"{picture}.png")
        browser.close()


def train(app: App, browser: Browser) -> RunRecord:
    """Bring the digits, train on them with the quick start, then with the last block fine-tuned; gives the first."""
    page = open_page(browser, "light", "desktop")
    page.goto(app.at("Data"))
    page.get_by_role("button", name="Use handwritten digits").click()
    page.get_by_role("button", name="Train on these images").click()
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("button", name="Try it on a photo").wait_for()
    first = list_runs(app.workspace)[0]
    page.goto(app.at("Train", like=first.id))
    page.get_by_role("button", name=re.compile("All but")).click()
    page.get_by_role("spinbutton", name="Fine-tuning epochs").fill("10")
    page.get_by_role("spinbutton", name="Fine-tuning epochs").press("Enter")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("button", name="Try it on a photo").wait_for()
    page.context.close()
    return first


def pages(app: App, run: RunRecord) -> dict[str, Callable[[Page], None]]:
    """What to visit for each picture."""
    dataset = list_datasets(app.workspace)[0]

    def go(address: str, until: str) -> Callable[[Page], None]:
        def visit(page: Page) -> None:
            page.goto(address)
            page.get_by_text(re.compile(until)).first.wait_for()

        return visit

    def curves(address: str) -> Callable[[Page], None]:
        def visit(page: Page) -> None:
            page.goto(address)
            page.locator(".tlc-plot .main-svg").first.wait_for()

        return visit

    def predict(page: Page) -> None:
        page.goto(app.at("Predict", run=run.id))
        page.get_by_role("button", name="Try with a test image").click()
        page.get_by_text("the dataset says").wait_for()
        page.locator(".js-plotly-plot .main-svg").first.wait_for()  # the bars
        page.mouse.move(0, 0)  # the button's tooltip goes away

    def closer(page: Page) -> None:
        page.goto(app.at("Evaluate", run=run.id))
        page.get_by_role("button", name="Look closer").first.click()
        page.get_by_role("dialog").get_by_text("The most similar training images").first.wait_for()

    return {
        "home": go(app.at(), "This machine"),
        "data": go(app.at("Data", dataset=dataset.id), "Images per class"),
        "form": go(app.at("Train"), "Phase 1"),
        "train": curves(app.at("Train", run=run.id)),
        "runs": go(app.at("Runs"), "Search"),
        "run": curves(app.at("Runs", run=run.id)),
        "compare": curves(app.at("Runs", compare=",".join(found.id for found in list_runs(app.workspace)))),
        "evaluate": go(app.at("Evaluate", run=run.id), "How to read it"),
        "closer": closer,
        "predict": predict,
    }


def take(browser: Browser, theme: str, screen: str, visit: Callable[[Page], None], path: Path) -> None:
    """Visit a page and keep a picture of it once nothing moves any more."""
    page = open_page(browser, theme, screen)
    visit(page)
    page.wait_for_load_state("networkidle")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=stSkeleton]').length === 0")
    page.wait_for_timeout(1500)  # charts and pictures fade in
    page.screenshot(path=path)
    page.context.close()
    with Image.open(path) as picture:
        picture.quantize(256).save(path, optimize=True)  # flat colours: a quarter of the size


def open_page(browser: Browser, theme: str, screen: str) -> Page:
    """A page of its own, with the system's theme and a screen size."""
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    return page


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
