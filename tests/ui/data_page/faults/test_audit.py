"""A doubtful label is decided and the gain measured, and the number of photos is forecast, without a browser."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.pages_without_browser import checked, open_page, press, run_until, texts
from tests.ui.trained_runs import COLOURS, coloured
from tl_core.audit.look_alikes import Pair
from tl_core.audit.report import Audit
from tl_core.data import SplitConfig, import_uploads, list_datasets
from ui.data_page.faults.audit import AUDITS

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


def said_beside(at, place):
    """How often it is said what was done, beside a button to undo it and not above the images too."""
    assert at.session_state["edit-message"][3].startswith(place)
    assert [entry.label for entry in at.button if (entry.key or "").startswith("undo-here-")] == ["Undo"]
    return texts(at).count("check_circle:] Moved 1 image to red")


def test_the_second_press_of_a_double_click_is_ignored(workspace, mislabelled):
    def page():
        from tl_core.data import list_datasets
        from tl_core.data.editing import remove_images
        from tl_core.storage.workspace import Workspace
        from ui.data_page.edits import act, show_refusal

        workspace = Workspace.from_environment()
        [seen] = list_datasets(workspace)
        for _ in range(2):
            act(lambda: remove_images(workspace, seen.id, [seen.images[0]]), press=("remove", seen.revision))
        show_refusal()

    at = checked(AppTest.from_function(page).run())
    assert not at.error
    assert len(list_datasets(workspace)[0].images) == len(mislabelled.images) - 1


@pytest.mark.slow
def test_doubtful_labels_are_decided_one_by_one_with_keys_and_the_gain_is_measured(workspace, mislabelled):
    at = press(open_page(PAGE), "Look for faults")
    run_until(at, lambda at: "doubtful" in str([control.options for control in at.segmented_control]), 4000)
    assert case(at) == "Is this **blue**, or **red**?"
    assert {name: button(at, name).proto.shortcut.lower() for name in ("keep", "move", "unsure")} == {
        "keep": "k", "move": "m", "unsure": "u"
    }  # fmt: skip
    checked(button(at, "unsure").click().run())
    checked(button(at, "move").click().run())
    assert said_beside(at, "case-") == 1
    [card] = [
        entry for entry in at.button if (entry.key or "").startswith("suspect-") and entry.key.endswith("-move")
    ]
    checked(card.click().run())
    assert said_beside(at, "suspect-") == 1
    moved = labels(workspace)
    assert [moved[f"wrong {seed}.png"] for seed in range(2)] == ["red", "red"]
    press(at, "Did it help?")
    run_until(at, lambda at: "have not seen a picture now get" in texts(at), 4000)
    assert "2 images were changed" in texts(at)

    press(at, "Make a forecast")
    run_until(at, lambda at: "Twice as many photos" in texts(at), 4000)
    [choice] = [box for box in at.selectbox if box.label == "Curve of"]
    assert choice.options == ["All classes", "blue", "red"]
    checked(choice.set_value(1).run())


def test_the_line_about_the_split_leads_to_the_audit_and_then_says_what_that_found(workspace):
    images = {
        name: [(f"{name} {seed}.png", coloured(colour, 100 * place + seed)) for seed in range(16)]
        for place, (name, colour) in enumerate(COLOURS.items())
    }
    dataset = import_uploads(workspace, images, "Twins", SplitConfig(validation=0.25, test=0.25))
    at = open_page(PAGE)
    assert "not even saved again as another file" in texts(at)
    assert "Look for turned and cropped ones" in [entry.label for entry in at.button]

    first = {split: dataset.of_split(split)[0] for split in ("train", "test")}
    twins = Pair(first["train"], replace(first["test"], label=first["train"].label), "turned")
    found = Audit(dataset, (), {}, 1.0, (twins,), (), ())
    AUDITS.start("Twins", lambda _: (1, found), dataset.id)

    def lines(at):
        return [entry for entry in at.button if "1 pair of pictures that show the same" in entry.label]

    run_until(at, lines)
    assert "1 turned or mirrored" in lines(at)[0].label
    assert "not even saved again as another file" not in texts(at)
    checked(lines(at)[0].click().run())
    assert "one to train on and one to measure with" in texts(at)
    checked(next(entry for entry in at.button if entry.label == "Keep them together").click().run())
    assert "not even turned, mirrored or cropped" in texts(at)
