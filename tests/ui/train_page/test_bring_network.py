"""Pasting an address in the form: progress, what was found, and the network as a backbone to choose."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.tl_core.imported_models.networks.hub_networks import save_feature_vector
from tests.tl_core.imported_models.networks.local_hub import local_hub
from tests.tl_core.imported_models.test_plain_keras import five_logits
from tests.ui.pages_without_browser import checked, open_page, pictures, press, run_until, texts
from tl_core.backbones.networks import delete_network, list_networks
from tl_core.data import import_uploads
from tl_core.storage.passcode import hash_passcode
from tl_core.storage.workspace import Workspace
from ui.train_page import bring_network

PAGE = "pages/2_Train.py"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "workspace").ensure()
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
    import_uploads(workspace, pictures(), "Pets")
    with local_hub({}) as hub:
        monkeypatch.setenv("KAGGLE_API_ENDPOINT", hub.url)
        yield hub


def unfolded(at):
    assert [entry.label for entry in at.expander].count("Bring your own network") == 1
    at.session_state["train_bring_network"] = True
    return checked(at.run())


def bring(at, address):
    (field,) = [field for field in at.text_input if field.label == "Address"]
    checked(field.set_value(address).run())
    press(at, "Add it")
    return run_until(at, lambda at: not [button for button in at.button if button.label == "Cancel"], reruns=2000)


@pytest.mark.slow
def test_a_pasted_address_becomes_the_backbone_of_the_form(hub, tmp_path):
    save_feature_vector(tmp_path / "network")
    hub.networks["google/mobilenet-v2/050-96-feature-vector"] = tmp_path / "network"
    at = unfolded(open_page(PAGE))
    bring(at, "https://tfhub.dev/google/imagenet/mobilenet_v2_050_96/feature_vector/5")
    assert "is one of the backbones now" in texts(at)
    assert "12 features at 12 x 12 places" in texts(at)
    press(at, "Use it")
    assert "**mobilenet-v2 050-96** ·" in texts(at)
    assert "weights: on this machine" in texts(at)
    (network,) = list_networks()
    delete_network(Workspace.from_environment(), network.id)
    checked(at.run())
    assert "The network chosen before is not on this machine any more. EfficientNet-Lite0 is chosen" in texts(at)
    assert "**EfficientNet-Lite0** ·" in texts(at)


@pytest.mark.slow
def test_a_wrong_address_is_a_sentence(hub):
    at = unfolded(open_page(PAGE))
    bring(at, "https://example.org/network")
    assert "is no address of a network" in texts(at)
    bring(at, "google/none/tensorFlow2/x")
    assert "There is no network google/none/tensorFlow2/x" in texts(at)


def test_a_visitor_from_elsewhere_learns_nothing_of_the_servers_files(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("TL_PASSCODE_HASH", hash_passcode("brick & grass"))
    (tmp_path / "open" / "empty").mkdir(parents=True)
    (tmp_path / "network").mkdir()
    at = open_page(PAGE)
    at.text_input[0].input("brick & grass")
    at = unfolded(press(at, "Open the dashboard"))
    bring(at, str(tmp_path / "network"))
    assert "no folder of its server is open to them" in texts(at)
    monkeypatch.setenv("TL_DATA_ROOT", str(tmp_path / "open"))
    for path in (tmp_path / "network", tmp_path / "gone"):
        bring(at, str(path))
        assert "There is no such file or folder below the one that the operator" in texts(at)
    bring(at, "empty")
    assert "There is no saved_model.pb in it" in texts(at)
    bring(at, "resnet_51_imagenet")
    assert "Similar names are: resnet_50_imagenet" in texts(at)


@pytest.mark.parametrize("path", ["/gone", "x" * 5000])
def test_a_path_that_is_not_there_is_a_sentence(hub, path):
    at = unfolded(open_page(PAGE))
    bring(at, path)
    assert "There is no file or folder" in texts(at)


@pytest.mark.slow
def test_a_training_goes_on_from_what_a_run_has_learned(hub, tmp_path, monkeypatch):
    five_logits(scaled=True).save(tmp_path / "best.keras")
    folder = SimpleNamespace(model_file=tmp_path / "best.keras")
    run = SimpleNamespace(id="yesterday-1", name="yesterday", has_model=True, active=False, folder=folder)
    monkeypatch.setattr(bring_network, "list_runs", lambda _: [run])
    monkeypatch.setattr(bring_network, "find_run", lambda _, __: run)
    at = unfolded(open_page(PAGE))
    (field,) = [field for field in at.selectbox if field.label == "Or go on from a run"]
    checked(field.set_value("yesterday-1").run())
    press(at, "Add it")
    run_until(at, lambda at: not [button for button in at.button if button.label == "Cancel"], reruns=2000)
    assert "**yesterday** is one of the backbones now" in texts(at)
    assert "takes images of 64 x 64 pixels" in texts(at)
    assert "of numbers from 0 to 255" in texts(at)
    assert "4 features at 62 x 62 places" in texts(at)
    press(at, "Use it")
    assert "**yesterday** ·" in texts(at)
