"""What a training takes of a cluster, and what a node may lack; without a cluster."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tl_core.command_line import main
from tl_core.errors import ClusterError
from tl_core.jobs.queue import default_runner
from tl_core.jobs.runners.ray_cluster import ADDRESS, CPUS, MEMORY, Needs, connect, names_of
from tl_core.jobs.runners.ray_node import check_node
from tl_core.jobs.runners.ray_runner import RayRunner
from tl_core.jobs.runners.worker import WorkerRunner

GB = 10**9


def node(name="lab-1", identity="a1b2c3d4", **resources):
    return {"NodeID": identity, "NodeManagerHostname": name, "Resources": {"memory": 16 * GB, **resources}}


def test_without_a_gpu_a_node_trains_one_run_at_a_time():
    nodes = [node(CPU=8.0), node(CPU=8.0), node(CPU=0)]
    assert Needs.of(nodes) == Needs(cpus=8.0, gpus=0, memory=3 * GB)
    assert Needs.of(nodes).fit_into(nodes) == 2


def test_with_gpus_there_is_one_training_per_gpu_and_none_elsewhere():
    nodes = [node(CPU=16.0, GPU=2.0), node(CPU=12.0, GPU=1.0), node(CPU=64.0)]
    assert Needs.of(nodes) == Needs(cpus=8.0, gpus=1, memory=3 * GB)
    assert Needs.of(nodes).fit_into(nodes) == 3


def test_a_small_node_gives_all_its_memory():
    nodes = [node(CPU=2.0, memory=1 * GB), node(CPU=2.0)]
    assert Needs.of(nodes).memory == 1 * GB
    assert Needs.of(nodes).fit_into(nodes) == 2


def test_two_variables_say_otherwise(monkeypatch):
    monkeypatch.setenv(CPUS, "4")
    monkeypatch.setenv(MEMORY, "8")
    nodes = [node(CPU=16.0), node(CPU=16.0)]
    assert Needs.of(nodes) == Needs(cpus=4.0, gpus=0, memory=8 * GB)
    assert Needs.of(nodes).fit_into(nodes) == 4
    monkeypatch.setenv(CPUS, "many")
    with pytest.raises(ClusterError, match=r"TL_RAY_CPUS must be a number above 0\. Received: many"):
        Needs.of(nodes)


def test_a_cluster_without_nodes_holds_nothing():
    assert Needs.of([]).fit_into([]) == 0


def test_nodes_are_called_by_their_machine():
    names = names_of([node("lab-1", "a1b2c3d4"), node("lab-2", "b1b2c3d4"), node("lab-2", "c1b2c3d4")])
    assert names == {"a1b2c3d4": "lab-1", "b1b2c3d4": "lab-2-b1b2c3", "c1b2c3d4": "lab-2-c1b2c3"}


def test_the_variable_decides_where_the_queue_trains(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    assert isinstance(default_runner(), WorkerRunner)
    monkeypatch.setenv(ADDRESS, "auto")
    assert isinstance(default_runner(), RayRunner)


def test_without_the_variable_the_command_says_what_to_set(workspace, dataset, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    monkeypatch.delenv(ADDRESS, raising=False)
    assert main(["train", "--data", dataset.id, "--runner", "ray"]) == 2
    assert "set TL_RAY_ADDRESS to auto" in capsys.readouterr().err


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv(ADDRESS, "auto")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ClusterError, match="pip install"):
        connect("auto")


def checked(folder: Path, expected="token"):
    return check_node(str(folder), expected, "answer")["problem"]


def test_a_node_that_sees_the_workspace_answers_in_it(tmp_path):
    (tmp_path / "token").write_text("token")
    assert checked(tmp_path) is None
    assert (tmp_path / "answer").read_text() == "token"


def test_a_node_without_the_workspace_says_so(tmp_path):
    assert "does not see the folder" in checked(tmp_path / "nowhere")
    assert "has another folder at" in checked(tmp_path)
    (tmp_path / "token").write_text("something else")
    assert "reads something else" in checked(tmp_path)


def test_a_node_that_may_not_write_says_so(tmp_path):
    (tmp_path / "token").write_text("token")
    (tmp_path / "answer").mkdir()
    assert f"cannot write in {tmp_path} ({os.strerror(21)})" in checked(tmp_path)
