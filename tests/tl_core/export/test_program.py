"""The generated program: whole for every configuration, and as good as our own run in a process without our code."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.tl_core.small_trainings import QUICK, Trainer
from tl_core.backbones.outline import load_outline
from tl_core.backbones.registry import BACKBONES
from tl_core.command_line import main
from tl_core.config import AUGMENTATION_LEVELS, AugmentationConfig, HeadConfig, TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.data import import_sample
from tl_core.data.normalise import Reading
from tl_core.export.picture_kinds import write_picture_kinds
from tl_core.export.program import as_notebook, as_script, write_program
from tl_core.runs import create_run

EVERY_CHANGE = AugmentationConfig(
    horizontal_flip=True, vertical_flip=True, rotation_degrees=10, zoom=0.1, shift=0.05, shear=0.05,
    brightness=0.05, contrast=0.05,
)  # fmt: skip
TUNED = replace(QUICK, epochs=2, fine_tune_epochs=1, fine_tune_learning_rate=1e-4, frozen_layers=17, image_size=32)
VARIANTS = {
    "views": replace(
        TUNED,
        augmentation=EVERY_CHANGE,
        augmentation_mode="cached_views",
        views=2,
        head=HeadConfig(
            output="sigmoid",
            pooling="max",
            blocks=2,
            mirrored=True,
            feature_normalization="batch",
            dropout=0.1,
            l2=0.01,
        ),
        optimizer="adamw",
        weight_decay=0.01,
        schedule="plateau",
        class_weights=True,
    ),
    "live": replace(
        TUNED,
        augmentation=EVERY_CHANGE,
        head=HeadConfig(pooling="flatten", dense_units=(16, 8), batch_norm=True, l2=1e-4, activation="gelu"),
        optimizer="sgd",
        weight_decay=0.001,
        label_smoothing=0.1,
        early_stopping_patience=3,
    ),
}


def script_of(config, classes=("blue", "red")):
    return as_script(write_program(config, classes), "A run")


def run_script(text, folder, data):
    """Run the program where nothing of this repository can be imported; gives what it printed."""
    (folder / "train.py").write_text(text, encoding="utf-8")
    words = [sys.executable, "-P", "train.py", str(data)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def figure_in(printed, name):
    return float(re.search(rf"^{name} ([\d.]+)$", printed, re.MULTILINE).group(1))


@pytest.mark.slow
def test_it_reaches_what_our_own_run_reaches_on_the_surfaces(workspace, tmp_path):
    dataset = import_sample(workspace, "surfaces")
    config = replace(PRESETS["quick_start"].config, image_size=48, epochs=5, precision="float32")
    ours = Trainer(workspace)(dataset, **{name: getattr(config, name) for name in config.__slots__}).record
    printed = run_script(script_of(config, dataset.classes), tmp_path, dataset.path)
    assert ours.best.val_accuracy > 0.9
    assert figure_in(printed, "validation accuracy") == pytest.approx(ours.best.val_accuracy, abs=0.05)
    assert figure_in(printed, "validation loss") == pytest.approx(ours.best.val_loss, rel=0.2)
    assert figure_in(printed, "test accuracy") > 0.9
    assert (tmp_path / "classifier.keras").is_file()
    assert (tmp_path / "labels.txt").read_text().splitlines() == list(dataset.classes)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_both_phases_and_every_option_run_to_the_end(two_classes, tmp_path, name):
    printed = run_script(script_of(VARIANTS[name]), tmp_path, two_classes.path)
    assert "Epoch 3/3" in printed
    assert 0 <= figure_in(printed, "validation accuracy") <= 1


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_gives_a_whole_program(backbone):
    count = len(load_outline(backbone).layers)
    config = replace(TrainingConfig(), backbone=backbone, frozen_layers=count - 1, fine_tune_epochs=2)
    tree = ast.parse(script_of(config))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert {"base", "preprocess", "head", "classifier", "FROZEN_LAYERS"} <= names
    assert "tl_core" not in script_of(config)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("level", AUGMENTATION_LEVELS)
def test_every_preset_gives_a_whole_program(preset, level):
    config = replace(PRESETS[preset].config, augmentation=AUGMENTATION_LEVELS[level])
    ast.parse(script_of(config))


def run_cells(config, *titles):
    """The names that some cells of the program define."""
    parts = {cell.title: cell.code for cell in write_program(config, ("a", "b"))}
    space = {}
    for title in ("Packages", "Settings", *titles):
        exec(compile(parts[title], title, "exec"), space)
    return space


def run_functions(config):
    """The names that the cells about pictures define, without reading a dataset."""
    parts = {cell.title: cell.code for cell in write_program(config, ("a", "b"))}
    code = "\n".join(parts[title] for title in ("Packages", "Settings", "Reading pictures", "Images"))
    space = {}
    exec(compile(code.partition("train_images, train_labels =")[0], "program", "exec"), space)
    return space


@pytest.mark.parametrize("backbone", {record.scaling: name for name, record in BACKBONES.items()}.values())
def test_the_generated_scaling_is_ours(backbone):
    from tl_core.backbones.scaling import build_scaling

    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    generated = run_cells(replace(TrainingConfig(), backbone=backbone, image_size=32), "Scaling")["preprocess"]
    ours = build_scaling(BACKBONES[backbone].scaling, 32)
    assert np.array_equal(np.asarray(generated(images)), np.asarray(ours(images)))


def test_the_generated_reading_of_pictures_is_ours(tmp_path):
    config = replace(TrainingConfig(), image_size=40, fit="border")
    read = run_functions(config)["read"]
    for path in write_picture_kinds(tmp_path / "kinds"):
        assert np.array_equal(read(path), Reading(40, "border").of_file(path.read_bytes())), path.name


@pytest.mark.parametrize("name", VARIANTS)
def test_the_generated_head_is_ours(name):
    from tl_core.models.head import POOLING, build_head

    config = replace(VARIANTS[name], seed=3)
    pools_first = config.head.blocks > 1  # then the program pools before its head
    cells = ("Scaling", "Backbone", *(["Features"] if pools_first else []), "Head")
    generated = run_cells(config, *cells)["head"]
    ours = build_head(config.head, [(1, 1, 512)] * config.head.blocks, 2)
    layers = ours.layers[ours.layers.index(ours.get_layer(POOLING)) :] if pools_first else ours.layers
    same = [type(layer) for layer in generated.layers[int(pools_first) :]]
    assert same == [type(layer) for layer in layers[int(pools_first) :]]
    assert [weight.shape for weight in generated.weights] == [weight.shape for weight in ours.weights]


@pytest.mark.slow
def test_efficientnet_without_pretrained_weights_is_frozen_at_the_same_layer():
    from tl_core.backbones.build import build_backbone

    config = replace(
        TrainingConfig(),
        backbone="efficientnet_b0",
        weights="random",
        image_size=32,
        frozen_layers=200,
        fine_tune_epochs=1,
    )
    generated = run_cells(config, "Backbone")["base"]
    (frozen,) = re.findall(r"FROZEN_LAYERS = (\d+)", script_of(config))
    ours = build_backbone("efficientnet_b0", 32, "random")
    first_to_learn = generated.layers[int(frozen)]
    assert first_to_learn.name == ours.layers[200].name


@pytest.mark.slow
def test_the_generated_efficientnet_lite_has_the_same_layers_and_weights():
    from tl_core.backbones.build import build_backbone

    backbone = "efficientnet_lite2"  # both wider and deeper than the first
    config = replace(TrainingConfig(), backbone=backbone, image_size=64)
    generated = run_cells(config, "Backbone", "Pretrained weights")["base"]
    ours = build_backbone(backbone, 64)
    assert [type(layer) for layer in generated.layers] == [type(layer) for layer in ours.layers]
    for one, other in zip(generated.get_weights(), ours.get_weights(), strict=True):
        assert (one == other).all()


def test_a_notebook_has_the_same_code():
    config = VARIANTS["live"]
    notebook = json.loads(as_notebook(write_program(config, ("blue", "red")), "A run"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert "sys.argv" not in code.replace("sys.exit", "")
    in_script = ast.parse(
        script_of(config).replace('Path(sys.argv[1] if len(sys.argv) > 1 else "data")', 'Path("data")')
    )
    assert ast.dump(ast.parse(code)) == ast.dump(ast.Module(in_script.body[1:], []))


def test_hostile_names_stay_text():
    classes = ('"""', "a\\", "'); import os #")
    tree = ast.parse(as_script(write_program(TrainingConfig(), classes), '""" + boom() + """\\'))
    assert "boom" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert tuple(ast.literal_eval(assigned["CLASSES"])) == classes


def test_from_the_command_line(workspace, dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    run = create_run(workspace, QUICK, dataset)
    assert main(["code", run.id]) == 0
    assert ast.parse(capsys.readouterr().out)
    assert main(["code", run.id, "--notebook", "--output", str(tmp_path / "train.ipynb")]) == 0
    assert json.loads((tmp_path / "train.ipynb").read_text())["nbformat"] == 4
    assert main(["code", run.id, "--output", str(tmp_path / "missing" / "train.py")]) == 2
    assert "cannot be written" in capsys.readouterr().err
