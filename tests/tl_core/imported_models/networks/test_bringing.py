"""From an address to a backbone that trains, predicts and is exported as any other."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.tl_core.imported_models.networks.hub_networks import save_feature_vector
from tests.tl_core.imported_models.networks.local_hub import local_hub
from tests.tl_core.small_trainings import COLOURS, Trainer, import_coloured
from tl_core.backbones.build import build_backbone
from tl_core.backbones.networks import delete_network, find_network, list_networks
from tl_core.backbones.outline import load_outline
from tl_core.backbones.registry import all_backbones, get_backbone
from tl_core.command_line import main
from tl_core.config.format_settings import backbone_title
from tl_core.errors import ConfigError, ModelFileError, StoppedError, WeightsUnavailableError
from tl_core.export.exporting import export_run
from tl_core.export.program import write_program
from tl_core.imported_models.networks.bringing import Wishes, bring_network
from tl_core.imported_models.networks.opening import DEFAULT_SIZE
from tl_core.inference.grad_cam import GradCam, open_grad_cam
from tl_core.inference.predictor import compile_predictor, open_predictor
from tl_core.machine.progress import TaskContext
from tl_core.models.classifier import split_classifier
from tl_core.models.load import load_stored
from tl_core.runs import load_run
from tl_core.storage.workspace import Workspace

ADDRESS = "https://tfhub.dev/google/imagenet/mobilenet_v2_050_96/feature_vector/5"


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    """A workspace that is that of the environment, as in the running program."""
    with pytest.MonkeyPatch.context() as patch:
        workspace = Workspace(tmp_path_factory.mktemp("workspace")).ensure()
        patch.setenv("TL_WORKSPACE", str(workspace.root))
        patch.setenv("HOME", str(workspace.root))
        patch.delenv("KAGGLEHUB_CACHE", raising=False)
        yield patch, workspace


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A SavedModel of the hub's format, and the function from images to features."""
    folder = tmp_path_factory.mktemp("hub") / "network"
    return folder, save_feature_vector(folder)


@pytest.fixture(scope="module")
def network(around, original):
    """Brought by its address."""
    patch, workspace = around
    with local_hub({"google/mobilenet-v2/050-96-feature-vector": original[0]}) as hub:
        patch.setenv("KAGGLE_API_ENDPOINT", hub.url)
        return bring_network(workspace, ADDRESS)


@pytest.fixture(scope="module")
def run(around, network):
    _, workspace = around
    dataset = import_coloured(workspace, COLOURS)
    return Trainer(workspace)(
        dataset,
        backbone=network.id,
        weights="imagenet",
        image_size=64,
        epochs=2,
        frozen_layers=load_outline(network.id).blocks[-1].first,
        fine_tune_epochs=1,
        fine_tune_learning_rate=1e-4,
    )


@pytest.mark.slow
def test_it_is_found_where_backbones_are(network, around):
    _, workspace = around
    assert (network.title, network.image_size, network.scaling) == ("mobilenet-v2 050-96", 96, "zero_to_one")
    assert network.difference < 1e-4
    assert get_backbone(network.id) == all_backbones(workspace)[0] == network.as_backbone()
    assert list_networks(workspace) == [network]


