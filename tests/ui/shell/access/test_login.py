"""Who may come in by a login of OpenID Connect; the provider is out of the picture, its claims are not."""

from __future__ import annotations

import pytest

from ui.shell.access.protection import allowed_emails, objection

NOW = 1_800_000_000.0
ALLOWED = frozenset({"ada@example.org"})
ADA = {"is_logged_in": True, "email": "ada@example.org", "exp": NOW + 60, "email_verified": True}


def test_an_invited_person_comes_in():
    assert objection(ADA, ALLOWED, NOW) is None
    assert objection({**ADA, "email": "Ada@Example.ORG"}, ALLOWED, NOW) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"is_logged_in": False}, "Log in"),
        ({"is_logged_in": "true"}, "Log in"),
        ({"email": "eve@example.org"}, "not on the list"),
        ({"email": "ada@example.org.evil.net"}, "not on the list"),
        ({"email": ""}, "no e-mail address"),
        ({"email": None}, "no e-mail address"),
        ({"email": ["ada@example.org"]}, "no e-mail address"),
        ({"email_verified": False}, "not verified"),
        ({"email_verified": "false"}, "not verified"),
        ({"exp": NOW - 1}, "run out"),
        ({"exp": "soon"}, "run out"),
    ],
)
def test_nobody_else_does(change, sentence):
    assert sentence in objection({**ADA, **change}, ALLOWED, NOW)


def test_an_empty_list_invites_nobody():
    assert "not on the list" in objection(ADA, frozenset(), NOW)


def test_the_list_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("TL_ALLOWED_EMAILS", "Ada@example.org, bob@example.org;\n carol@example.org ,")
    assert allowed_emails() == {"ada@example.org", "bob@example.org", "carol@example.org"}
    monkeypatch.setenv("TL_ALLOWED_EMAILS", " , ")
    assert allowed_emails() == frozenset()
