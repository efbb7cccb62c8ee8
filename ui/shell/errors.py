"""Errors on pages: a sentence, never a traceback."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator

import streamlit as st

from tl_core.errors import TransferLearningError
from ui.shell.access.gate import leave_if_login_ran_out

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def error_boundary() -> Iterator[None]:
    """Show an error of the block as one sentence, and let the rest of the page go on.

    Put it round a page, and as the decorator ``@error_boundary()`` on each fragment, dialog and callback that can
    fail: those run on their own, outside the page's boundary. It is not entered once the login of the session has
    run out. Errors of this product carry their sentence; of any other the page shows an error id, and the log has the
    traceback under the same id.
    """
    leave_if_login_ran_out()
    try:
        yield
    except TransferLearningError as error:
        logger.info("Shown to the person: %s", error, exc_info=True)
        st.error(str(error), icon=":material/error:")
    except Exception:  # whatever it is, the person gets a sentence and the log gets the traceback
        error_id = secrets.token_hex(4)
        logger.exception("Unexpected error %s", error_id)
        st.error(
            "Something went wrong that this page did not expect. Nothing you saved is lost: reload the page and try "
            f"again. If it comes back, look for error id {error_id} in the log of the server.",
            icon=":material/error:",
        )
