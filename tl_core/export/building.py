"""Turning a Keras model into the file of another runtime, by Keras' own export and the converters of each runtime.

The input of every file is raw RGB in [0, 255] as float32, ``(n, size, size, 3)``: the scaling of the backbone
is a part of the model. Packages are imported where they are used, since most formats need only some of them.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from tl_core.data.normalise import Reading
from tl_core.features.openvino_runtime import convert, import_openvino
from tl_core.inference.calibration import load_calibration
from tl_core.inference.novelty import Novelty, load_novelty
from tl_core.runs import RunRecord, dataset_of

CALIBRATION_IMAGES: Final = 100
OUTPUTS: Final = ("probabilities", "seen", "seen_where")
"""Of a frozen graph: as a model with features has them, see `tl_core.models.taps`."""

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of the items, evenly spread over them."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)
    return [items[place] for place in places]


def exported_novelty(run: RunRecord) -> Novelty | None:
    """What the model of a run was taught, as its exports tell it; None where it has to answer about everything."""
    asked = load_calibration(run.folder, run.model_sha256).accepted < 1
    return load_novelty(run.folder, run.model_sha256) if asked else None


@dataclass(frozen=True)
class Source:
    """What a builder may use; read when it is used."""

    run: RunRecord

    @functools.cached_property
    def model(self) -> Any:
        """The checkpoint of the run, loaded: a ``keras.Model``."""
        from tl_core.models.load import load_stored

        return load_stored(self.run)

    @functools.cached_property
    def model_with_features(self) -> Any:
        """The model with the features by which it tells what is unlike its images, where that was learned."""
        from tl_core.models.classifier import split_classifier
        from tl_core.models.taps import tapped_classifier, tapped_layer

        if exported_novelty(self.run) is None:
            return self.model
        classifier = split_classifier(self.model)
        return tapped_classifier(classifier, tapped_layer(self.run.config.backbone, classifier.base))

    def calibration(self) -> npt.NDArray[np.uint8]:
        """Training images ``(n, size, size, 3)``, for the ranges of whole numbers."""
        dataset = dataset_of(self.run)
        paths = [dataset.path_of(image) for image in spread(dataset.of_split("train"), CALIBRATION_IMAGES)]
        reading = Reading(int(self.model.input_shape[1]), self.run.config.fit)
        return np.stack([reading.of_stored(path) for path in paths])


Builder: TypeAlias = Callable[[Source, Path], None]
"""Writes the file, or the folder, at the given path."""


def build_keras(source: Source, target: Path) -> None:
    """The checkpoint as it is."""
    shutil.copyfile(source.run.folder.model_file, target)


def build_saved_model(source: Source, target: Path) -> None:
    """A folder with the function ``serve``."""
    source.model_with_features.export(target, format="tf_saved_model", verbose=False)


def build_tflite_float32(source: Source, target: Path) -> None:
    """All numbers as they were."""
    _convert(source, target, {})


def build_tflite_float16(source: Source, target: Path) -> None:
    """Weights of 16 bits; computed in 32 where the device has no fast 16."""
    import tensorflow as tf

    _convert(source, target, {"supported_types": [tf.float16]}, optimizations=[tf.lite.Optimize.DEFAULT])


def build_tflite_int8(source: Source, target: Path) -> None:
    """Weights and the values between layers as whole numbers of 8 bits; input and output stay float32.

    Reference: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_quantization
    """
    import tensorflow as tf

    _convert(
        source,
        target,
        # Operations without a whole-number form stay float.
        {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]},
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([image[np.newaxis].astype(np.float32)] for image in source.calibration()),
    )


def _convert(source: Source, target: Path, target_spec: Mapping[str, Any], **settings: Any) -> None:
    """Convert by way of a SavedModel, with these attributes of the converter and of its ``target_spec``."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        build_saved_model(source, Path(folder) / "saved_model")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(Path(folder) / "saved_model"))
        for name, value in settings.items():
            setattr(converter, name, value)
        for name, value in target_spec.items():
            setattr(converter.target_spec, name, value)
        target.write_bytes(converter.convert())


def build_onnx(source: Source, target: Path) -> None:
    """By tf2onnx, from a graph in which all values are constants.

    Keras' own way through tf2onnx takes the mean and the variance of a Normalization layer for further inputs.
    """
    import tf2onnx

    _add_erfc()
    frozen = freeze(source.model_with_features)
    tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[tensor.name for tensor in frozen.inputs],
        output_names=[tensor.name for tensor in frozen.outputs],
        output_path=str(target),
    )


def freeze(model: Any) -> Any:
    """The graph of a Keras model, in which all values are constants; for a process that does nothing else.

    Returns:
        A concrete function of TensorFlow with the input ``image`` and as many of `OUTPUTS` as the model has outputs.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def answer(image: Any) -> list[Any]:
        found = model(image, training=False)
        return [
            tf.identity(output, name)
            for output, name in zip(found if isinstance(found, list) else [found], OUTPUTS, strict=False)
        ]

    # Keras hides convolutions in groups in functions of their own; called eagerly, they are traced as they are. The
    # setting holds for the whole process, which builds this file alone.
    tf.config.run_functions_eagerly(True)
    traced = tf.compat.v1.wrap_function(answer, [tf.TensorSpec(model.input_shape, tf.float32, name="image")])
    return convert_variables_to_constants_v2(traced)


def _add_erfc() -> None:
    """Teach tf2onnx the complement of the error function, 1 - erf(x), with which Keras computes ``gelu``."""
    from tf2onnx.handler import tf_op
    from tf2onnx.utils import make_name

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
            """From opset 9 on, which has Erf."""
            like = {"dtypes": node.output_dtypes, "shapes": node.output_shapes}
            one = graph.make_const(make_name("one"), np.array(1, np.float32))
            error = graph.make_node("Erf", node.input, **like)
            graph.remove_node(node.name)
            inputs = [one.output[0], error.output[0]]
            graph.make_node("Sub", inputs, outputs=node.output, name=node.name, **like)


def build_openvino(source: Source, target: Path) -> None:
    """``model.xml`` and, beside it, ``model.bin`` with the weights in float32."""
    openvino = import_openvino()
    assert openvino is not None  # noqa: S101  # the format says that it is needed
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        build_saved_model(source, Path(folder) / "saved_model")
        model = convert(openvino, str(Path(folder) / "saved_model"))
        openvino.save_model(model, str(target), compress_to_fp16=False)
