"""What protects the dashboard, as its operator has configured it, and whether a login is one of those invited."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st
from streamlit.auth_util import get_secrets_auth_section

from tl_core.errors import ConfigError
from tl_core.inference.serving.address import is_local
from tl_core.storage.passcode import StoredHash

PASSCODE: Final = "TL_PASSCODE_HASH"
ALLOWED_EMAILS: Final = "TL_ALLOWED_EMAILS"
MIN_SECRET_LENGTH: Final = 32  # characters
NEEDED: Final = ("authlib", "httpx")  # by Streamlit's login, which without the second fails when somebody presses it


@dataclass(frozen=True, slots=True)
class Protection:
    """Exactly one of the first three is set, or none: then everybody who reaches the server is let in."""

    refusal: str | None = None  # a sentence: nobody is let in until the operator has changed something
    emails: frozenset[str] | None = None  # whoever logs in with one of these is let in
    passcode: StoredHash | None = None  # whoever knows it is let in

    @property
    def open(self) -> bool:
        """Whether everybody who reaches the server is let in."""
        return self.refusal is None and self.emails is None and self.passcode is None


def protection() -> Protection:
    """What is in force. Half a configuration never counts as none: it lets nobody in, and has the reason."""
    emails = allowed_emails()
    if emails:
        problem = _problem_of_login()
        return Protection(refusal=problem) if problem else Protection(emails=emails)
    if text := os.environ.get(PASSCODE):
        try:
            return Protection(passcode=StoredHash.parse(text))
        except ConfigError as error:
            return Protection(refusal=str(error))
    if (reason := reached_from_elsewhere()) is None:
        return Protection()
    return Protection(
        refusal=f"This dashboard stays closed, because {reason} and nothing protects it: start it with "
        "--server.address=127.0.0.1 to use it on this machine alone, or give it a pass-code "
        f"({PASSCODE}, made by “python -m tl_core passcode”) or a login with a list of e-mail addresses "
        f"({ALLOWED_EMAILS})."
    )


def require_protection() -> None:
    """End the program before it listens if nobody could be let in; asked by the server when it starts.

    Raises:
        SystemExit: with a sentence for whoever has started it.
    """
    refusal = protection().refusal
    if refusal is not None:
        raise SystemExit(f"\n{refusal}\n")


def _problem_of_login() -> str | None:
    section = get_secrets_auth_section()
    if not section:
        return (
            f"{ALLOWED_EMAILS} is set, but no login is configured: describe the provider in the section [auth] of "
            ".streamlit/secrets.toml, as Streamlit's documentation of st.login says."
        )
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return (
            f"{ALLOWED_EMAILS} is set, but logins need more packages ({', '.join(missing)}): run "
            "“pip install streamlit[auth]” and start again."
        )
    if len(section.get("cookie_secret", "")) < MIN_SECRET_LENGTH:
        return (
            f"The login needs a longer cookie_secret in the section [auth] of .streamlit/secrets.toml, at least "
            f"{MIN_SECRET_LENGTH} random characters: with a short one, logins can be forged."
        )
    if st.get_option("server.trustedUserHeaders"):
        return (
            f"{ALLOWED_EMAILS} is set together with server.trustedUserHeaders, by which a visitor could claim any "
            "address: remove one of the two."
        )
    return None


def for_this_machine_alone() -> bool:
    """Whether only the people at this machine use the dashboard: nobody else reaches it, also not through a proxy."""
    return not (os.environ.get(PASSCODE) or os.environ.get(ALLOWED_EMAILS) or reached_from_elsewhere())


def reached_from_elsewhere() -> str | None:
    """Why others than the people at this machine can reach the server, in words; None if they cannot.

    It is the settings in force that count, whether a flag, the environment or a file has given them. Streamlit
    listens on all addresses where none is set.
    """
    address: str | None = st.get_option("server.address")
    if not address:
        return "it listens on every address of this machine (server.address is not set)"
    if not is_local(address):
        return f"it listens on the address {address}"
    names: Sequence[Any] = st.get_option("server.allowedHosts") or ("*",)
    foreign = [str(name) for name in names if not is_local(str(name))]
    if foreign:
        name = "every name" if foreign[0] == "*" else f"the name {foreign[0]}"
        return f"it answers to {name} (server.allowedHosts)"
    if not st.get_option("server.enableCORS"):
        return "any website may talk to it (server.enableCORS is off)"
    return None


def allowed_emails() -> frozenset[str]:
    """The e-mail addresses in ``TL_ALLOWED_EMAILS``, divided by commas or spaces, in small letters."""
    text = os.environ.get(ALLOWED_EMAILS, "")
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
    try:
        return expires is not None and not float(expires) > now
    except (TypeError, ValueError):
        return True
