"""A doubtful label is decided and the gain measured, and the number of photos is forecast, without a browser."""

from __future__ import annotations

import pytest

from tests.ui.pages_without_browser import checked, open_page, press, run_until, texts
from tests.ui.trained_runs import COLOURS, coloured
from tl_core.data import SplitConfig, import_uploads, list_datasets

PAGE = "pages/1_Data.py"


@pytest.fixture
def mislabelled(workspace):
    """Red and blue pictures, of which two red ones are called blue."""
    images = {
        name: [(f"{name} {seed}.png", coloured(colour, 100 * place + seed)) for seed in range(16)]
        for place, (name, colour) in enumerate(COLOURS.items())
    }
    images["blue"] += [(f"wrong {seed}.png", coloured(COLOURS["red"], 900 + seed)) for seed in range(2)]
    return import_uploads(workspace, images, "Mislabelled", SplitConfig(validation=0.25, test=0.25))


def labels(workspace):
    [dataset] = list_datasets(workspace)
    return {image.source_name.rpartition("/")[2]: dataset.classes[image.label] for image in dataset.images}


def case(at):
    """What the first doubtful label is asked about."""
    [picture] = [text for text in texts(at).splitlines() if text.startswith("Is this ")]
    return picture


def button(at, key):
    [found] = [
        entry for entry in at.button if entry.key and entry.key.startswith("case-") and entry.key.endswith(key)
    ]
    return found


def test_doubtful_labels_are_decided_one_by_one_with_keys_and_the_gain_is_measured(workspace, mislabelled):
    at = press(open_page(PAGE), "Look for faults")
    run_until(at, lambda at: "doubtful" in str([control.options for control in at.segmented_control]), 4000)
    assert case(at) == "Is this **blue**, or **red**?"
    assert {name: button(at, name).proto.shortcut.lower() for name in ("keep", "move", "unsure")} == {
        "keep": "k", "move": "m", "unsure": "u"
    }  # fmt: skip
    checked(button(at, "unsure").click().run())
    checked(button(at, "move").click().run())
    checked(button(at, "move").click().run())
    moved = labels(workspace)
    assert [moved[f"wrong {seed}.png"] for seed in range(2)] == ["red", "red"]
    press(at, "What has it gained?")
    run_until(at, lambda at: "have not seen a picture now get" in texts(at), 4000)
    assert "2 images were changed" in texts(at)

    press(at, "Make a forecast")
    run_until(at, lambda at: "Twice as many photos" in texts(at), 4000)
    [choice] = [box for box in at.selectbox if box.label == "Curve of"]
    assert choice.options == ["All classes", "blue", "red"]
    checked(choice.set_value(1).run())
