"""What brought networks and downloaded weights take, and what is lost with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tl_core.small_trainings import COLOURS, import_coloured
from tl_core.backbones.networks import NETWORK, Network, list_networks, network_id, networks_folder, save_network
from tl_core.backbones.registry import get_backbone
from tl_core.command_line import main
from tl_core.config import TrainingConfig
from tl_core.errors import ConfigError, NotYoursError
from tl_core.imported_models.networks.kept import (
    bytes_of,
    clear_weights,
    downloaded_weights,
    kept_networks,
    remove_network,
)
from tl_core.runs import create_run, update_run
from tl_core.storage.ownership import claim, person_id
from tl_core.storage.workspace import Workspace


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
    return Workspace.from_environment().ensure()


def keep_network(workspace: Workspace, title: str, size: int = 1000) -> str:
    """A network as bringing leaves it, with a file that is none."""
    name = network_id(title, title, workspace.person)
    folder = networks_folder(workspace) / name
    folder.mkdir(parents=True)
    (folder / NETWORK).write_bytes(bytes(size))
    network = Network(
        id=name,
        title=title,
        origin=title,
        sha256="0" * 64,
        size=size,
        image_size=32,
        any_size=False,
        scaling="built_in",
        strides="2",
        feature_shape=(2, 2, 4),
        parameters=10,
    )
    save_network(folder, network)
    claim(workspace, folder)
    return name


def trained_with(room: Workspace, name: str, status: str) -> None:
    run = create_run(room, replace(TrainingConfig(), backbone=name), import_coloured(room, COLOURS, 4), status)
    update_run(run.path, status=status)


def test_a_network_says_what_it_takes_and_which_runs_need_it(room):
    small, large = keep_network(room, "small"), keep_network(room, "large", 50_000)
    trained_with(room, large, "done")
    trained_with(room, large, "interrupted")
    first, second = kept_networks(room)
    assert (first.network.id, second.network.id) == (large, small)
    assert first.size > 50_000
    assert first.cost == (
        "2 runs trained with it, 1 of them not to the end: their models stay, but they cannot be trained further "
        "until the network is brought again."
    )
    assert second.cost == "No run was trained with it."
    assert remove_network(room, large).network.id == large
    assert [network.id for network in list_networks(room)] == [small]


def test_while_a_training_waits_for_it_nothing_is_deleted(room, capsys):
    name = keep_network(room, "needed")
    create_run(room, replace(TrainingConfig(), backbone=name), import_coloured(room, COLOURS, 4))
    assert kept_networks(room)[0].at_work
    with pytest.raises(ConfigError, match="“needed” is used by a training"):
        remove_network(room, name)
    assert main(["weights", "remove", name]) == 2
    assert [network.id for network in list_networks(room)] == [name]


def test_the_command_line_says_what_went_with_it(room, capsys):
    name = keep_network(room, "old")
    trained_with(room, name, "done")
    assert main(["weights", "remove", name]) == 0
    assert "1 run trained with it: its model stays" in capsys.readouterr().out
    assert main(["weights", "remove", name]) == 2
    assert "There is no network" in capsys.readouterr().err


def test_each_person_has_their_own_and_others_neither_see_nor_delete_it(room):
    ada, eve = (replace(room, person=person_id(room, name)) for name in ("ada@example.org", "eve@example.org"))
    hers = keep_network(ada, "secret plans")
    assert hers != network_id("secret plans", "secret plans", eve.person)
    assert [network.id for network in list_networks(ada)] == [hers]
    assert list_networks(eve) == []
    assert kept_networks(eve) == []
    with pytest.raises(NotYoursError):
        remove_network(eve, hers)
    assert get_backbone(hers).title == "secret plans", "a run of hers that is shared can be trained again"


def test_downloads_of_ours_are_cleared_and_files_of_others_stay(room, tmp_path):
    keras = tmp_path / "keras" / "models"
    keras.mkdir(parents=True)
    vgg = get_backbone("vgg16").weights_file
    ours = [keras / vgg, keras / f".{vgg}.part", keras / "library.js", room.weights / "brought-by-hand.h5"]
    for path in [*ours, keras / "of-another-program.h5"]:
        path.write_bytes(bytes(1000))
    left = room.weights / "downloads" / "models" / "part"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(500))
    kept = keep_network(room, "kept")
    found = downloaded_weights(room, ("library.js",))
    assert {*ours, room.weights / "downloads"} == set(found)
    assert bytes_of(found) == 4500
    clear_weights(room, found)
    assert downloaded_weights(room) == []
    assert [path.name for path in keras.iterdir()] == ["of-another-program.h5"]
    assert [network.id for network in list_networks(room)] == [kept]
