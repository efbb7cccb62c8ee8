"""A backbone of every source keeps the same promises: built as its outline says, split, trained, asked elsewhere,
exported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from tests.tl_core.imported_models.networks.hub_networks import save_feature_vector
from tests.tl_core.imported_models.networks.presets import save_preset, vit, vit_converter
from tests.tl_core.imported_models.test_plain_keras import five_logits
from tests.tl_core.small_trainings import COLOURS, Trained, Trainer, import_coloured
from tl_core.backbones.build import build_backbone
from tl_core.backbones.networks import delete_network
from tl_core.backbones.outline import load_outline
from tl_core.backbones.record import Source
from tl_core.backbones.registry import get_backbone
from tl_core.errors import ModelFileError
from tl_core.export.exporting import export_run
from tl_core.features.partition import split_backbone
from tl_core.imported_models.networks.bringing import Wishes, bring_network
from tl_core.inference.predictor import open_predictor
from tl_core.storage.workspace import Workspace

ASKED_WITHOUT_US = """
import sys, keras, numpy as np
for folder in sys.argv[1:]:
    model = keras.models.load_model(folder + "/best.keras")
    np.save(folder + "/said.npy", np.asarray(model(np.load(folder + "/asked.npy"), training=False)))
"""
REGISTRY = ("keras.applications", "efficientnet_lite")
BROUGHT = ("hub", "preset", "file", "run")


@dataclass(frozen=True)
class Room:
    """A workspace, what was brought into it, and what was trained there."""

    workspace: Workspace
    folder: Path
    brought: dict[str, dict[str, Any]]
    trained: dict[str, Trained]

    def settings(self, source: str) -> dict[str, Any]:
        """What a training on a backbone of this source is told."""
        if source not in self.brought:
            self.brought[source] = SETTINGS[source](self)
        return self.brought[source]

    def run(self, source: str) -> Trained:
        """A training of the head, then of the last block."""
        if source not in self.trained:
            settings = self.settings(source)
            frozen = load_outline(settings["backbone"]).blocks[-1].first
            self.trained[source] = Trainer(self.workspace)(
                import_coloured(self.workspace, COLOURS, 6),
                **settings,
                epochs=1,
                frozen_layers=frozen,
                fine_tune_epochs=1,
                fine_tune_learning_rate=1e-4,
            )
        return self.trained[source]


def _bring(room: Room, path: Path, size: int, wishes: Wishes | None = None) -> dict[str, Any]:
    network = bring_network(room.workspace, path, wishes)
    return {"backbone": network.id, "weights": "imagenet", "image_size": size}


def _from_hub(room: Room) -> dict[str, Any]:
    save_feature_vector(room.folder / "hub")
    return _bring(room, room.folder / "hub", 64, Wishes(image_size=64))


def _from_preset(room: Room) -> dict[str, Any]:
    save_preset(room.folder / "preset", vit(), vit_converter())
    return _bring(room, room.folder / "preset", 32)


def _from_file(room: Room) -> dict[str, Any]:
    """Of a plain model whose images were scaled outside of it, which has to be said; deleted and brought again it is
    the same one."""
    five_logits(scaled=False).save(room.folder / "plain.keras")
    with pytest.raises(ModelFileError, match="does not say in which range it takes its images"):
        bring_network(room.workspace, room.folder / "plain.keras")
    wishes = Wishes(scaling="zero_to_one")
    first = _bring(room, room.folder / "plain.keras", 64, wishes)
    delete_network(room.workspace, first["backbone"])
    again = _bring(room, room.folder / "plain.keras", 64, wishes)
    assert again == first
    return again


def _from_run(room: Room) -> dict[str, Any]:
    """Of yesterday's model."""
    earlier = room.run("keras.applications")
    return _bring(room, earlier.folder.model_file, 64)


SETTINGS: dict[str, Callable[[Room], dict[str, Any]]] = {
    "keras.applications": lambda _: {"backbone": "mobilenet_v3_small", "weights": "random", "image_size": 64},
    "efficientnet_lite": lambda _: {"backbone": "efficientnet_lite0", "weights": "imagenet", "image_size": 64},
    "hub": _from_hub,
    "preset": _from_preset,
    "file": _from_file,
    "run": _from_run,
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with pytest.MonkeyPatch.context() as patch:
        workspace = Workspace(tmp_path_factory.mktemp("workspace")).ensure()
        patch.setenv("TL_WORKSPACE", str(workspace.root))
        yield Room(workspace, tmp_path_factory.mktemp("brought"), {}, {})


SLOW = [pytest.param(source, marks=pytest.mark.slow) for source in BROUGHT]


def test_there_is_no_other_source():
    assert set(get_args(Source)) == {*REGISTRY, "network"}, "and whatever is brought is a network"
    assert set(SETTINGS) == {*REGISTRY, *BROUGHT}


@pytest.mark.parametrize("source", [*REGISTRY, *SLOW])
def test_it_is_built_as_its_outline_says_and_its_halves_are_the_whole(room: Room, source: str):
    settings = room.settings(source)
    outline, size = load_outline(settings["backbone"]), settings["image_size"]
    base = build_backbone(settings["backbone"], size, settings["weights"])
    assert [layer.kind for layer in outline.layers] == [type(layer).__name__ for layer in base.layers]
    assert base.output_shape[-1] == get_backbone(settings["backbone"]).features
    images = np.random.default_rng(1).uniform(0, 1, (2, size, size, 3)).astype(np.float32)
    trunk, tail = split_backbone(base, outline.blocks[-1].first)
    halves = tail(trunk(images, training=False), training=False)
    np.testing.assert_allclose(np.asarray(halves), np.asarray(base(images, training=False)), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("source", [*REGISTRY, *BROUGHT])
def test_it_is_trained_and_exported_as_one_keras_file(room: Room, source: str):
    run = room.run(source)
    assert run.record.status == "done"
    assert [phase for phase in run.phases if phase in ("head", "fine_tune")] == ["head", "fine_tune"]
    assert export_run(run.record.path, "keras").proof.passed


@pytest.mark.slow
def test_keras_alone_says_the_same_in_a_process_of_its_own(room: Room, tmp_path: Path):
    runs = [room.run(source) for source in SETTINGS]
    expected = []
    for run in runs:
        size = run.record.config.image_size
        images = np.random.default_rng(2).integers(0, 256, (3, size, size, 3), np.uint8)
        np.save(run.record.path / "asked.npy", images)
        expected.append(open_predictor(run.record.path).predict(images))
    words = [sys.executable, "-P", "-c", ASKED_WITHOUT_US, *(str(run.record.path) for run in runs)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True)
    for run, probabilities in zip(runs, expected, strict=True):
        np.testing.assert_allclose(np.load(run.record.path / "said.npy"), probabilities, atol=2e-3)
