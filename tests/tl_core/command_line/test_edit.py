"""Every option of ``edit`` and ``import``, as a script uses them."""

from __future__ import annotations

import json

import pytest

from tests.hostile.pictures import png
from tl_core.command_line import main
from tl_core.storage.workspace import Workspace

EACH = 10


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def tl(workspace, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))

    def call(*words):
        assert main([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


@pytest.fixture
def folder(tmp_path):
    for place, name in enumerate(("cat", "dog", "owl")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(EACH):
            (tmp_path / "pets" / name / f"{number}.png").write_bytes(png(100 * place + number))
    return tmp_path / "pets"


def of_class(tl, dataset: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for image in tl("datasets", dataset)["images"]:
        counts[image["class"]] = counts.get(image["class"], 0) + 1
    return counts


def test_every_option_of_edit_does_what_it_says_in_a_revision_of_its_own(tl, folder, tmp_path):
    dataset = tl("import", folder)["dataset_id"]
    more = tmp_path / "more"
    more.mkdir()
    for number in range(3):
        (more / f"{number}.png").write_bytes(png(900 + number))
    (more / "notes.txt").write_text("no picture")
    copy = tmp_path / "copy.png"
    copy.write_bytes(png(0))
    steps = [
        (("--move", "cat/0.png", "--class", "dog", "--split", "train"), "Moved 1 image to dog and train"),
        (("--move", "cat/1.png", "--class", "lynx", "--split", "train"), "Moved 1 image to lynx and train"),
        (("--remove", "cat/2.png", "cat/3.png"), "Removed 2 images"),
        (("--add", more, "--class", "owl", "--split", "test"), "Added 3 images to owl"),
        (("--add", copy, "--class", "cat", "--split", "train"), "Added 1 image to cat"),
        (("--rename-class", "lynx", "bobcat"), "Renamed lynx to bobcat"),
        (("--merge-classes", "bobcat", "cat", "--class", "feline"), "Merged bobcat, cat into feline"),
        (("--merge-classes", "dog", "feline"), "Merged feline into dog"),
        (("--remove-duplicates",), "Removed 1 exact copy"),
        (("--divide-again",), "Split again"),
    ]
    for number, (words, what) in enumerate(steps, start=2):
        values = tl("edit", dataset, *words)
        assert (values["revision"], values["revisions"][-1]["what"]) == (number, what)
    assert of_class(tl, dataset) == {"dog": 2 * EACH - 2, "owl": EACH + 3}
    assert tl("edit", dataset, "--undo")["revision"] == len(steps)
    assert tl("edit", dataset, "--redo")["revision"] == len(steps) + 1
    other = tl("import", folder)["dataset_id"]
    values = tl("edit", other, "--delete-class", "owl")
    assert (values["classes"], values["revisions"][-1]["what"]) == (["cat", "dog"], "Deleted the class owl")


def test_import_takes_name_fractions_and_seed(tl, folder):
    plain = tl("import", folder, "--name", "Pets", "--validation", 0.3, "--test", 0, "--seed", 1)
    assert (plain["name"], plain["images"]) == ("Pets", {"train": 21, "validation": 9, "test": 0})
    validation = [
        {image["image"] for image in tl("datasets", found["dataset_id"])["images"] if image["split"] == "validation"}
        for found in (
            plain,
            *(tl("import", folder, "--validation", 0.3, "--test", 0, "--seed", seed) for seed in (1, 2)),
        )
    ]
    assert validation[0] == validation[1] != validation[2]
    assert tl("import", folder, "--dry-run")["classes"] == {name: {"": EACH} for name in ("cat", "dog", "owl")}


def test_undo_says_what_is_undone_and_redo_what_is_done_again(tl, folder, capsys):
    dataset = tl("import", folder)["dataset_id"]
    tl("edit", dataset, "--delete-class", "owl")
    assert main(["edit", dataset, "--undo"]) == 0
    assert "--undo: “Deleted the class owl” is undone, revision 1 counts again" in "".join(capsys.readouterr())
    assert main(["edit", dataset, "--redo"]) == 0
    assert "--redo: Deleted the class owl" in "".join(capsys.readouterr())
