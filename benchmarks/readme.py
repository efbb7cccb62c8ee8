"""The short table of the README: every figure of it comes from ``results.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.report import quantity
from benchmarks.results import Result
from tl_core.storage.files import write_bytes

README: Final = Path(__file__).resolve().parents[1] / "README.md"
BEGIN: Final = "<!-- measured: written by python -m benchmarks --report -->"
END: Final = "<!-- end of what was measured -->"

# What a reader wants to know first: name of the row -> what it says, against what.
SHORT: Final[Mapping[str, str]] = {
    "frozen_end_to_end": "Frozen backbone, 2,000 images, 20 epochs: against `model.fit` end to end",
    "frozen_predict_once": "The same: against `backbone.predict` once, then `fit` of the head",
    "frozen_second_run": "The same again with another learning rate: against the first run",
    "frozen_first_epoch": "From *Start* to the first epoch of that second run, TensorFlow loaded",
    "trunk_efficientnet_lite0_float32": "Images/s through the frozen EfficientNet-Lite0, float32: against Keras",
    "trunk_efficientnet_lite0_bfloat16": "The same in bfloat16, where the CPU has it",
    "fine_tuning_efficientnet_lite0": "One fine-tuning epoch, last block of EfficientNet-Lite0: against `fit`",
    "fine_tuning_vgg16": "One fine-tuning epoch, block5 of VGG16: against `fit`",
    "cached_views": "30 augmented epochs with cached views: against augmented `fit`",
    "photo": "A 12-megapixel JPEG, from bytes to top-5: against `model.predict`",
    "live_page": "Training with a page open on the live chart: against the command line",
    "memory": "Memory above the libraries, 20,000 images of 224 px",
    "estimate": "The time said before *Start*: how far off at worst",
}


def short_table(rows: Mapping[str, Result]) -> str:
    """The table in Markdown, with the machine under it.

    Args:
        rows: by name; those that were not measured are left out.
    """
    shown = {name: rows[name] for name in SHORT if name in rows and rows[name].values}
    lines = ["| | measured | aimed at |", "|---|---|---|"]
    for name, row in shown.items():
        bound = "at least" if row.at_least else "at most"
        missed = "" if row.met else ", **missed**"
        lines.append(
            f"| {SHORT[name]} | {quantity(row.median, row.unit)} | {bound} {quantity(row.target, row.unit)}{missed} |"
        )
    machines = sorted({row.where.partition(";")[0] for row in shown.values()})
    lines += [
        "",
        f"Medians on {' and '.join(machines)}. [RESULTS.md](benchmarks/RESULTS.md) has the spread, how each",
    ]
    lines.append("was measured, and why some targets are missed; `python -m benchmarks` measures on your machine.")
    return "\n".join(lines)


def write_short_table(readme: Path, rows: Mapping[str, Result]) -> None:
    """Put the table between its two marks.

    Raises:
        ValueError: the marks are not there.
    """
    before, mark, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{readme.name} has no place for the table: {BEGIN} … {END}")
    write_bytes(readme, f"{before}{BEGIN}\n{short_table(rows)}\n{END}{after}".encode())
