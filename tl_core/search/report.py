"""A search as one HTML file that needs no network: what was found, the history, what mattered, all that was tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tl_core.errors import NotEnoughDataError
from tl_core.evaluation.report.blocks import Block, Figure, Heading, Paragraph, Table
from tl_core.evaluation.report.writing import STYLE, as_html
from tl_core.figures.search import (
    describe_importance,
    describe_pareto,
    describe_progress,
    importance_figure,
    pareto_figure,
    progress_figure,
)
from tl_core.search.history import (
    History,
    Trial,
    describe_effects,
    describe_left_out,
    effects,
    ensemble_of,
    ranked,
    read_history,
    row_of,
    titled,
    tried,
)
from tl_core.search.record import GOALS, Search
from tl_core.storage.format import count, duration, percent

_DARK: Final = """
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  body { color: #e6ebef; background: #10171f; } figcaption { color: #a9b5c0; }
  th, td { border-bottom-color: #33404b; }
}
"""
# The colours of a figure's text are in the figure, so they are changed with the page's.
_PAINT: Final = """
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {
  const ink = dark.matches ? "#e6ebef" : "#333333", grid = dark.matches ? "#33404b" : "#e6ebef";
  const colours = {"font.color": ink, "legend.font.color": ink};
  for (const axis of ["xaxis", "yaxis"]) {
    colours[axis + ".tickfont.color"] = ink;
    colours[axis + ".title.font.color"] = ink;
    colours[axis + ".gridcolor"] = grid;
  }
  for (const figure of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(figure, colours);
}
addEventListener("load", paint);
dark.addEventListener("change", paint);
"""


def write_report(search: Search) -> bytes:
    """The report as a file's content, UTF-8; light or dark as the reader's system is.

    Raises:
        NotEnoughDataError: nothing was measured yet.
    """
    history = read_history(search)
    leader, quick_start = history.leader, history.quick_start
    if leader is None or quick_start is None:
        raise NotEnoughDataError(f"The search on “{search.name}” has measured nothing yet: wait for its first trial.")
    title = f"The best model for “{search.name}”"
    return as_html(title, _blocks(search, history, leader, quick_start), STYLE + _DARK, _PAINT).encode()


def _blocks(search: Search, history: History, leader: Trial, quick_start: Trial) -> Iterator[Block]:
    tested = search.outcome.get("test")
    yield Paragraph(str(search.outcome.get("text") or "It has not come to its end yet.").replace("*", ""))
    if tested is not None:
        yield Paragraph(f"On the test images, which were looked at for the winner alone: {percent(tested)} right.")
    if leader != quick_start:
        yield Paragraph(describe_effects(effects(history.trials, quick_start, leader), leader))
    yield Table(("what", "which"), list(_facts(search, history)))
    found, together = tried(history.trials), ensemble_of(search.outcome, history.trials)
    yield Heading("Accuracy against time")
    yield Figure(progress_figure(found, ensemble=together), describe_progress(found, together))
    yield Heading("Accuracy against cost")
    yield Figure(pareto_figure(found, ensemble=together), describe_pareto(found, together))
    if importances := titled(search.outcome.get("importances", {})):
        yield Heading("What mattered")
        yield Figure(importance_figure(importances), describe_importance(importances))
    yield Heading("All that was tried")
    leaders = history.leaders(search.outcome)
    rows = [row_of(trial, leaders) for trial in ranked(history.trials)]
    yield Table(list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    yield from map(Paragraph, describe_left_out(history.left_out))


def _facts(search: Search, history: History) -> Iterator[tuple[str, str]]:
    yield "images", f"{search.dataset_name}, fingerprint {search.dataset_fingerprint[:16]}"
    yield "what mattered to the person", GOALS.get(search.goal, search.goal)
    yield "time", f"{duration(60 * search.minutes)} allowed, {duration(history.elapsed)} until the last trial"
    yield "tried", count(len(history.trials), "model")
    yield "begun", search.created[:10]
    if search.run_id:
        yield "run", search.run_id
