"""The small charts of the watched images: class probabilities by epoch, and the last prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from tl_core.figures.history import History
from tl_core.figures.palette import RUNS
from tl_core.figures.probabilities import probability_text
from tl_core.runs.watched_images import WatchedImage

MAX_LINES: Final = 5  # classes drawn per picture: those that were ever likeliest there
MAX_POINTS: Final = 120  # epochs per line; a small chart has no more pixels
NAMED: Final = 3  # classes named beside a chart

Probability = float | None


def watched_images_payload(
    pictures: Sequence[WatchedImage], classes: Sequence[str], history: History, thumbnails: Sequence[str]
) -> dict[str, Any]:
    """Plain values for the component.

    Args:
        pictures: in the order of the events.
        classes: in the order of the model's outputs.
        history: the run so far.
        thumbnails: address of each picture.
    """
    epochs = list(history.watched)
    shown = epochs[:: -max(1, math.ceil(len(epochs) / MAX_POINTS))][::-1]  # evenly spread, the last one always
    last = max([history.planned, *history.watched, 1])
    return {
        "epochs": shown,
        "last": last,
        "pictures": [
            {
                "name": picture.name,
                "picture": thumbnail,
                **_of_picture([history.watched[epoch][place] for epoch in shown], classes, picture.truth),
            }
            for place, (picture, thumbnail) in enumerate(zip(pictures, thumbnails, strict=True))
        ],
    }


def class_style(index: int) -> dict[str, Any]:
    """How a class is drawn in all small charts, the same in each epoch; the colours come again, dashed."""
    return {"color": RUNS[index % len(RUNS)], "dashed": index // len(RUNS) % 2 == 1}


def _of_picture(rows: Sequence[Sequence[Probability]], classes: Sequence[str], truth: str | None) -> dict[str, Any]:
    said = f" It is {truth}." if truth is not None else ""
    if not rows:
        return {"truth": truth, "answers": [], "right": None, "lines": [], "description": f"No answer yet.{said}"}
    answers = [
        {"name": classes[index], "text": probability_text(rows[-1][index] or 0.0), **class_style(index)}
        for index in _ranked(rows[-1])[:NAMED]
    ]
    told = ", ".join(f"{answer['name']} {answer['text']}" for answer in answers)
    highest = [max(row[index] or 0.0 for row in rows) for index in range(len(classes))]
    return {
        "truth": truth,
        "right": None if truth is None else truth == answers[0]["name"],
        "answers": answers,
        "lines": [
            {"name": classes[index], "values": [row[index] for row in rows], **class_style(index)}
            for index in sorted(_ranked(highest)[:MAX_LINES])
        ],
        "description": f"Probabilities over {len(rows)} epochs, the last: {told}.{said}",
    }


def _ranked(row: Sequence[Probability]) -> list[int]:
    return sorted(range(len(row)), key=lambda index: -(row[index] or 0.0))
