"""Which models answer: a run, a second one beside it, one of its last epochs; and what they can answer at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.runs import RunRecord, list_runs, load_run
from tl_core.runs.epoch_checkpoints import EpochCheckpoint, epoch_checkpoints
from tl_core.storage.format import count, percent
from tl_core.storage.workspace import Workspace, is_id
from ui.components.markdown import plain
from ui.components.pickers import best_of_last, pick_run
from ui.components.run_format import run_labels
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

_SECOND: Final = "with"  # in the address, so that a link shows the same two models
_NOTHING: Final = ""  # chosen where no second model is asked
REFRESH_SECONDS: Final = 2.0
_EPOCH: Final = "epoch"  # in the address, so that a link asks the same one
_BEST: Final = 0
NAMED_CLASSES: Final = 12


def pick_runs(workspace: Workspace, key: str) -> list[RunRecord]:
    """Draw the list of runs that have a model, and where there are several one for a second model beside it.

    Returns:
        The chosen runs: none where there is no model, else one or two.
    """
    several = sum(run.has_model for run in list_runs(workspace)) > 1
    places = st.columns(2, gap="medium") if several else [st.container()]
    with places[0]:
        first = pick_run(workspace, best_of_last, key=f"{key}-run")
    if first is None or not several:
        return [first] if first else []
    with places[1]:
        second = _pick_second(workspace, first, f"{key}-with")
    return [first, second] if second else [first]


def _pick_second(workspace: Workspace, first: RunRecord, key: str) -> RunRecord | None:
    others = {run.id: run for run in list_runs(workspace) if run.has_model and run.id != first.id}
    named = st.query_params.get(_SECOND)
    # Set before it is drawn, each time: the address is the truth, the control only shows it.
    st.session_state[key] = named if named in others else _NOTHING
    labels = run_labels(others.values())
    chosen = st.selectbox(
        "Compare with",
        [_NOTHING, *others],
        format_func=lambda run_id: labels[run_id] if run_id else "no other model",
        key=key,
        on_change=_remember_second,
        args=(key,),
        help="Another model answers beside this one, about the same pictures.",
    )
    return others.get(chosen)


def format_agreement(first: Sequence[Answer], second: Sequence[Answer]) -> str:
    """How often two models say the same, as Markdown; *I don't know* agrees with nothing but itself."""
    usable = [pair for pair in zip(first, second, strict=True) if pair[0].ranked]
    same = sum(_said(one) == _said(other) for one, other in usable)
    if len(usable) == 1:
        return "Both models say the same." if same else "The two models say different things."
    return f"Both models say the same about **{same:,}** of {count(len(usable), 'picture')}."


def _said(answer: Answer) -> str | None:
    return answer.ranked[0][0] if answer.answered else None


def _remember_second(key: str) -> None:
    if is_id(chosen := st.session_state[key]):
        st.query_params[_SECOND] = chosen
    elif chosen == _NOTHING:
        st.query_params.pop(_SECOND, None)


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
    named = _named()
    if named != _BEST and named not in offered and not (run.best and run.best.epoch == named):
        st.warning(f"Epoch {named} is not kept, or no longer. The best epoch answers.")
    chosen = offered.get(named)
    drawn = chosen.epoch if chosen else _BEST
    st.fragment(_choice, run_every=REFRESH_SECONDS if run.active else None)(run, drawn, key)
    return chosen


def _choice(run: RunRecord, drawn: int, key: str) -> None:
    """The control alone is drawn again as epochs come and go; the page only when another one is chosen."""
    with error_boundary():
        run = load_run(run.path)
        offered = _offered(run)
        named = _named()
        # Set before it is drawn, each time: the address is the truth, the control only shows it.
        st.session_state[key] = named if named in offered else _BEST
        chosen = st.selectbox(
            "Epoch",
            [_BEST, *offered],
            format_func=lambda epoch: _label(run, offered.get(epoch)),
            key=key,
            on_change=_remember_epoch,
            args=(key,),
            help="The model as it was after this epoch. Of this run the last "
            f"{run.config.keep_last_epochs} are kept, while it trains, too.",
        )
        if chosen in {_BEST, *offered} and chosen != drawn:
            st.rerun()


def _offered(run: RunRecord) -> dict[int, EpochCheckpoint]:
    """The saved epochs by number, newest first; the best one has an entry of its own."""
    best = run.best.epoch if run.best else None
    return {entry.epoch: entry for entry in reversed(epoch_checkpoints(run.folder)) if entry.epoch != best}


def _label(run: RunRecord, epoch: EpochCheckpoint | None) -> str:
    if epoch is None:
        return f"Best epoch ({run.best.epoch})" if run.best else "Best epoch"
    return f"Epoch {epoch.epoch} · {percent(epoch.val_accuracy)}"


def _named() -> int:
    text = st.query_params.get(_EPOCH, "")
    return int(text) if text.isascii() and text.isdecimal() else _BEST


def _remember_epoch(key: str) -> None:
    # An entry whose text has changed meanwhile, as another epoch became the best, arrives as that text.
    chosen = st.session_state[key]
    if chosen == _BEST:
        st.query_params.pop(_EPOCH, None)
    elif isinstance(chosen, int):
        st.query_params[_EPOCH] = str(chosen)


def format_knowledge(classes: Sequence[str], threshold: float) -> str:
    """Such as ``It knows 2 classes and always answers one of them: cat, dog.``, as Markdown.

    Args:
        classes: their names.
        threshold: the probability (0-1) below which it says *I don't know*.
    """
    named = ", ".join(plain(name) for name in classes[:NAMED_CLASSES])
    more = f" and {len(classes) - NAMED_CLASSES} more" if len(classes) > NAMED_CLASSES else ""
    always = f"answers “I don't know” below {percent(threshold, 0)}, else" if threshold else "always answers"
    return f"It knows {count(len(classes), 'class', 'classes')} and {always} one of them: {named}{more}."
