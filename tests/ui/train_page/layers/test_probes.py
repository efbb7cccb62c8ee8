"""The chart of the blocks, and what it says about the slider."""

from __future__ import annotations

import numpy as np
import pytest

from tl_core.audit.layers.probes import BlockProbe, LayerStudy
from tl_core.figures.block_probes import MOST_NUMBERS, block_probes_figure
from tl_core.figures.palette import FROZEN, TRAINABLE
from ui.train_page.layers.probes import describe_study

NONE = np.zeros((1, 1), np.int64)


def study(*accuracies):
    blocks = tuple(BlockProbe(f"Block {at}", 10 * at, value, NONE) for at, value in enumerate(accuracies, start=1))
    return LayerStudy((), 3, 0.4, blocks)


@pytest.mark.parametrize(
    ("accuracies", "frozen", "expected"),
    [
        (
            (0.71, 0.9, 0.95),
            20,
            "After Block 1 a simple classifier gets 71 % right, after Block 2 90 %, after Block 3 95 % "
            "(guessing: 40 %). The frozen blocks know this without having seen your images; the trainable ones have "
            "the rest to gain.",
        ),
        ((0.71, 0.95), 20, "It knows all this without one image of yours: what is frozen is good as it is."),
        ((0.71, 0.95), 9, "The early blocks know this without having seen your images"),
        (
            (0.71, 0.97, 0.91),
            30,
            "The blocks after Block 2 were made for other pictures and lose some of it: raise *Blocks that give "
            "features* (in *More options*), or fine-tune the last blocks.",
        ),
    ],
)
def test_the_sentence_fits_what_is_frozen(accuracies, frozen, expected):
    assert expected in describe_study(study(*accuracies), frozen)


def test_the_bars_have_the_colours_of_the_map():
    (bars,) = block_probes_figure(["Stem", "Block 1"], [0.6, 0.9], [True, False], 0.5).data
    assert list(bars.marker.color) == [FROZEN, TRAINABLE]
    assert list(bars.text) == ["60%", "90%"]


def test_many_bars_have_no_numbers_that_would_overlap():
    many = MOST_NUMBERS + 1
    (bars,) = block_probes_figure(["B"] * many, [0.5] * many, [True] * many, 0.5).data
    assert bars.text is None
