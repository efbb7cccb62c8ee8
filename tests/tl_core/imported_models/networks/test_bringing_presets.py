"""Presets of KerasHub: from Hugging Face, Kaggle Models and a folder to backbones that train as any other."""

from __future__ import annotations

import keras
import keras_hub
import numpy as np
import pytest

from tests.tl_core.imported_models.networks.local_hub import local_hub
from tests.tl_core.imported_models.networks.presets import resnet, save_preset, vit, vit_converter
from tests.tl_core.small_trainings import COLOURS, Trainer, import_coloured
from tl_core.backbones.build import build_backbone
from tl_core.backbones.outline import feature_shape, load_outline
from tl_core.backbones.registry import get_backbone
from tl_core.errors import ModelFileError
from tl_core.export.exporting import export_run
from tl_core.imported_models.networks import addresses
from tl_core.imported_models.networks.bringing import bring_network
from tl_core.imported_models.networks.opening import _preset_and_size
from tl_core.inference.grad_cam import open_grad_cam
from tl_core.inference.predictor import open_predictor
from tl_core.storage.workspace import Workspace

VIT, RESNET = "keras/vit_tiny", "keras/resnetv1/resnet_50_imagenet"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Two presets, and their backbones."""
    folder = tmp_path_factory.mktemp("presets")
    converter = keras_hub.layers.ResNetImageConverter(scale=1 / 255)
    return {
        VIT: (folder / "vit", save_preset(folder / "vit", vit(), vit_converter())),
        RESNET: (folder / "resnet", save_preset(folder / "resnet", resnet(), converter)),
    }


@pytest.fixture(scope="module")
def around(tmp_path_factory, originals):
    """A workspace that is that of the environment, as in the running program, and the hubs."""
    networks = {name: folder for name, (folder, _) in originals.items()}
    with pytest.MonkeyPatch.context() as patch, local_hub(networks) as hub:
        workspace = Workspace(tmp_path_factory.mktemp("workspace")).ensure()
        patch.setenv("TL_WORKSPACE", str(workspace.root))
        patch.setenv("HOME", str(workspace.root))
        patch.delenv("KAGGLEHUB_CACHE", raising=False)
        patch.setenv("KAGGLE_API_ENDPOINT", hub.url)
        patch.setenv("HF_ENDPOINT", hub.url)
        yield workspace


@pytest.fixture(scope="module")
def transformer(around):
    return bring_network(around, f"hf://{VIT}")


@pytest.fixture(scope="module")
def run(around, transformer):
    return Trainer(around)(
        import_coloured(around, COLOURS),
        backbone=transformer.id,
        weights="imagenet",
        image_size=32,
        epochs=2,
        frozen_layers=load_outline(transformer.id).blocks[-1].first,
        fine_tune_epochs=1,
        fine_tune_learning_rate=1e-3,
    )


@pytest.mark.slow
def test_a_transformer_says_its_tokens_and_takes_images_of_its_own_size(transformer, originals):
    assert (transformer.title, transformer.origin) == ("vit_tiny", f"hf://{VIT}")
    assert (transformer.image_size, transformer.any_size, transformer.scaling) == (32, False, "built_in")
    assert (transformer.tokens, transformer.feature_shape) == (17, (4, 4, 16))
    assert feature_shape(get_backbone(transformer.id)) == (4, 4, 16)
    titles = [block.title for block in load_outline(transformer.id).blocks]
    assert titles == ["Stem", "Block 1", "Block 2", "Block 3"]
    images = np.random.default_rng(5).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    _, backbone = originals[VIT]
    tokens = np.asarray(backbone(np.asarray(vit_converter(image_size=None)(images))))
    ours = np.asarray(build_backbone(transformer.id)(images))
    np.testing.assert_allclose(ours.reshape(2, 16, 16), tokens[:, 1:], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_its_frozen_blocks_run_once_and_the_last_is_tuned(run, transformer):
    assert run.record.status == "done"
    tuned = keras.models.load_model(run.folder.model_file).get_layer("network")
    frozen = build_backbone(transformer.id)
    changed = {
        layer.name
        for layer in frozen.layers
        if any(
            not np.array_equal(a, b)
            for a, b in zip(layer.get_weights(), tuned.get_layer(layer.name).get_weights(), strict=True)
        )
    }
    assert changed
    assert all("transformer_block_3" in name or name.endswith("_ln") for name in changed)


@pytest.mark.slow
def test_it_predicts_is_explained_block_by_block_and_is_exported_in_one_file(run):
    images = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert open_predictor(run.record.path).predict(images).sum() == pytest.approx(1, abs=1e-3)
    explainer = open_grad_cam(run.record.path)
    assert explainer.blocks == ("Stem", "Block 1", "Block 2", "Block 3")
    for block in explainer.blocks:
        heat = explainer.explain(images[0], block=block).heat
        assert heat.shape == (4, 4)
        assert np.isfinite(heat).all()
    assert explainer.explain(images[0], block="Block 2").heat.max() == 1
    assert export_run(run.record.path, "keras").proof.passed


@pytest.mark.long
@pytest.mark.parametrize("name", ["saved_model", "tflite", "onnx", "openvino"])
def test_it_is_exported_in_every_format(run, name):
    assert export_run(run.record.path, name).proof.passed


@pytest.mark.long
def test_a_preset_is_found_by_its_name_and_takes_images_of_any_size(around, originals, monkeypatch):
    monkeypatch.setattr(
        addresses,
        "preset_handles",
        lambda: {"resnet_50_imagenet": f"kaggle://{RESNET.replace('/resnet_50', '/keras/resnet_50')}"},
    )
    network = bring_network(around, "resnet_50_imagenet")
    assert (network.title, network.any_size, network.tokens) == ("resnet_50_imagenet", True, 0)
    assert [block.title for block in load_outline(network.id).blocks] == ["Stem", "Block 1", "Block 2", "Block 3"]
    images = np.random.default_rng(5).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    expected = np.asarray(originals[RESNET][1](images / 255))
    np.testing.assert_allclose(np.asarray(build_backbone(network.id, 64)(images)), expected, rtol=1e-3, atol=1e-3)
    assert bring_network(around, originals[RESNET][0]) == network  # the very same from a folder


def test_the_names_of_the_installed_presets_are_those_that_keras_hub_has():
    ours, theirs = addresses.preset_handles(), keras_hub.models.Backbone.presets
    assert {"resnet_50_imagenet", "vit_base_patch16_224_imagenet", "dinov2_base"} <= ours.keys() <= theirs.keys()
    assert all(theirs[name]["kaggle_handle"] == handle for name, handle in ours.items())


def test_what_cannot_be_brought_is_a_sentence(around):
    for source, words in (
        ("resnet_51_imagenet", "Similar names are: resnet_50_imagenet"),
        ("hf://keras", "has an owner and a name"),
        ("hf://keras/none", "There is no network hf://keras/none at Hugging Face"),
    ):
        with pytest.raises(ModelFileError, match=words):
            bring_network(around, source)


def test_a_size_that_a_transformer_does_not_take_is_a_sentence(originals):
    with pytest.raises(ModelFileError, match=r"images of 32 x 32 pixels alone\. Received: 64"):
        _preset_and_size(originals[VIT][0], {"image_size": 64}, None)


def test_without_keras_hub_the_sentence_says_what_to_install(around, originals, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelFileError, match='pip install "keras-hub'):
        bring_network(around, originals[VIT][0])
