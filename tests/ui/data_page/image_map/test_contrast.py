"""What is not selected on the map stays seen, on both grounds."""

from __future__ import annotations

import re

import pytest

from tests.tl_core.figures.contrast import contrast
from tests.tl_core.figures.test_palette import THEME
from ui.data_page.image_map.view import _asset


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_points_that_are_not_selected_are_seen(mode):
    (faded,) = re.findall(r'FADED = "(#[0-9a-f]{6})"', _asset("image_map.js"))
    assert contrast(faded, THEME[mode]["backgroundColor"]) >= 3
