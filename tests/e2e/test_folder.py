"""A folder of one's own, dragged onto the page: the folders in it are the classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.application import App
from tests.tl_core.small_trainings import COLOURS, coloured
from tl_core.data import list_datasets

pytestmark = pytest.mark.e2e

EACH = 6


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Class folders in the folders of a split, as they lie on a disk."""
    for place, (part, amount) in enumerate((("train", EACH), ("val", 2))):
        for name in ("blue", "red"):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for number in range(amount):
                (folder / f"{number}.png").write_bytes(coloured(COLOURS[name], 100 * place + number))
    return tmp_path / "pets"


def drop(page: Page, target: Locator, path: Path) -> None:
    """Let a file or folder of this machine fall onto a field, as a hand with a mouse does."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send(
            "Input.dispatchDragEvent",
            {"type": kind, **where, "data": {"items": [], "files": [str(path)], "dragOperationsMask": 1}},
        )
    devtools.detach()


def test_a_folder_that_is_dropped_keeps_its_folders(app: App, page: Page, pets: Path):
    page.goto(app.at("Data", way="folder"))
    field = page.get_by_test_id("stFileUploaderDropzone").filter(has_text="Upload directories")
    expect(field).to_be_visible()
    drop(page, field, pets)
    expect(page.get_by_text(f"{2 * EACH + 4} image files of 2 classes")).to_be_visible()
    expect(page.get_by_text("the split came with them")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name of the dataset").filter(visible=True)).to_have_attribute(
        "placeholder", "pets"
    )
    page.get_by_role("button", name="Import", exact=True).filter(visible=True).click()
    page.wait_for_url("**dataset=**")
    [dataset] = list_datasets(app.workspace)
    assert (dataset.name, dataset.classes) == ("pets", ("blue", "red"))
    assert [len(dataset.of_split(part)) for part in ("train", "validation")] == [
        2 * EACH - len(dataset.of_split("test")),
        4,
    ]
