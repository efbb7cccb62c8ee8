"""How good the best of many choices is, how much of that is luck, and whether it is better than *Quick start*.

The best of many results on the same images is partly the luckiest. How much, the bootstrap of the held-out
predictions says (BBC-CV: Tsamardinos et al. 2018, Machine Learning 107, https://doi.org/10.1007/s10994-018-5714-4):
images are drawn with replacement, the best choice is found on them, and judged on those that were not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

DRAWS: Final = 1000
SURE: Final = 0.95  # of the draws in which the winner is better, for it to be called better

_NOTHING: Final = 0.0005  # of the accuracy

Right = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a search has found; shares are 0-1."""

    accuracy: float  # of the winner on held-out images, as it was chosen by
    quick_start: float  # of Quick start on the same images
    optimism: float  # by how much the first is too high, because it is the best of many
    gain: float  # over Quick start, with the optimism taken off
    gain_low: float  # the middle 90 % of the draws
    gain_high: float
    sure: float  # share of the draws in which the best choice is better than Quick start; equal ones count half
    compared: int  # choices that were measured to their end
    images: int  # held-out images they were measured on
    itself: bool = False  # whether the winner is Quick start

    @property
    def better(self) -> bool:
        """Whether the winner is better than Quick start beyond chance."""
        return self.gain > 0 and self.sure >= SURE

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the record."""
        return {**asdict(self), "better": self.better}


def judge(right: Sequence[Right], quick_start: int, winner: int, seed: int = 0) -> Verdict:
    """Judge the winner among some choices.

    Args:
        right: of every choice, whether each held-out image ``(n,)`` was answered rightly.
        quick_start: which of them is *Quick start*.
        winner: which of them was chosen.
        seed: of the draws.
    """
    table = np.asarray(right, np.float32)
    choices, images = table.shape
    random = np.random.default_rng(seed)
    drawn = random.multinomial(images, np.full(images, 1 / images), size=DRAWS).astype(np.float32)
    inside = drawn @ table.T / images  # (draws, choices)
    left_out = (drawn == 0).astype(np.float32)
    outside = left_out @ table.T / np.maximum(1, left_out.sum(1, keepdims=True))
    best = (inside + 1e-6 * random.random(choices, np.float32)).argmax(1)
    honest = outside[np.arange(DRAWS), best]
    gains = honest - outside[:, quick_start]
    accuracy = float(table[winner].mean())
    low, high = np.quantile(gains, [0.05, 0.95])
    return Verdict(
        accuracy=accuracy,
        quick_start=float(table[quick_start].mean()),
        optimism=max(0.0, float((inside.max(1) - honest).mean())),
        gain=float(gains.mean()),
        gain_low=float(low),
        gain_high=float(high),
        sure=float((gains > 0).mean() + 0.5 * (gains == 0).mean()),
        compared=choices,
        images=images,
        itself=winner == quick_start,
    )


def describe(verdict: Verdict) -> str:
    """The verdict in a sentence or two."""
    winner, line = (f"{100 * share:.1f} %" for share in (verdict.accuracy, verdict.quick_start))
    images = f"{verdict.images:,} held-out images"
    optimism = (
        f" About {100 * verdict.optimism:.1f} points of that are luck, because it is the best of {verdict.compared}."
        if verdict.optimism >= _NOTHING
        else ""
    )
    if verdict.itself:
        return f"*Fast* is the best of {verdict.compared} that were tried: it is right about {winner} of {images}."
    spread = f"between {100 * verdict.gain_low:+.1f} and {100 * verdict.gain_high:+.1f}"
    if verdict.better:
        gain = f"It is better than *Fast* by about {100 * verdict.gain:.1f} points ({spread})"
        return f"{gain}, in {100 * verdict.sure:.0f} of 100 draws: {winner} against {line} of {images}.{optimism}"
    if max(abs(verdict.gain_low), abs(verdict.gain_high), abs(verdict.accuracy - verdict.quick_start)) < _NOTHING:
        return f"It is just as good as *Fast*: both are right about {winner} of {images}.{optimism}"
    return (
        f"It is not clearly better than *Fast*: {winner} against {line} of {images}, a difference {spread} points, "
        f"which may be chance.{optimism}"
    )
