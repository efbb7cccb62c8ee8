"""What only a machine with an NVIDIA GPU can show; chosen with ``pytest -n 0 -m gpu``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tl_core.small_trainings import Trained
from tl_core.command_line.doctor import examine
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.data.samples import import_sample
from tl_core.features.compiled import compile_network
from tl_core.machine.device import find_device
from tl_core.machine.hardware import current_load, detect_hardware
from tl_core.runs import create_run
from tl_core.storage.workspace import Workspace
from tl_core.training import train

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

TRAININGS = 20
DRIFT_MB = 200  # row D11 of docs/reliability.md
GIVEN_BACK_WITHIN = 10  # seconds
CLOSE = 0.02  # in a probability: float16 on the GPU against float32 on a CPU

ASK_WITHOUT_GPU = """
import json, sys
import keras, numpy as np
from PIL import Image
model = keras.models.load_model(sys.argv[1], safe_mode=True)
side = model.input_shape[1]
images = [np.asarray(Image.open(file).resize((side, side), Image.Resampling.BILINEAR)) for file in sys.argv[2:]]
print(json.dumps(model(np.stack(images).astype("float32"), training=False).numpy().tolist()))
"""


def without_gpu(program: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def gpu_memory() -> int:
    used = current_load().gpu_memory_used_mb
    assert used is not None
    return used


def test_the_gpu_is_found_named_and_used_in_float16():
    device = find_device("auto")
    (gpu, *_) = detect_hardware().gpus
    assert device.kind == "gpu"
    assert device.note is None
    assert device.dtype_policy == "mixed_float16"
    assert device.name.removeprefix("NVIDIA ") in gpu.name
    assert gpu.memory_mb > 1000


def test_the_doctor_finds_no_fault(workspace):
    (found,) = [finding for finding in examine(workspace) if finding.name == "device"]
    assert "GPU" in found.text
    assert found.advice is None


def test_memory_is_taken_as_needed(workspace, dataset, train_run):
    train_run(dataset, epochs=1)
    (gpu, *_) = detect_hardware().gpus
    assert gpu_memory() < gpu.memory_mb / 2, "TensorFlow by itself takes nearly all of it"


def test_the_frozen_part_on_the_gpu_computes_what_keras_computes_on_the_cpu():
    keras.utils.set_random_seed(3)
    base = keras.applications.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(96, 96, 3))
    images = np.random.default_rng(0).integers(0, 256, (7, 96, 96, 3), dtype=np.uint8)

    def forward(batch: tf.Tensor) -> list[tf.Tensor]:
        return [base(tf.cast(batch, tf.float32) / 255.0, training=False)]

    network = compile_network(forward, 96, find_device("float32"), batch_size=4)
    assert network.text == "TensorFlow"
    with tf.device("CPU"):
        (expected,) = (output.numpy() for output in forward(tf.constant(images)))
    (found,) = network(images)
    assert float(np.sum(found * expected) / np.linalg.norm(found) / np.linalg.norm(expected)) > 0.9999


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_quick_start_learns_surfaces_and_its_model_answers_the_same_without_a_gpu(
    tmp_path: Path, precision: str, say
):
    workspace = Workspace(tmp_path).ensure()
    dataset = import_sample(workspace, "surfaces")
    config = replace(PRESETS[DEFAULT_PRESET].config, precision=precision)
    run = create_run(workspace, config, dataset)
    began = time.monotonic()
    train(run.config, dataset.path, run.path, lambda: False)
    trained = Trained(run.path)
    metrics = json.loads(trained.folder.metrics_file.read_text())
    say(f"{time.monotonic() - began:.1f} s, {trained.record.device}, {metrics['seconds']}")
    assert trained.record.device.startswith("GPU: ")
    assert metrics["test"]["accuracy"] >= 0.95
    kept = np.load(trained.folder.path / "evaluation-validation.npz")["probabilities"]
    files = [str(dataset.path_of(record)) for record in dataset.of_split("validation")]
    elsewhere = np.array(without_gpu(ASK_WITHOUT_GPU, str(trained.folder.model_file), *files))
    assert np.abs(elsewhere - kept).max() < CLOSE


@pytest.mark.parametrize("precision", ["auto", "float32", "mixed_bfloat16"])
def test_fine_tuning_ends_well_in_every_precision(train_run, dataset, precision: str):
    run = train_run(
        dataset,
        precision=precision,
        frozen_layers=15,
        fine_tune_epochs=2,
        fine_tune_learning_rate=1e-4,
    )
    assert run.record.status == "done"
    assert run.record.device.startswith("GPU: ")
    assert run.record.best.val_accuracy == 1.0


def test_twenty_trainings_take_no_more_memory_of_the_gpu(train_run, dataset, say):
    again = {"epochs": 2, "frozen_layers": 15, "fine_tune_epochs": 1, "fine_tune_learning_rate": 1e-5}
    used = []
    for _ in range(TRAININGS):
        train_run(dataset, **again)
        used.append(gpu_memory())
    say(f"{used[1]} MB after the second training, {used[-1]} MB after the last, {max(used)} MB at most")
    assert max(used[2:]) - used[1] < DRIFT_MB


TRAIN_AND_WAIT = """
import sys
from pathlib import Path
from tl_core.config import TrainingConfig
from tl_core.runs import create_run
from tl_core.data import load_dataset
from tl_core.training import train
from tl_core.storage.workspace import Workspace
dataset = load_dataset(Path(sys.argv[1]))
config = TrainingConfig(backbone="vgg16", weights="random", image_size=32, epochs=1)
run = create_run(Workspace(Path(sys.argv[2])).ensure(), config, dataset)
train(run.config, dataset.path, run.path, lambda: False)
print("trained", flush=True)
sys.stdin.read()
"""


def test_the_memory_is_given_back_with_the_process(dataset, tmp_path: Path, say):
    before = gpu_memory()
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN_AND_WAIT, str(dataset.path), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "trained" in process.stdout.readline()
    during = gpu_memory()
    process.communicate("")
    ended = time.monotonic()
    while gpu_memory() > before + DRIFT_MB:
        assert time.monotonic() - ended < GIVEN_BACK_WITHIN
    say(f"{before} MB before, {during} MB while it runs, {gpu_memory()} MB {time.monotonic() - ended:.1f} s after")
    assert during > before + DRIFT_MB, "it really was taken"
