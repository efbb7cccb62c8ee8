"""Which models answer: a run, a second one beside it, one of its last epochs; and what they can answer at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tl_core.runs import RunRecord, list_runs, load_run
from tl_core.runs.epoch_checkpoints import EpochCheckpoint, epoch_checkpoints
from tl_core.storage.format import count, percent
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pickers import current_run, pick
from ui.components.run_format import run_labels
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

REFRESH_SECONDS: Final = 2.0
COMPARED: Final = "with"  # in the address: the second run
_EPOCH: Final = "epoch"  # in the address, so that a link asks the same one
NAMED_CLASSES: Final = 12


def pick_runs(workspace: Workspace, key: str, place: DeltaGenerator) -> list[RunRecord]:
    """The run whose model is current, and where there are several a list for a second model beside it.

    Args:
        workspace: that holds the runs.
        key: names the controls on their page.
        place: where it says what to do first while there is no model.

    Returns:
        The chosen runs: none where there is no model, else one or two.
    """
    with place:
        first = current_run(workspace, key)
    others = {run.id: run for run in list_runs(workspace) if run.has_model and first and run.id != first.id}
    if first is None or not others:
        return [first] if first else []
    options = {"": "no other model", **run_labels(others.values())}
    words = "Another model answers beside this one, about the same pictures."
    second = pick("Compare with", options, COMPARED, "", f"{key}-with", words)
    return [first, others[second]] if second else [first]


def format_agreement(first: Sequence[Answer], second: Sequence[Answer]) -> str:
    """How often two models say the same, as Markdown; *I don't know* agrees with nothing but itself."""
    usable = [pair for pair in zip(first, second, strict=True) if pair[0].ranked]
    same = sum(_said(one) == _said(other) for one, other in usable)
    if len(usable) == 1:
        return "Both models say the same." if same else "The two models say different things."
    return f"Both models say the same about **{same:,}** of {count(len(usable), 'picture')}."


def _said(answer: Answer) -> str | None:
    return answer.ranked[0][0] if answer.answered else None


def pick_epoch(run: RunRecord, key: str) -> EpochCheckpoint | None:
    """Draw the choice where the run keeps, or will keep, more than its best epoch.

    Args:
        run: whose model is to answer.
        key: names the control on its page.

    Returns:
        The chosen epoch; None = the best one.
    """
    offered = _offered(run)
    if not offered and not (run.active and run.config.keep_last_epochs):
        return None
    named = st.query_params.get(_EPOCH, "")
    if named.isdecimal() and named not in offered and not (run.best and str(run.best.epoch) == named):
        st.warning(f"Epoch {named} is not kept, or no longer. The best epoch answers.")
    drawn = named if named in offered else ""
    st.fragment(_choose_epoch, run_every=REFRESH_SECONDS if run.active else None)(run, drawn, key)
    return offered.get(named)


@error_boundary()
def _choose_epoch(run: RunRecord, drawn: str, key: str) -> None:
    """The control alone is drawn again as epochs come and go; the page only when another one is chosen."""
    run = load_run(run.path)
    options = {"": f"Best epoch ({run.best.epoch})" if run.best else "Best epoch"}
    options |= {name: f"Epoch {name} · {percent(epoch.val_accuracy)}" for name, epoch in _offered(run).items()}
    words = (
        "The model as it was after this epoch. "
        f"Of this run the last {run.config.keep_last_epochs} are kept, while it trains, too."
    )
    if pick("Epoch", options, _EPOCH, "", key, words) != drawn:
        st.rerun()


def _offered(run: RunRecord) -> dict[str, EpochCheckpoint]:
    """The saved epochs by number, newest first; the best one has an entry of its own."""
    best = run.best.epoch if run.best else None
    return {str(entry.epoch): entry for entry in reversed(epoch_checkpoints(run.folder)) if entry.epoch != best}


def format_knowledge(classes: Sequence[str], threshold: float, refuses: bool = False) -> str:
    """Such as ``It knows 2 classes and always answers one of them: cat, dog.``, as Markdown.

    Args:
        classes: their names.
        threshold: the probability (0-1) below which it says *I don't know*.
        refuses: whether it refuses pictures that are unlike its images.
    """
    named = ", ".join(plain(name) for name in classes[:NAMED_CLASSES])
    more = f" and {len(classes) - NAMED_CLASSES} more" if len(classes) > NAMED_CLASSES else ""
    always = f"answers “I don't know” below {percent(threshold, 0)}, else" if threshold else "always answers"
    known = f"It knows {count(len(classes), 'class', 'classes')}"
    if not refuses:
        return f"{known} and {always} one of them: {named}{more}."
    said = f" and {always} one of them" if threshold else ""
    return f"{known}{said}: {named}{more}. It refuses what is unlike its images."
