"""A frozen network compiled to run fast: OpenVINO on a CPU, else a TensorFlow graph.

Without XLA, also on a GPU: on an H100 it lets EfficientNet-B0 (mixed_float16) run at 4,380 images/s, not at 3,050,
but takes 36 s in place of 8 before the first image, which pays from 300,000 images on (tried).
"""

from __future__ import annotations

import functools
import logging
import queue
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tl_core.features.openvino_runtime import convert, import_openvino
from tl_core.machine.device import Device

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Images = npt.NDArray[np.uint8]
Forward = Callable[[tf.Tensor], list[tf.Tensor]]
"""From a batch ``(n, size, size, 3)``, uint8, raw RGB, to the network's outputs."""

CLOSE_ENOUGH: Final = 0.99  # cosine between bfloat16 and float32 outputs of one batch
MAX_BATCH: Final = 64  # images at once where the batch size is free
_HINTS: Final = {"float32": "f32", "bfloat16": "bf16"}
FALLBACK: Final = "OpenVINO is not used ({reason}); the frozen layers run on TensorFlow, which is slower on a CPU."


class Network:
    """A compiled network; may be called from any thread."""

    text: str  # how it runs, in words

    at_once: int = 1  # calls that it computes side by side; further ones wait

    def __init__(self, batch_size: int | None) -> None:
        self._batch_size = batch_size
        self.in_float32: Network | None = None  # where it runs in another type

    @property
    def exact(self) -> Network:
        """The same in float32; itself where it runs in that."""
        return self.in_float32 or self

    def __call__(self, images: Images) -> list[Array]:
        """Outputs for ``(n, size, size, 3)`` uint8 images, each ``(n, ...)``.

        They are made piece by piece; a last piece too short for a fixed batch is filled up with copies.
        """
        length = self._batch_size or MAX_BATCH
        pieces = []
        for start in range(0, len(images), length):
            batch = images[start : start + length]
            missing = self._batch_size - len(batch) if self._batch_size is not None else 0
            if missing:
                filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
                pieces.append([output[: len(batch)] for output in self._infer(filled)])
            else:
                pieces.append(self._infer(batch))
        return [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*pieces, strict=True)]

    def _infer(self, batch: Images) -> list[Array]:
        raise NotImplementedError


def compile_network(
    forward: Forward,
    image_size: int,
    device: Device,
    *,
    batch_size: int | None = 32,
    sample: Images | None = None,
    note: Callable[[str], None] = logger.info,
    at_once: int = 1,
) -> Network:
    """Compile ``forward`` for the device.

    Args:
        batch_size: a fixed number of images is faster on long runs; None takes any number, for prediction.
        sample: a few images on which bfloat16, where the device offers it, has to prove close to float32.
        note: told in one sentence what the caller should know (a fallback).
        at_once: calls that OpenVINO computes side by side, each with its share of the cores: more in all where other
            threads work as well, and a single call takes longer.
    """
    if device.kind == "gpu":
        return _TensorFlowNetwork(forward, image_size, batch_size)
    reason = "it is not installed"
    if (openvino := import_openvino()) is not None:
        try:
            return _compile_with_openvino(openvino, forward, image_size, device, batch_size, sample, note, at_once)
        except Exception:
            # Its frontends raise a dozen unrelated types; whatever the reason, TensorFlow can run the network.
            logger.warning("OpenVINO could not take the network over", exc_info=True)
            reason = "it cannot convert this network"
    note(FALLBACK.format(reason=reason))
    return _TensorFlowNetwork(forward, image_size, batch_size)


def _compile_with_openvino(
    openvino: ModuleType,
    forward: Forward,
    image_size: int,
    device: Device,
    batch_size: int | None,
    sample: Images | None,
    note: Callable[[str], None],
    at_once: int,
) -> Network:
    graph = _graph(forward, image_size, batch_size).get_concrete_function()
    # A copy of the weights: those of the Keras model may be freed, or trained on, while the network still runs.
    # Its outputs are named: else inner values with a gradient of their own (of swish) would become outputs, too.
    outputs = [tensor.name for tensor in graph.outputs]
    model = convert(openvino, graph, share_weights=False, output=outputs)
    network = _OpenVINONetwork(model, batch_size, "float32", at_once)
    if device.trunk_precision == "bfloat16" and sample is not None:
        return _closest(network, _OpenVINONetwork(model, batch_size, "bfloat16", at_once), sample, note)
    return network


def _closest(
    network: _OpenVINONetwork, faster: _OpenVINONetwork, sample: Images, note: Callable[[str], None]
) -> Network:
    cosine = min(_cosine(a, b) for a, b in zip(network(sample), faster(sample), strict=True))
    if cosine >= CLOSE_ENOUGH:
        note(f"The network runs in bfloat16 (cosine with float32 on the first batch: {cosine:.4f}).")
        faster.in_float32 = network
        return faster
    note(f"bfloat16 strays too far from float32 here (cosine {cosine:.4f} on the first batch); using float32.")
    return network


def _cosine(a: Array, b: Array) -> float:
    a, b = a.ravel().astype("float64"), b.ravel().astype("float64")
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else float(np.array_equal(a, b))


def _graph(forward: Forward, image_size: int, batch_size: int | None) -> Any:
    signature = tf.TensorSpec((batch_size, image_size, image_size, 3), tf.uint8, name="images")
    return tf.function(forward, input_signature=[signature], autograph=False)


@functools.cache
def _core() -> Any:
    openvino = import_openvino()
    assert openvino is not None  # noqa: S101  # the caller has converted a model with it
    return openvino.Core()


class _OpenVINONetwork(Network):
    def __init__(self, model: Any, batch_size: int | None, precision: str, at_once: int) -> None:
        super().__init__(batch_size)
        how = {"PERFORMANCE_HINT": "LATENCY"} if at_once == 1 else {"NUM_STREAMS": str(at_once)}
        # Left to itself OpenVINO takes bfloat16 wherever the CPU has it, so the precision is always named.
        compiled = _core().compile_model(model, "CPU", {**how, "INFERENCE_PRECISION_HINT": _HINTS[precision]})
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(at_once):
            self._free.put(compiled.create_infer_request())
        self._outputs = range(len(compiled.outputs))
        self.at_once = at_once
        self.text = f"OpenVINO, {precision}"

    def _infer(self, batch: Images) -> list[Array]:
        request = self._free.get()
        try:
            request.infer({0: np.ascontiguousarray(batch)})
            return [request.get_output_tensor(index).data.copy() for index in self._outputs]
        finally:
            self._free.put(request)


class _TensorFlowNetwork(Network):
    text = "TensorFlow"

    def __init__(self, forward: Forward, image_size: int, batch_size: int | None) -> None:
        super().__init__(batch_size)
        self._graph = _graph(forward, image_size, batch_size)

    def _infer(self, batch: Images) -> list[Array]:
        outputs = [output.numpy() for output in self._graph(tf.constant(batch))]
        # NumPy files cannot hold TensorFlow's bfloat16.
        return [values.astype("float32") if values.dtype.name == "bfloat16" else values for values in outputs]
