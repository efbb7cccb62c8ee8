import tomllib
from pathlib import Path

import pytest

from tests.tl_core.figures.contrast import contrast
from tl_core.figures import palette
from tl_core.figures.palette import translucent

CONFIG = Path(__file__).parents[3] / ".streamlit" / "config.toml"
THEME = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["theme"]
MARKS = ("TRAINING", "VALIDATION", "TEST", "FROZEN_OUTLINE", "TRAINABLE_OUTLINE", "RIGHT", "WRONG", "ANSWER")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", MARKS)
def test_every_mark_is_seen_on_both_backgrounds(name, mode):
    assert contrast(getattr(palette, name), THEME[mode]["backgroundColor"]) >= 3


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_links_and_buttons_are_readable(mode):
    colors = THEME[mode]
    assert contrast(colors["textColor"], colors["backgroundColor"]) >= 7
    assert contrast(colors["textColor"], colors["secondaryBackgroundColor"]) >= 7
    assert contrast(colors["linkColor"], colors["backgroundColor"]) >= 4.5
    assert contrast("#ffffff", colors["primaryColor"]) >= 4.5


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_translucent():
    assert translucent("#2c7bc0", 0.5) == "rgba(44, 123, 192, 0.5)"
