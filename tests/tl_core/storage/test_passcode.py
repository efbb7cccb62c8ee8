"""The pass-code's hash, and the verb that makes it."""

from __future__ import annotations

import io
import json

import pytest

from tl_core.command_line import main
from tl_core.errors import ConfigError
from tl_core.storage.passcode import StoredHash, hash_passcode

PASSCODE = "brick & grass"


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_passcode(PASSCODE)


def test_the_right_one_matches_and_no_other(stored):
    read = StoredHash.parse(stored)
    assert read.matches(PASSCODE)
    assert not read.matches(PASSCODE + " ")
    assert not read.matches("")
    assert not read.matches("\udcff" * 500)


def test_the_hash_tells_nothing_and_differs_every_time(stored):
    assert "brick" not in stored
    assert hash_passcode(PASSCODE) != stored


def test_a_hash_passes_through_a_shell_unchanged(stored):
    assert not set(stored) & set(" $`\"'\\!#&|;<>*?()[]{}~\n")


@pytest.mark.parametrize("passcode", ["", "1234567", "x" * 129])
def test_a_pass_code_has_a_sensible_length(passcode):
    with pytest.raises(ConfigError, match=f"Received: {len(passcode)} characters"):
        hash_passcode(passcode)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "brick & grass",
        lambda text: text[:-10],
        lambda text: text.replace("scrypt", "md5"),
        lambda text: text.replace("32768", "1"),
        lambda text: text.replace("32768", str(2**30)),
        lambda text: text.replace(":8:", ":0:"),
        lambda text: text + ":more",
    ],
)
def test_a_damaged_hash_is_refused_and_never_matches(stored, change):
    with pytest.raises(ConfigError, match="python -m tl_core passcode"):
        StoredHash.parse(change(stored))


def test_the_verb_gives_the_line_to_set_and_nothing_of_the_pass_code(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "none"))
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSCODE + "\n"))
    assert main(["passcode", "--json"]) == 0
    out, err = capsys.readouterr()
    assert StoredHash.parse(json.loads(out)["TL_PASSCODE_HASH"]).matches(PASSCODE)
    assert "brick" not in out + err
    assert not (tmp_path / "none").exists()


def test_the_verb_refuses_a_short_one_in_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["passcode"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "8 to 128 characters" in err
