import importlib.util

import pytest
import streamlit as st
from streamlit import config

import ui.shell.access.gate as gate
from ui.shell.access.gate import Attempts
from ui.shell.access.protection import NEEDED

SETTINGS = ("server.address", "server.allowedHosts", "server.enableCORS", "server.trustedUserHeaders")


@pytest.fixture(autouse=True)
def nobody_has_tried(monkeypatch):
    """No pass-code, no login, and nothing counted from other tests."""
    for name in ("TL_PASSCODE_HASH", "TL_ALLOWED_EMAILS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gate, "_attempts", Attempts())
    monkeypatch.setattr(gate, "_told", set())


@pytest.fixture
def setting():
    """``setting("server.address", "0.0.0.0")``: as a flag, the environment or a file would set it."""
    before = {name: config.get_option(name) for name in SETTINGS}

    def change(name, value):
        assert name in SETTINGS
        config.set_option(name, value)

    yield change
    for name, value in before.items():
        config.set_option(name, value)


@pytest.fixture
def user(monkeypatch):
    """``user(email=...)``: what ``st.user`` says of the visitor; None = no login is configured."""

    def become(claims):
        monkeypatch.setattr(st, "user", claims)

    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: name in NEEDED or find(name, *more))
    monkeypatch.setattr("ui.shell.access.protection.get_secrets_auth_section", lambda: {"cookie_secret": "x" * 32})
    return become