def test_it_is_built_as_its_outline_says_and_gives_the_features_of_the_original(network, original):
    base = build_backbone(network.id, 64)
    outline = load_outline(network.id)
    assert [layer.name for layer in outline.layers] == [layer.name for layer in base.layers]
    assert outline.parameters == base.count_params() == network.parameters
    images = np.random.default_rng(5).random((2, 64, 64, 3), np.float32)
    np.testing.assert_allclose(
        np.asarray(base(images)).mean((1, 2)), np.asarray(original[1](images)), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_a_training_runs_its_frozen_layers_once_and_tunes_the_others(run, network):
    assert run.record.status == "done"
    assert [phase for phase in run.phases if phase in ("head", "fine_tune")] == ["head", "fine_tune"]
    assert backbone_title(run.record.config) == network.title
    frozen, tuned = (build_backbone(network.id, 64), open_model(run))
    first = frozen.layers[1].name  # the stem stayed as it was
    for before, after in zip(
        frozen.get_layer(first).get_weights(), tuned.get_layer(first).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    last = [layer.name for layer in frozen.layers if layer.weights][-1]
    assert not np.array_equal(frozen.get_layer(last).get_weights()[0], tuned.get_layer(last).get_weights()[0])


def open_model(run):
    """The backbone in the saved model, which opens with Keras alone."""
    import keras

    return keras.models.load_model(run.folder.model_file).get_layer("network")


@pytest.mark.slow
def test_the_model_predicts_is_explained_and_is_exported_in_one_file(run, tmp_path):
    images = np.zeros((1, 64, 64, 3), np.uint8)
    assert open_predictor(run.record.path).predict(images).sum() == pytest.approx(1, abs=1e-3)
    assert open_grad_cam(run.record.path).explain(images[0]).heat.shape
    for name in ("keras", "saved_model"):
        assert export_run(run.record.path, name).proof.passed


@pytest.mark.slow
def test_the_same_network_is_stored_once_and_a_tar_gz_is_taken(network, original, around, tmp_path):
    _, workspace = around
    packed = tmp_path / "network.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(original[0], ".")
    assert bring_network(workspace, packed, Wishes(image_size=96)) == network


def test_what_is_no_network_is_a_sentence_and_leaves_nothing(around, tmp_path):
    _, workspace = around
    before = list_networks(workspace)
    (tmp_path / "text.tar.gz").write_bytes(b"no archive")
    (tmp_path / "passwd").write_text("root:x:0:0")
    (tmp_path / "empty").mkdir()
    with tarfile.open(tmp_path / "outside.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "text.tar.gz", "../outside")
    for source, words in (
        (tmp_path / "text.tar.gz", "“text.tar.gz” is not a network: choose a tar.gz .* that is not damaged, or"),
        (tmp_path / "passwd", "“passwd” is not a network: choose a tar.gz with a SavedModel, or a .keras file"),
        (tmp_path / "outside.tar.gz", "damaged"),
        (tmp_path / "empty", "saved_model.pb"),
        (tmp_path / "nothing", "no file or folder"),
    ):
        with pytest.raises(ModelFileError, match=words):
            bring_network(workspace, source)
    assert list_networks(workspace) == before
    assert not list(workspace.weights.glob("networks/.bringing*"))


@pytest.mark.slow
def test_the_command_line_trains_on_an_address(network, original, run, around, capsys):
    patch, _ = around
    quick = ("--image-size", "64", "--epochs", "1", "--batch-size", "8", "--json")
    with local_hub({"google/mobilenet-v2/050-96-feature-vector": original[0]}) as hub:
        patch.setenv("KAGGLE_API_ENDPOINT", hub.url)
        assert main(["train", "--data", run.record.dataset_id, "--backbone", ADDRESS, *quick]) == 0
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert load_run(Path(trained["run_dir"])).config.backbone == network.id


def test_bringing_can_be_stopped(around, original):
    _, workspace = around
    with pytest.raises(StoppedError):
        bring_network(workspace, original[0], task=TaskContext(should_stop=lambda: True))


@pytest.mark.slow
def test_the_command_line_trains_on_a_folder(original, run, around, capsys):
    _, workspace = around
    quick = ("--image-size", "64", "--epochs", "1", "--batch-size", "8", "--json")
    assert main(["train", "--data", run.record.dataset_id, "--backbone", str(original[0]), *quick]) == 0
    trained = load_run(Path(json.loads(capsys.readouterr().out.splitlines()[-1])["run_dir"]))
    brought = find_network(trained.config.backbone, workspace)
    assert (brought.origin, brought.image_size) == ("network", DEFAULT_SIZE)
    assert trained.has_model
    inside = str(original[0] / "variables")
    assert main(["train", "--data", run.record.dataset_id, "--backbone", inside, *quick]) == 2
    assert "no saved_model.pb" in capsys.readouterr().err


def test_a_changed_file_and_a_deleted_network_are_sentences(network, run, around):
    _, workspace = around
    file = workspace.weights / network.as_backbone().weights_file
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(WeightsUnavailableError, match="checksum"):
        build_backbone(network.id, 64)
    picture = np.random.default_rng(2).integers(0, 256, (1, 64, 64, 3), np.uint8)
    answered, heat = open_predictor(run.record.path).look(picture), open_grad_cam(run.record.path).explain(picture[0])
    delete_network(workspace, network.id)
    with pytest.raises(ConfigError, match="bring it again"):
        find_network(network.id)
    with pytest.raises(ConfigError, match="There is no network"):
        delete_network(workspace, network.id)
    assert backbone_title(run.record.config) == network.id
    assert open_predictor(run.record.path).predict(picture).shape == (1, 3), "it is held in memory"
    load_outline.cache_clear()  # as in the next process
    for found, before in zip(compile_predictor(run.record).look(picture), answered, strict=True):
        np.testing.assert_allclose(found, before, atol=1e-5)
    explained = GradCam(run.record, split_classifier(load_stored(run.record))).explain(picture[0])
    assert (explained.block, explained.label) == (heat.block, heat.label)
    np.testing.assert_allclose(explained.heat, heat.heat, atol=1e-4)
    with pytest.raises(ConfigError, match="cannot be written as a program"):
        write_program(run.record.config, run.record.classes)
    assert export_run(run.record.path, "keras").proof.refuses_noise is not None, "it still tells what is unlike"
