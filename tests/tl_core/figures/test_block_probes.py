"""The chart of what each block knows."""

from __future__ import annotations

from tests.tl_core.figures.contrast import contrast
from tl_core.figures.block_probes import block_probes_figure
from tl_core.figures.palette import FROZEN, TRAINABLE


def test_the_word_on_the_last_bars_is_readable_on_the_dark_ground_too():
    figure = block_probes_figure(["Stem", "Block 1"], [0.6, 0.9], [True, False], chance=0.4, ink="#e6ebf0")
    (label,) = [found for found in figure.layout.annotations if found.text == "guessing"]
    assert contrast(label.font.color, label.bgcolor) >= 4.5
    for bar in (FROZEN, TRAINABLE):
        assert contrast(label.font.color, bar) >= 4.5
