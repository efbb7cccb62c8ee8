"""The line with the plan and the Start button."""

from __future__ import annotations

from streamlit.testing.v1.element_tree import Block, Node

from tests.ui.pages_without_browser import open_page
from ui.train_page import start_bar


def place_of_start(node: Node) -> list[int] | None:
    """Its numbers among the children of each block, from the page down."""
    if getattr(node, "label", None) == "Start training":
        return []
    children = node.children.items() if isinstance(node, Block) else ()
    for place, child in children:
        if (rest := place_of_start(child)) is not None:
            return [place, *rest]
    return None


def test_the_start_button_keeps_its_place_when_nothing_is_measured_any_more(dataset, monkeypatch):
    """What refreshes itself meanwhile may come late, and must not be drawn where the button is by then."""
    measuring = []
    original = start_bar._wait_for_measurement
    monkeypatch.setattr(start_bar, "_wait_for_measurement", lambda *given: measuring.append(original(*given)))
    while_measuring = place_of_start(open_page("pages/2_Train.py")._tree)
    assert measuring, "it really was being measured"
    monkeypatch.setattr(start_bar, "_wait_for_measurement", lambda *given: None)
    assert place_of_start(open_page("pages/2_Train.py")._tree) == while_measuring
    assert while_measuring is not None
