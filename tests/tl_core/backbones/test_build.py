from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
import pytest

from tl_core.backbones import registry
from tl_core.backbones.build import build_backbone
from tl_core.backbones.registry import get_backbone
from tl_core.errors import ConfigError, WeightsUnavailableError
from tl_core.storage.workspace import Workspace


def test_an_image_size_below_the_least_is_refused():
    with pytest.raises(ConfigError, match=r"InceptionV3 needs images of at least 75 x 75 pixels\. Received: 64"):
        build_backbone("inception_v3", 64, "random")


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch, workspace: Workspace):
    """Puts a file into the workspace in the place of a backbone's published weights."""

    def bring(name: str, content: bytes) -> Path:
        digest = hashlib.sha256(content).hexdigest()
        backbone = dataclasses.replace(get_backbone(name), weights_hash=digest)
        monkeypatch.setattr(registry, "BACKBONES", MappingProxyType({**registry.BACKBONES, name: backbone}))
        path = workspace.weights / backbone.weights_file
        path.write_bytes(content)
        return path

    return bring


def saved(model: keras.Model, folder: Path) -> bytes:
    path = folder / "saved.h5"  # the format of the published files
    model.save(path)
    return path.read_bytes()


@pytest.mark.slow
def test_efficientnet_with_a_provided_file_computes_what_keras_computes(
    brought, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = build_backbone("efficientnet_b0", 64, "random")
    normalization = next(layer for layer in source.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]) ** 2, np.array(1)])
    path = brought("efficientnet_b0", saved(source, tmp_path))
    ours = build_backbone("efficientnet_b0", 64)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(path))
    theirs = keras.applications.EfficientNetB0(include_top=False, input_shape=(64, 64, 3))
    assert [type(layer) for layer in ours.layers] == [type(layer) for layer in theirs.layers]
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(images), theirs(images), atol=1e-6)


def test_a_provided_file_of_another_network_is_refused(brought, tmp_path: Path):
    brought("vgg16", saved(build_backbone("vgg19", 32, "random"), tmp_path))
    with pytest.raises(WeightsUnavailableError, match="does not hold the weights of VGG16"):
        build_backbone("vgg16", 32)


def test_a_provided_file_that_is_no_weights_file_is_refused(brought):
    brought("vgg16", b"not a weights file")
    with pytest.raises(WeightsUnavailableError, match="does not hold the weights of VGG16"):
        build_backbone("vgg16", 32)
