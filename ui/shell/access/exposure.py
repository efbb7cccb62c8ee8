"""From where the server can be reached, as its settings in force say."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

_LOCAL_NAME: Final = "localhost"


def reached_from_elsewhere() -> str | None:
    """Why others than the people at this machine can reach the server, in words; None if they cannot.

    It is the settings in force that count, whether a flag, the environment or a file has given them. Streamlit
    listens on all addresses where none is set.
    """
    address: str | None = st.get_option("server.address")
    if not address:
        return "it listens on every address of this machine (server.address is not set)"
    if not _is_local(address):
        return f"it listens on the address {address}"
    names: Sequence[Any] = st.get_option("server.allowedHosts") or ("*",)
    foreign = [str(name) for name in names if not _is_local(str(name))]
    if foreign:
        name = "every name" if foreign[0] == "*" else f"the name {foreign[0]}"
        return f"it answers to {name} (server.allowedHosts)"
    if not st.get_option("server.enableCORS"):
        return "any website may talk to it (server.enableCORS is off)"
    return None


def _is_local(name: str) -> bool:
    if name.strip().lower().rstrip(".") == _LOCAL_NAME:
        return True
    try:
        return ipaddress.ip_address(name.strip().strip("[]")).is_loopback
    except ValueError:
        return False
