"""Keeping Streamlit's cleaning between script runs away from a training in the same process."""

from __future__ import annotations

import logging
from typing import Final

from streamlit.runtime.scriptrunner import script_runner

logger = logging.getLogger(__name__)

_CLEANER: Final = "_clean_problem_modules"


def protect_keras_state() -> None:
    """Stop Streamlit from calling ``keras.backend.clear_session`` after every script run.

    Streamlit does so, for all threads, as soon as anything has imported Keras. It was made for scripts that build a
    model on every run; here it would throw away the state of the model that the training thread works on, and
    take a good part of every second from it. There is no setting for it. May be called any number of times.
    """
    if not hasattr(script_runner, _CLEANER):
        logger.warning("This version of Streamlit may clear Keras' state during a training.")
    setattr(script_runner, _CLEANER, _leave_everything)


def _leave_everything() -> None:
    """Nothing here has state that a finished script should take with it."""
