"""Nothing of the workspace is seen by a visitor who is not let in."""

from __future__ import annotations

import ast
import importlib.util
import logging
from pathlib import Path

import pytest

from tests.ui.pages_without_browser import ENTRY, ROOT, open_page, texts
from tl_core.storage.passcode import hash_passcode
from ui.shell.access import gate
from ui.shell.access.gate import FREE_ATTEMPTS
from ui.shell.navigation import PAGES

PASSCODE = "brick & grass"
HASH = hash_passcode(PASSCODE)
PAGE_FILES = [None if page.path == "app.py" else page.path for page in PAGES]


def everything(at):
    """All that a page shows or offers, the text of every element included."""
    return texts(at) + repr(at.main) + repr(at.sidebar)


def controls(at):
    return [*at.button, *at.selectbox, *at.text_input, *at.page_link, *at.radio, *at.checkbox]


def shut(at, dataset):
    """The page has its title and a sentence; no name, no link, no control of the workspace."""
    assert dataset.name not in everything(at)
    assert dataset.id not in everything(at)
    assert not at.sidebar.page_link
    return at


@pytest.mark.parametrize(
    ("page", "address"),
    [*((page, "0.0.0.0") for page in PAGE_FILES), *((None, other) for other in ("192.168.1.20", "::", "", None))],
)
def test_any_other_address_is_refused_on_every_page(dataset, setting, address, page, caplog):
    setting("server.address", address)
    with caplog.at_level(logging.ERROR, "ui.shell.access"):
        at = shut(open_page(page), dataset)
    (error,) = at.error
    assert "stays closed" in error.value
    assert "TL_PASSCODE_HASH" in error.value
    assert controls(at) == []
    assert "stays closed" in caplog.text


@pytest.mark.parametrize("page", PAGE_FILES)
def test_on_this_machine_every_page_is_open(dataset, page):
    at = open_page(page)
    assert not at.error
    assert len(at.sidebar.page_link) == len(PAGES)


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "127.0.0.2", "::1"])
def test_every_name_of_this_machine_is_open(dataset, setting, address):
    setting("server.address", address)
    assert not open_page().error


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("server.allowedHosts", [], "every name"),
        ("server.allowedHosts", ["localhost", "school.example.org"], "school.example.org"),
        ("server.enableCORS", False, "any website"),
    ],
)
def test_a_server_reached_by_another_name_or_from_any_website_is_refused_too(dataset, setting, name, value, words):
    setting(name, value)
    (error,) = shut(open_page(), dataset).error
    assert words in error.value


def test_home_names_who_shares_the_workspace(workspace, monkeypatch):
    assert "Everyone at this machine shares one workspace." in texts(open_page())
    monkeypatch.setenv("TL_PASSCODE_HASH", HASH)
    assert "Everyone who has the pass-code shares one workspace." in texts(typed(open_page(), PASSCODE))


def typed(at, passcode):
    at.text_input[0].input(passcode)
    (button,) = [button for button in at.button if button.label == "Open the dashboard"]
    return button.click().run()


@pytest.mark.parametrize("page", PAGE_FILES)
def test_the_pass_code_opens_the_page_and_is_needed_once(dataset, setting, monkeypatch, page, caplog):
    setting("server.address", "0.0.0.0")
    monkeypatch.setenv("TL_PASSCODE_HASH", HASH)
    at = shut(open_page(page), dataset)
    assert [field.label for field in at.text_input] == ["Pass-code"]
    assert [button.label for button in at.button] == ["Open the dashboard"]
    with caplog.at_level(logging.DEBUG):
        typed(at, PASSCODE)
        assert len(at.sidebar.page_link) == len(PAGES)
        at.switch_page("pages/1_Data.py").run()
    assert dataset.name in everything(at)
    assert PASSCODE not in caplog.text
    assert PASSCODE not in str(at.session_state)


def test_a_page_that_closes_ends_the_parts_that_refresh_themselves(dataset, monkeypatch):
    """One that went on would draw at a place that is gone, and the browser would show an empty window."""
    monkeypatch.setenv("TL_PASSCODE_HASH", HASH)
    at = typed(open_page(), PASSCODE)
    parts = at._fragment_storage._fragments
    assert parts, "the line over each page refreshes itself"
    monkeypatch.setattr(gate, "_WORD", "of another start of the server")
    shut(at.run(), dataset)
    assert not parts


def test_a_wrong_pass_code_opens_nothing_and_is_not_logged(dataset, monkeypatch, caplog):
    monkeypatch.setenv("TL_PASSCODE_HASH", HASH)
    with caplog.at_level(logging.DEBUG):
        at = shut(typed(open_page(), "wrong one"), dataset)
    assert "not the pass-code" in at.error[0].value
    assert "wrong one" not in caplog.text


