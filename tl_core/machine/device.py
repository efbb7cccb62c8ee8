"""Which device a training runs on, and in which precision: decided here and nowhere else."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tl_core.machine.hardware import detect_hardware
from tl_core.machine.priority import call_with_low_priority

logger = logging.getLogger(__name__)

FLOAT16_CAPABILITY: Final = (7, 0)  # tensor cores: https://www.tensorflow.org/guide/mixed_precision
BFLOAT16_CAPABILITY: Final = (8, 0)
BFLOAT16_INSTRUCTIONS: Final = frozenset({"AMX bfloat16", "AVX-512 bfloat16"})


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One GPU as TensorFlow sees it."""

    name: str
    compute_capability: tuple[int, int] | None  # None where it is no CUDA device


@dataclass(frozen=True, slots=True)
class Device:
    """Where to compute, and with which numbers."""

    kind: str  # cpu or gpu
    name: str  # as shown on pages
    dtype_policy: str  # Keras policy: float32, mixed_float16 or mixed_bfloat16
    trunk_precision: str  # of the frozen part where OpenVINO runs it: float32 or bfloat16 (if close enough)
    note: str | None = None  # why the requested precision is not used, one sentence

    @property
    def trunk_batch(self) -> int:
        """Images at once through the frozen part: a GPU needs more to be busy, and a small one has room for these."""
        return 64 if self.kind == "gpu" else 32

    @property
    def fast_features(self) -> bool:
        """Whether the frozen layers run in a faster precision than the trained ones and the stored model."""
        return self.dtype_policy == "float32" and self.trunk_precision != "float32"

    @property
    def text(self) -> str:
        """One line for the run's record; whether the frozen layers really run faster, a note of the run says."""
        faster = f", frozen layers in {self.trunk_precision} where that is close enough" if self.fast_features else ""
        return f"{self.kind.upper()}: {self.name}, {self.dtype_policy}{faster}"


def choose_device(gpus: Sequence[Accelerator], cpu: str, instruction_sets: Sequence[str], precision: str) -> Device:
    """Choose device and precision from the hardware and the requested precision.

    Args:
        gpus: what TensorFlow can compute on; the first is used.
        cpu: name of the processor.
        instruction_sets: names as in `tl_core.machine.hardware.FAST_INSTRUCTION_SETS`.
        precision: auto, float32, mixed_float16 or mixed_bfloat16.

    Returns:
        The decision. A precision that the device has no fast hardware for becomes float32, with a note.
    """
    if gpus:
        return _on_gpu(gpus[0], precision)
    return _on_cpu(cpu, not BFLOAT16_INSTRUCTIONS.isdisjoint(instruction_sets), precision)


def _on_gpu(gpu: Accelerator, precision: str) -> Device:
    capability = gpu.compute_capability or (0, 0)
    if precision == "auto":
        precision = "mixed_float16" if capability >= FLOAT16_CAPABILITY else "float32"
    needed = {"mixed_float16": FLOAT16_CAPABILITY, "mixed_bfloat16": BFLOAT16_CAPABILITY}.get(precision, (0, 0))
    if capability < needed:
        note = f"{precision} needs a GPU of compute capability {needed[0]}.{needed[1]} or above; using float32."
        return Device("gpu", gpu.name, "float32", "float32", note)
    return Device("gpu", gpu.name, precision, "float32")


def _on_cpu(cpu: str, has_bfloat16: bool, precision: str) -> Device:
    if precision == "mixed_float16":
        note = "mixed_float16 is fast on a GPU alone and there is none; using float32."
        return Device("cpu", cpu, "float32", "float32", note)
    if precision == "mixed_bfloat16" and not has_bfloat16:
        note = "This CPU has no bfloat16 instructions (AMX or AVX-512 BF16); using float32."
        return Device("cpu", cpu, "float32", "float32", note)
    trunk = "bfloat16" if has_bfloat16 and precision in ("auto", "mixed_bfloat16") else "float32"
    return Device("cpu", cpu, "mixed_bfloat16" if precision == "mixed_bfloat16" else "float32", trunk)


def use_device(precision: str) -> Device:
    """Set up TensorFlow for this thread and return the decision.

    Call it in the thread that builds and trains: the Keras dtype policy belongs to a thread.
    """
    import keras

    device = find_device(precision)
    keras.config.set_dtype_policy(device.dtype_policy)
    return device


def find_device(precision: str) -> Device:
    """What `choose_device` decides for this machine."""
    hardware = detect_hardware()
    _start_compute_threads()
    return choose_device(_find_gpus(), hardware.cpu, hardware.instruction_sets, precision)


@functools.cache
def _start_compute_threads() -> None:
    """Have TensorFlow start its pools of threads, once, with a low priority: pages are answered first."""
    import tensorflow as tf

    _find_gpus()  # memory growth has to be set before anything is computed

    def compute() -> object:
        with tf.device("CPU"):
            return tf.reduce_sum(tf.ones((256, 256)) @ tf.ones((256, 256)))

    call_with_low_priority(compute)


@functools.cache
def _find_gpus() -> tuple[Accelerator, ...]:
    """The GPUs TensorFlow can use; before their first use each is told to take memory only as needed.

    Without that, TensorFlow takes nearly all of it: https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth
    """
    import tensorflow as tf

    found = []
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError as error:  # something else has used the GPU in this process before
            logger.warning("The GPU's memory could not be set to grow as needed: %s", error)
        details = tf.config.experimental.get_device_details(gpu)
        found.append(Accelerator(details.get("device_name", gpu.name), details.get("compute_capability")))
    return tuple(found)
