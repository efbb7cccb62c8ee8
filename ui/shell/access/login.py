"""Whether a person who logged in by OpenID Connect is one of those who were invited."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

VARIABLE: Final = "TL_ALLOWED_EMAILS"


def allowed_emails() -> frozenset[str]:
    """The e-mail addresses in ``TL_ALLOWED_EMAILS``, divided by commas or spaces, in small letters."""
    text = os.environ.get(VARIABLE, "")
    return frozenset(part.casefold() for part in text.replace(",", " ").replace(";", " ").split())


def objection(user: Mapping[str, Any], allowed: frozenset[str], now: float) -> str | None:
    """Why this person is not let in, as a sentence; None if they are.

    Args:
        user: the claims of the identity token, as ``st.user`` gives them, with ``is_logged_in``.
        allowed: addresses in small letters.
        now: Unix seconds. Streamlit keeps a login for 30 days and does not look at the token's ``exp``.
    """
    if user.get("is_logged_in") is not True:
        return "Log in to see this page."
    if has_run_out(user, now):
        return "Your login has run out: log in once more."
    email = user.get("email")
    if not isinstance(email, str) or not email:
        return "Your login gives no e-mail address, so it cannot be compared with the list of people invited."
    if user.get("email_verified", True) not in (True, "true"):
        return "The provider of your login has not verified your e-mail address: verify it there, then log in again."
    if email.casefold() not in allowed:
        return "Your e-mail address is not on the list of people invited: ask whoever runs this dashboard."
    return None


def has_run_out(user: Mapping[str, Any], now: float) -> bool:
    """Whether a login is over at ``now``, in Unix seconds; one that names no end goes on."""
    expires = user.get("exp")
    return expires is not None and not _later(expires, now)


def _later(moment: Any, now: float) -> bool:
    try:
        return float(moment) > now
    except (TypeError, ValueError):
        return False
