"""The table of formats: what each is for, what builds it, and the few lines of a program that use it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tl_core.errors import ExportError
from tl_core.export import building
from tl_core.export.building import Builder


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How a program uses a file, as Python; ``HERE`` is its folder, ``batch`` is float32 ``(1, s, s, 3)``."""

    packages: str  # what to install, as pip takes it
    imports: tuple[str, ...]
    load: tuple[str, ...]  # assigns names to what is loaded once
    ask: tuple[str, ...]  # sets ``probabilities`` to a one-dimensional array


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """One export format."""

    name: str  # on the command line and in file names
    title: str
    purpose: str  # its purpose, for the page
    model: str  # name of the model's file or folder
    build: Builder
    runtime: Runtime
    quantised: bool = False  # smaller numbers: checked by its accuracy instead of its probabilities
    packages: tuple[str, ...] = ()  # modules that building and proving need, beyond those of the dashboard
    install: str = ""  # one sentence, where one of them is missing


_TENSORFLOW: Final = "tensorflow"
_TFLITE: Final = Runtime(
    packages="ai-edge-litert",
    imports=(
        "try:",
        "    from ai_edge_litert.interpreter import Interpreter",
        "except ImportError:  # the same comes with TensorFlow",
        "    from tensorflow.lite.python.interpreter import Interpreter",
    ),
    load=(
        'model = Interpreter(model_path=str(HERE / "model.tflite"))',
        "model.allocate_tensors()",
    ),
    ask=(
        'model.set_tensor(model.get_input_details()[0]["index"], batch)',
        "model.invoke()",
        'probabilities = model.get_tensor(model.get_output_details()[0]["index"])[0]',
    ),
)
_SAVED_MODEL: Final = Runtime(
    packages=_TENSORFLOW,
    imports=("import tensorflow as tf",),
    load=('model = tf.saved_model.load(str(HERE / "saved_model"))',),
    ask=("probabilities = model.serve(batch).numpy()[0]",),
)
_KERAS: Final = Runtime(
    packages=f"{_TENSORFLOW} keras",
    imports=("import keras",),
    load=('model = keras.models.load_model(HERE / "model.keras", compile=False)',),
    ask=("probabilities = np.asarray(model(batch, training=False))[0]",),
)
_ONNX: Final = Runtime(
    packages="onnxruntime",
    imports=("import onnxruntime",),
    load=(
        'model = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])',
        "INPUT = model.get_inputs()[0].name",
    ),
    ask=("probabilities = model.run(None, {INPUT: batch})[0][0]",),
)
_OPENVINO: Final = Runtime(
    packages="openvino",
    imports=("import openvino",),
    # Some processors compute in 16 bits by default.
    load=('model = openvino.compile_model(HERE / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})',),
    ask=("probabilities = model(batch)[0][0]",),
)

_ALL: Final = (
    ExportFormat(
        name="keras",
        title="Keras",
        purpose="To go on in Python, or in this dashboard on another machine: its Predict page opens the zip.",
        model="model.keras",
        build=building.build_keras,
        runtime=_KERAS,
    ),
    ExportFormat(
        name="saved_model",
        title="TensorFlow SavedModel",
        purpose="For servers: TensorFlow Serving and everything else that runs TensorFlow.",
        model="saved_model",
        build=building.build_saved_model,
        runtime=_SAVED_MODEL,
    ),
    ExportFormat(
        name="tflite",
        title="LiteRT (TFLite)",
        purpose="For phones and single-board computers: Android, iOS, Raspberry Pi.",
        model="model.tflite",
        build=building.build_tflite_float32,
        runtime=_TFLITE,
    ),
    ExportFormat(
        name="tflite_float16",
        title="LiteRT (TFLite), half size",
        purpose="The same in half the space: weights of 16 bits (float16), hardly any difference.",
        model="model.tflite",
        build=building.build_tflite_float16,
        runtime=_TFLITE,
        quantised=True,
    ),
    ExportFormat(
        name="tflite_int8",
        title="LiteRT (TFLite), quarter size",
        purpose="The smallest and, on small processors, the fastest: whole numbers of 8 bits (int8), a little less "
        "exact.",
        model="model.tflite",
        build=building.build_tflite_int8,
        runtime=_TFLITE,
        quantised=True,
    ),
    ExportFormat(
        name="onnx",
        title="ONNX",
        purpose="For other languages and tools: C#, Java, JavaScript in the browser, Windows ML.",
        model="model.onnx",
        build=building.build_onnx,
        runtime=_ONNX,
        packages=("tf2onnx", "onnx", "onnxruntime"),
        install="ONNX needs three more packages on the machine of the dashboard: run “pip install tf2onnx onnx "
        "onnxruntime” there and start it again.",
    ),
    ExportFormat(
        name="openvino",
        title="OpenVINO",
        purpose="For ordinary PCs without a graphics card: the fastest on Intel processors.",
        model="model.xml",
        build=building.build_openvino,
        runtime=_OPENVINO,
        packages=("openvino",),
        install="OpenVINO is not installed on the machine of the dashboard: run “pip install openvino” there and "
        "start it again.",
    ),
)
FORMATS: Final[Mapping[str, ExportFormat]] = MappingProxyType({entry.name: entry for entry in _ALL})


def get_format(name: str) -> ExportFormat:
    """The format of that name.

    Raises:
        ExportError: there is none.
    """
    if name not in FORMATS:
        raise ExportError(f"There is no export format “{name}”: choose one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def missing_packages(form: ExportFormat) -> tuple[str, ...]:
    """Modules that the format needs and this machine does not have; nothing is imported."""
    return tuple(name for name in form.packages if importlib.util.find_spec(name) is None)
