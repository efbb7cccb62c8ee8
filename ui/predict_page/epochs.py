"""Which epoch of a run answers: the best one or one of the last, where they are kept; new ones appear unasked."""

from __future__ import annotations

from typing import Final

import streamlit as st

from tl_core.config.phases import PHASE_TITLES
from tl_core.format import percent
from tl_core.runs import RunRecord, load_run
from tl_core.runs.epoch_checkpoints import EpochCheckpoint, epoch_checkpoints
from ui.shell.errors import error_boundary

REFRESH_SECONDS: Final = 2.0
_PARAMETER: Final = "epoch"  # in the address, so that a link asks the same one
_BEST: Final = 0


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


def format_epoch(epoch: EpochCheckpoint) -> str:
    """Which model answers: ``the model of epoch 14 (fine-tuning)``."""
    return f"the model of epoch {epoch.epoch} ({PHASE_TITLES.get(epoch.phase, epoch.phase)})"


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
            on_change=_remember,
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
    text = st.query_params.get(_PARAMETER, "")
    return int(text) if text.isascii() and text.isdecimal() else _BEST


def _remember(key: str) -> None:
    # An entry whose text has changed meanwhile, as another epoch became the best, arrives as that text.
    chosen = st.session_state[key]
    if chosen == _BEST:
        st.query_params.pop(_PARAMETER, None)
    elif isinstance(chosen, int):
        st.query_params[_PARAMETER] = str(chosen)
