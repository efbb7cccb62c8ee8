"""One meaning per colour, the same on every page and in both themes.

The hues are distinct in all common forms of colour blindness (blue and orange differ in hue and in
lightness), and each reaches a contrast of 3:1 on the light and on the dark background
(WCAG 2.2, 1.4.11 non-text contrast), or is drawn with an outline that does.
"""

from __future__ import annotations

from typing import Final

TRAINING: Final = "#2c7bc0"  # blue, drawn dashed
VALIDATION: Final = "#d9730d"  # orange, drawn solid
TEST: Final = "#75808c"  # grey: used once, at the end

FROZEN: Final = "#a9d6ea"  # ice-blue
FROZEN_OUTLINE: Final = "#4f93b3"
TRAINABLE: Final = "#f0b429"  # amber
TRAINABLE_OUTLINE: Final = "#a87708"

# Predictions; the two ends of ColorBrewer's PiYG, which is safe for colour-blind eyes.
RIGHT: Final = "#4d9221"
WRONG: Final = "#c51b7d"
# Mix-ups in a matrix, from rare to frequent: shares of the row below 10, 25 and 50 % and above, each with the colour
# of the number on it. All reach 3:1 against both grounds, and every number 4.5:1 against its cell.
MIX_UPS: Final = (("#da6dac", "#10171f"), ("#d3529c", "#10171f"), ("#cb328a", "#ffffff"), (WRONG, "#ffffff"))
MIX_UP_SHARES: Final = (0.1, 0.25, 0.5)
ANSWER: Final = "#7b6fb5"  # violet: a probability, where it is not known whether it is right

# Runs beside each other, in this order and then again from the start; four hues in a darker and a lighter shade, so
# that neighbours differ in lightness too. Blue and orange are left out: they mean training and validation.
RUNS: Final = ("#0b7a75", "#b3408f", "#7a7a00", "#6554c0", "#3fa796", "#d96fb7", "#a8a431", "#9b8cf0")

SPLIT_COLORS: Final = {"train": TRAINING, "validation": VALIDATION, "test": TEST}
SPLIT_TITLES: Final = {"train": "Training", "validation": "Validation", "test": "Test"}


def translucent(color: str, alpha: float) -> str:
    """A colour ``#rrggbb`` as CSS ``rgba(...)`` with the given opacity, 0-1."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha:g})"
