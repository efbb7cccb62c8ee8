"""Pretrained networks on the Runs page: what they take, and choosing which may go."""

from __future__ import annotations

import pytest

from tests.tl_core.imported_models.networks.test_kept import keep_network, trained_with
from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import ended_run
from tl_core.backbones.networks import list_networks
from tl_core.storage.passcode import hash_passcode

PAGE = "pages/3_Runs.py"
WEIGHTS = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(autouse=True)
def run(workspace, dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return ended_run(workspace, dataset, "First try", status="stopped", model=False)


def opened(at):
    at.session_state["runs-networks-0"] = True
    return checked(at.run())


def test_without_any_nothing_is_said():
    assert "Pretrained networks" not in texts(open_page(PAGE))


def test_what_may_go_is_ticked_and_what_needs_it_is_said(workspace):
    old, kept = keep_network(workspace, "old", 3_000_000), keep_network(workspace, "kept", 2_000_000)
    trained_with(workspace, old, "interrupted")
    at = open_page(PAGE)
    assert "Pretrained networks: 5 MB." in texts(at)
    at = opened(at)
    assert "1 run trained with it, not to its end: its model stays" in texts(at)
    assert at.button(key="runs-networks-yes").disabled
    checked(at.checkbox(key=f"runs-networks-{old}").check().run())
    press(at, "Delete what is ticked")
    assert [network.id for network in list_networks(workspace)] == [kept]
    assert "Pretrained networks: 2 MB." in texts(at)
    assert not at.checkbox, "the list is closed"


def test_downloaded_weights_are_cleared_at_this_machine_alone(workspace, monkeypatch):
    file = workspace.weights / WEIGHTS
    file.write_bytes(bytes(1_000_000))
    at = opened(open_page(PAGE))
    checked(at.checkbox(key="runs-networks-weights").check().run())
    press(at, "Delete what is ticked")
    assert not file.exists()
    file.write_bytes(bytes(1_000_000))
    monkeypatch.setenv("TL_PASSCODE_HASH", hash_passcode("brick & grass"))
    at = open_page(PAGE)
    at.text_input[0].input("brick & grass")
    at = opened(press(at, "Open the dashboard"))
    assert at.checkbox(key="runs-networks-weights").disabled
    assert "Whoever runs this dashboard has filled this folder" in texts(at)
