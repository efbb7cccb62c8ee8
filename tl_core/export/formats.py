"""The table of formats: what each is for, what builds it, and the program that uses it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from tl_core.errors import ExportError
from tl_core.export import building
from tl_core.export.browser.graph import build_browser_model
from tl_core.export.building import Builder


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """One export format."""

    name: str  # on the command line and in file names
    title: str
    purpose: str
    model: str  # name of the model's file or folder
    build: Builder
    program: str  # template of the program that uses the file
    needs: str  # what to install for it, as pip takes it
    may_answer_all: bool = (
        False  # without refusals, where its numbers are too coarse to tell what is unlike its images
    )
    quantised: bool = False  # smaller numbers: checked by its accuracy instead of its probabilities
    page: str = ""  # name of the HTML file that uses it in a browser, see `tl_core.export.browser`
    packages: tuple[str, ...] = ()  # modules that building and proving need, beyond those of the dashboard
    install: str = ""  # one sentence, where one of them is missing


_TFLITE: Final = ExportFormat(
    name="tflite",
    title="LiteRT (TFLite)",
    purpose="For phones and single-board computers: Android, iOS, Raspberry Pi.",
    model="model.tflite",
    build=building.build_tflite_float32,
    program="predict_tflite.py.jinja",
    needs="ai-edge-litert",
)
_ALL: Final = (
    ExportFormat(
        name="keras",
        title="Keras",
        purpose="To go on in Python, or in this dashboard on another machine: its Predict page opens the zip.",
        model="model.keras",
        build=building.build_keras,
        program="predict_keras.py.jinja",
        needs="tensorflow keras",
    ),
    ExportFormat(
        name="saved_model",
        title="TensorFlow SavedModel",
        purpose="For servers: TensorFlow Serving and everything else that runs TensorFlow.",
        model="saved_model",
        build=building.build_saved_model,
        program="predict_saved_model.py.jinja",
        needs="tensorflow",
    ),
    ExportFormat(
        name="tensorflowjs",
        title="Web page (TensorFlow.js)",
        purpose="For anybody: one file for a browser that looks at the camera picture or a photo, without a network "
        "or an installation.",
        model="model",
        build=build_browser_model,
        program="predict_tensorflowjs.py.jinja",
        needs="tensorflow",
        page="index.html",
    ),
    _TFLITE,
    replace(
        _TFLITE,
        name="tflite_float16",
        title="LiteRT (TFLite), half size",
        purpose="The same in half the space: weights of 16 bits (float16), hardly any difference.",
        build=building.build_tflite_float16,
        quantised=True,
    ),
    replace(
        _TFLITE,
        name="tflite_int8",
        title="LiteRT (TFLite), quarter size",
        purpose="The smallest and, on small processors, the fastest: whole numbers of 8 bits (int8), a little less "
        "exact.",
        build=building.build_tflite_int8,
        may_answer_all=True,
        quantised=True,
    ),
    ExportFormat(
        name="onnx",
        title="ONNX",
        purpose="For other languages and tools: C#, Java, JavaScript, Windows ML.",
        model="model.onnx",
        build=building.build_onnx,
        program="predict_onnx.py.jinja",
        needs="onnxruntime",
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
        program="predict_openvino.py.jinja",
        needs="openvino",
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
