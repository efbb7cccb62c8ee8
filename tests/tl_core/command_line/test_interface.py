"""What scripts build on: verbs, options, help texts, and the keys of each verb's JSON.

``interface.json`` is the reference. After an intended change,
``python -m tests.tl_core.command_line.test_interface`` writes the options of today; the keys are edited by hand.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.tl_core.small_trainings import COLOURS, coloured
from tl_core.command_line import main, parser

REFERENCE = Path(__file__).with_name("interface.json")
QUICK = (
    *("--backbone", "vgg16", "--weights", "random", "--image-size", "32", "--batch-size", "8"),
    *("--epochs", "1", "--precision", "float32"),
)


def options_of_every_verb() -> dict[str, list[dict[str, Any]]]:
    """Verb -> its options; ``""`` -> the verbs with their one line of help."""
    verbs = next(entry for entry in parser()._actions if isinstance(entry, argparse._SubParsersAction))
    listed = {"": [{"verb": entry.dest, "help": entry.help} for entry in verbs._choices_actions]}
    return listed | {name: [_option(action) for action in own._actions] for name, own in verbs.choices.items()}


def _option(action: argparse.Action) -> dict[str, Any]:
    names = ("option_strings", "dest", "nargs", "metavar", "required", "help")
    choices = None if action.choices is None else list(action.choices)
    return {name: getattr(action, name) for name in names} | {"choices": choices, "default": repr(action.default)}


def _one_line_each(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(f" {json.dumps(entry, ensure_ascii=False)}" for entry in value) + "\n]"


def keys_of(value: Any) -> Any:
    """A JSON value without its figures: the names of its keys, at every depth; a list by its first entry."""
    if isinstance(value, dict):
        return {key: keys_of(value[key]) for key in sorted(value)}
    return [keys_of(entry) for entry in value[:1] if isinstance(entry, dict)] if isinstance(value, list) else None


@pytest.fixture
def keys(tmp_path, monkeypatch, capsys):
    """``keys("runs")`` -> exit code, and the keys of the JSON; ``keys.last`` is the JSON itself."""
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("TL_PASSCODE_HASH", raising=False)

    def call(*words):
        code = main([str(word) for word in words] + ["--json"])
        call.last = json.loads(capsys.readouterr().out.splitlines()[-1])
        return {"exit": code, "keys": keys_of(call.last)}

    return call


@pytest.fixture
def pictures(tmp_path):
    for name, colour in COLOURS.items():
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            (tmp_path / "pictures" / name / f"{number}.png").write_bytes(coloured(colour, 300 + number))
    return tmp_path / "pictures"


def test_verbs_and_options_are_those_of_the_reference():
    written = json.loads(json.dumps(options_of_every_verb()))
    assert written == json.loads(REFERENCE.read_text("utf-8"))["options"]


@pytest.mark.slow
def test_every_verb_prints_the_keys_of_the_reference(keys, pictures, tmp_path, monkeypatch):
    picture = pictures / "red" / "0.png"
    found = {"backbones": keys("backbones"), "import": keys("import", pictures)}
    dataset = keys.last["dataset_id"]
    found["datasets"] = keys("datasets")
    found["datasets of one"] = keys("datasets", dataset)
    found["train"] = keys("train", "--data", dataset, *QUICK)
    run = keys.last["run_id"]
    found["resume"] = keys("resume", run, "--more", 1)
    found["train of another"] = keys("train", "--data", dataset, *QUICK, "--learning-rate", 0.01)
    other = keys.last["run_id"]
    found["search"] = keys("search", "--data", dataset, "--minutes", 0.05)
    found["evaluate"] = keys("evaluate", run, "--report", tmp_path / "report.md")
    found["predict"] = keys("predict", run, picture)
    found["explain"] = keys("explain", run, picture, "--output", tmp_path / "why.png")
    found["runs"] = keys("runs")
    found["compare"] = keys("compare", run, other)
    found["export"] = keys("export", run, "--format", "keras", "--output", tmp_path)
    archive = Path(keys.last["file"])
    found["predict with a file"] = keys("predict", "--model", archive, picture)
    found["code"] = keys("code", run)
    found["code in a file"] = keys("code", run, "--notebook", "--output", tmp_path / "run.ipynb")
    found["calibrate"] = keys("calibrate", *QUICK)
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough pass-code\n"))
    found["passcode"] = keys("passcode")
    found["doctor"] = keys("doctor") | {"exit": None}  # as the machine is
    assert found == json.loads(REFERENCE.read_text("utf-8"))["keys"]


if __name__ == "__main__":
    reference = json.loads(REFERENCE.read_text("utf-8")) | {"options": options_of_every_verb()}
    parts = [
        f"{json.dumps(part)}: {{\n"
        + ",\n".join(f"{json.dumps(name)}: {_one_line_each(value)}" for name, value in entries.items())
        + "\n}"
        for part, entries in reference.items()
    ]
    REFERENCE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