def test_after_some_wrong_ones_the_right_one_has_to_wait_in_every_session(dataset, monkeypatch):
    monkeypatch.setenv("TL_PASSCODE_HASH", HASH)
    for number in range(FREE_ATTEMPTS + 1):
        typed(open_page(), f"wrong {number}")
    at = shut(typed(open_page(), PASSCODE), dataset)
    assert "too many wrong pass-codes" in at.error[0].value


def test_a_session_cannot_let_itself_in(dataset, monkeypatch):
    monkeypatch.setenv("TL_PASSCODE_HASH", HASH)
    at = open_page()
    for word in (True, "yes", ""):
        at.session_state["access"] = word
        shut(at.run(), dataset)


def test_a_hash_that_cannot_be_read_lets_nobody_in(dataset, monkeypatch):
    monkeypatch.setenv("TL_PASSCODE_HASH", HASH[:-5])
    at = shut(open_page(), dataset)
    assert "python -m tl_core passcode" in at.error[0].value
    assert controls(at) == []


def test_an_invited_login_comes_in_from_anywhere(dataset, setting, monkeypatch, user):
    setting("server.address", "0.0.0.0")
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    user({"is_logged_in": True, "email": "ada@example.org"})
    at = open_page("pages/1_Data.py")
    assert dataset.name in everything(at)


def test_a_login_that_is_not_invited_can_only_log_out(dataset, monkeypatch, user):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    user({"is_logged_in": True, "email": "eve@example.org"})
    at = shut(open_page(), dataset)
    assert "not on the list" in at.info[0].value
    assert [control.label for control in controls(at)] == ["Log out"]


def test_without_a_login_there_is_only_the_button_to_log_in(dataset, monkeypatch, user):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    user({"is_logged_in": False})
    at = shut(open_page(), dataset)
    assert [control.label for control in controls(at)] == ["Log in"]


def test_a_list_without_a_login_lets_nobody_in(dataset, monkeypatch):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    monkeypatch.setattr("ui.shell.access.protection.get_secrets_auth_section", dict)
    assert "no login is configured" in shut(open_page(), dataset).error[0].value


def test_a_login_without_a_list_is_no_protection(dataset, setting, user):
    setting("server.address", "0.0.0.0")
    user({"is_logged_in": True, "email": "eve@example.org"})
    assert "TL_ALLOWED_EMAILS" in shut(open_page(), dataset).error[0].value


@pytest.mark.parametrize("missing", ["authlib", "httpx"])
def test_a_login_that_would_fail_for_want_of_a_package_names_it(dataset, monkeypatch, user, missing):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    user({"is_logged_in": False})
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == missing else found(name, *more)
    )
    assert f"({missing}): run “pip install streamlit[auth]”" in shut(open_page(), dataset).error[0].value


def test_a_login_that_has_run_out_is_renewed_at_one_press(dataset, monkeypatch, user):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    user({"is_logged_in": True, "email": "ada@example.org", "exp": 1_000_000_000})
    at = shut(open_page(), dataset)
    assert "has run out" in at.info[0].value
    assert [control.label for control in controls(at)] == ["Log in"]


@pytest.mark.parametrize("section", [{"client_id": "x"}, {"cookie_secret": "short"}])
def test_a_login_whose_cookie_could_be_forged_lets_nobody_in(dataset, monkeypatch, user, section):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    user({"is_logged_in": True, "email": "ada@example.org"})
    monkeypatch.setattr("ui.shell.access.protection.get_secrets_auth_section", lambda: section)
    assert "longer cookie_secret" in shut(open_page(), dataset).error[0].value


def test_the_secrets_are_not_kept_in_the_repository():
    assert ".streamlit/secrets.toml" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_addresses_that_come_in_headers_are_not_believed(dataset, setting, monkeypatch, user):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "ada@example.org")
    setting("server.trustedUserHeaders", {"X-Email": "email"})
    user({"is_logged_in": True, "email": "ada@example.org"})
    assert "trustedUserHeaders" in shut(open_page(), dataset).error[0].value


def drawn(node):
    """What a visitor sees of the file that is also imported as the server, and names for the type checker alone."""
    assert ast.unparse(node.test) in {"__name__ == '__main__'", "TYPE_CHECKING"}
    return node.body


@pytest.mark.parametrize("path", [ENTRY, *sorted(map(str, (ROOT / "pages").glob("*.py")))])
def test_a_page_does_nothing_outside_its_frame(path):
    """At the top of a page stand only definitions, constants, what the address says, and ``with page_setup``."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    tree.body = [inner for node in tree.body for inner in (drawn(node) if isinstance(node, ast.If) else [node])]
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Expr, ast.Assign, ast.With)
    assert all(isinstance(node, allowed) for node in tree.body)
    (frame,) = [node for node in tree.body if isinstance(node, ast.With)]
    assert ast.unparse(frame.items[0].context_expr.func) == "page_setup"
    plain = [node for node in tree.body if isinstance(node, (ast.Expr, ast.Assign))]
    calls = {ast.unparse(inner.func) for node in plain for inner in ast.walk(node) if isinstance(inner, ast.Call)}
    assert calls <= {"st.query_params.get"}
