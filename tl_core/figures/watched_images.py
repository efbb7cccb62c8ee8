"""The small charts of the watched images: class probabilities by epoch, and the last prediction."""

from __future__ import annotations

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
    shown = _shown_epochs(list(history.watched))
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
    if not rows:
        said = f" It is {truth}." if truth is not None else ""
        return {"truth": truth, "answers": [], "right": None, "lines": [], "description": f"No answer yet.{said}"}
    latest = _ranked(rows[-1])
    best = [classes[index] for index in latest[:NAMED]]
    texts = [probability_text(rows[-1][index] or 0.0) for index in latest[:NAMED]]
    highest = [max(row[index] or 0.0 for row in rows) for index in range(len(classes))]
    drawn = sorted(_ranked(highest)[:MAX_LINES])
    return {
        "truth": truth,
        "right": None if truth is None else truth == best[0],
        "answers": [
            {"name": name, "text": text, **class_style(index)}
            for name, text, index in zip(best, texts, latest, strict=False)
        ],
        "lines": [
            {"name": classes[index], "values": [row[index] for row in rows], **class_style(index)} for index in drawn
        ],
        "description": _in_words(best, texts, truth, len(rows)),
    }


def _in_words(best: Sequence[str], texts: Sequence[str], truth: str | None, epochs: int) -> str:
    answers = ", ".join(f"{name} {text}" for name, text in zip(best, texts, strict=True))
    said = f" It is {truth}." if truth is not None else ""
    return f"Probabilities over {epochs} epochs, the last: {answers}.{said}"


def _ranked(row: Sequence[Probability]) -> list[int]:
    return sorted(range(len(row)), key=lambda index: -(row[index] or 0.0))


def _shown_epochs(epochs: Sequence[int]) -> list[int]:
    """At most `MAX_POINTS` of them, evenly spread, the last one always."""
    step = -(-len(epochs) // MAX_POINTS)
    return list(epochs[::-1][:: max(1, step)][::-1])
