"""What a reloaded tab gets back."""

from __future__ import annotations

import pytest

from ui.state.tab_memory import TabMemory


@pytest.mark.parametrize(
    ("kept", "page_changes"),
    [({}, False), ({"person": "ada"}, False), ({"person": "ada", "names": []}, False), ({"photos": ["cat"]}, True)],
)
def test_a_reloaded_page_is_drawn_once_more_only_where_its_tab_held_something(kept, page_changes):
    memory = TabMemory()
    for name, value in kept.items():
        memory.keep("before", name, value)
    assert memory.hand_over("before", "after") is page_changes
    assert all(memory.find("after", name) == value for name, value in kept.items())
