"""Label by pointing: the form that begins one."""

import pytest

from ui.data_page.pointing.page import separate_names


@pytest.mark.parametrize(
    "typed", ["stripes, dots, blocks", "stripes\ndots\nblocks", " stripes;dots,\n\nblocks\ndots"]
)
def test_names_are_apart_by_commas_and_by_lines(typed):
    assert separate_names(typed) == ["stripes", "dots", "blocks"]
