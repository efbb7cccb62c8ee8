"""Whether the network that a model file describes is one of ours: read as plain JSON, before Keras reads it.

Nothing is looked for that might be bad. Every value has to be known to be good: each class by its module and name,
each text by its place, each number by its bound. What is left over is refused, whatever it is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tl_core.backbones.record import Scaling
from tl_core.data.imports.archive import ArchiveLimits
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.known_parts import KNOWN, TEXTS, WEIGHTS_OF

Node = Mapping[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,120}")
_NODE_KEYS: Final = frozenset(
    {"module", "class_name", "config", "registered_name", "build_config", "name", "inbound_nodes", "shared_object_id"}
)
_UNBOUNDED: Final = frozenset({"shared_object_id", "seed"})  # they size nothing
_SHAPES: Final = frozenset(
    {
        "input_shape",
        "shape",
        "batch_shape",
        "build_input_shape",
        "noise_shape",
        "query_shape",
        "value_shape",
        "key_shape",
    }
)
_MODELS: Final = frozenset({"Functional", "Sequential"})


_ARCHIVE: Final = ArchiveLimits(file_bytes=200_000_000, members=100, directory_bytes=100_000)  # also of a bare file


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLimits:
    """Bounds of a file, of the network it describes, and of the process that opens it."""

    archive: ArchiveLimits = _ARCHIVE
    text_bytes: int = 1_000_000  # class names or manifest
    metadata_bytes: int = 10_000
    config_bytes: int = 5_000_000
    config_values: int = 250_000  # the largest of our own has 65,000
    config_depth: int = 60  # ours have 15
    nested_models: int = 4  # models within models; ours have 3
    number: int = 16_384  # units, filters, strides, padding, ...
    shape: int = 4_000_000  # one dimension of a shape that a layer is built for
    parameters: int = 100_000_000
    image_size: tuple[int, int] = (16, 1024)  # pixels
    classes: int = 10_000
    memory_bytes: int = 2 << 30  # of the process that opens it, above what the libraries take
    load_seconds: float = 60.0
    ask_seconds: float = 60.0  # for a few images


LIMITS: Final = ModelLimits()
NETWORKS: Final = replace(LIMITS, archive=replace(_ARCHIVE, file_bytes=620_000_000), parameters=150_000_000)
"""Of a backbone that this program has rebuilt itself."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Input and output of a network."""

    image_size: int  # pixels, width and height
    outputs: int  # numbers per image; 1 = the probability of the second of two classes
    parameters: int  # that its layers use
    logits: bool = False  # whether these numbers are scores, of which softmax or sigmoid makes probabilities
    scaling: Scaling | None = None  # what brings images of 0 to 255 into its input; None: nothing in it says so

    @property
    def classes(self) -> int:
        """How many classes it distinguishes."""
        return max(2, self.outputs)


def read_architecture(text: bytes, *, classifier: bool = True, limits: ModelLimits | None = None) -> Architecture:
    """Check the ``config.json`` of a model.

    Args:
        classifier: whether it has to end in probabilities; else it may be a network without a head, and has no
            outputs.
        limits: of what it may ask for; None = those of an imported model.

    Raises:
        ModelFileError: it is too large or too deep, names anything that our own models do not consist of, or is no
            classifier of square RGB images.
    """
    config = _parsed(text)
    config.pop("compile_config", None)  # never opened: a model is loaded without its optimiser
    _check(config)
    size, (outputs, logits) = _input_size(config), _outputs(config) if classifier else (0, False)
    parameters = sum(_parameters(node) for node in _nodes(config))
    most = (limits or LIMITS).parameters
    if parameters > most:
        raise ModelFileError(
            f"The model asks for {parameters / 1e6:,.0f} million weights, more than the "
            f"{most / 1e6:.0f} million allowed, so it is not opened: bring a smaller one."
        )
    return Architecture(size, outputs, parameters, logits, _scaling(config))


def _parsed(text: bytes) -> dict[str, Any]:
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > LIMITS.config_values:
        raise ModelFileError(
            f"The description of the model has more than the {LIMITS.config_values:,} values allowed, as no model of "
            "this dashboard has: it is not opened."
        )
    try:
        config = json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise ModelFileError(
            "The description of the model is damaged (it is not JSON): export the model again and bring the new file."
        ) from error
    if not isinstance(config, dict) or config.get("class_name") not in _MODELS:
        raise ModelFileError(
            "The file does not describe a Keras model, so it is not opened: bring one that this dashboard exported."
        )
    return config


def _no_number(name: str) -> float:
    raise ValueError(name)


def _too_deep() -> ModelFileError:
    return ModelFileError(
        f"The description of the model is nested deeper than the {LIMITS.config_depth} levels allowed, as no model "
        "of this dashboard is: it is not opened."
    )


def _check(config: Node) -> None:
    """Go through every value, with the key it stands under, how deep, and in how many models."""
    pending: list[tuple[str, Any, int, int]] = [("", config, 1, 0)]
    while pending:
        key, value, depth, models = pending.pop()
        if depth > LIMITS.config_depth:
            raise _too_deep()
        if isinstance(value, dict):
            if _NODE_KEYS & value.keys() - {"config", "name"} and "class_name" not in value:
                raise _unknown(f"“{_shown(key)}”")
            if "class_name" in value:
                models += _checked_node(value, models)
            pending += [(name, inner, depth + 1, models) for name, inner in value.items()]
        elif isinstance(value, list):
            pending += [(key, inner, depth + 1, models) for inner in value]
        else:
            _check_plain(key, value)


def _checked_node(node: Node, models: int) -> int:
    """Check one object of the network; 1 where it is a model itself."""
    name, module, registered = node["class_name"], node.get("module"), node.get("registered_name")
    known = isinstance(name, str) and (module, name) in KNOWN and registered in (None, name)
    if not known or not isinstance(node.get("config"), dict) or node.keys() - _NODE_KEYS - {"compile_config"}:
        raise _unknown(f"“{_shown(name)}”")
    if node.get("compile_config"):
        raise _unknown("an optimiser inside")
    if name == "DTypePolicy" and node["config"].get("name") not in TEXTS["dtype"]:
        raise _unknown(f"numbers of the kind “{_shown(node['config'].get('name'))}”")
    if name in _MODELS and models >= LIMITS.nested_models:
        raise ModelFileError(
            f"The model holds models within models, more than the {LIMITS.nested_models} levels allowed, so it is "
            "not opened: bring one that this dashboard exported."
        )
    return int(name in _MODELS)


def _check_plain(key: str, value: Any) -> None:
    if isinstance(value, str):
        allowed = TEXTS.get(key)
        if not (value in allowed if allowed is not None else _NAME.fullmatch(value) and key in _NAMES):
            raise _unknown(f"“{_shown(value)}” as “{_shown(key)}”")
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and key not in _UNBOUNDED:
        bound = LIMITS.shape if key in _SHAPES else LIMITS.number
        if not math.isfinite(value) or abs(value) > bound:
            raise ModelFileError(
                f"The model asks for “{_shown(key)}” of {value:,.4g}, more than the {bound:,} allowed, so it is not "
                "opened: bring one that this dashboard exported."
            )


_NAMES: Final = frozenset(
    {"name", "class_name", "module", "registered_name", "input_layers", "output_layers", "keras_history"}
)


def _nodes(config: Node) -> Iterator[Node]:
    """The layers of a model and of all models in it."""
    for layer in _layers(config):
        yield layer
        if layer["class_name"] in _MODELS:
            yield from _nodes(layer)


def _layers(model: Node) -> list[Node]:
    layers = model["config"].get("layers")
    if not isinstance(layers, list) or not all(isinstance(entry, dict) and "class_name" in entry for entry in layers):
        raise _damaged()
    return layers


def _parameters(layer: Node) -> int:
    """How many weights a layer will have, in the shape that the file has it built for."""
    count: Callable[[Node, tuple[int, ...]], int] | None = WEIGHTS_OF.get(layer["class_name"])
    if count is None:
        return 0
    built = layer.get("build_config") or {}
    shape = built.get("input_shape") or (built.get("shapes_dict") or {}).get("query_shape")
    if not isinstance(shape, list) or not all(isinstance(entry, int) for entry in shape[1:]) or len(shape) < 2:
        raise _damaged()
    try:
        return int(count(layer["config"], tuple(shape[1:])))
    except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError) as error:
        raise _damaged() from error


def _input_size(config: Node) -> int:
    inputs = [layer for layer in _layers(config) if layer["class_name"] == "InputLayer"]
    low, high = LIMITS.image_size
    match [layer["config"].get("batch_shape") for layer in inputs]:
        case [[None, int(height), width, 3]] if height == width and low <= height <= high:
            return height
    raise ModelFileError(
        f"The model does not take square colour images of {low} to {high} pixels, so it is not opened: bring one "
        "that this dashboard exported."
    )


def _outputs(config: Node) -> tuple[int, bool]:
    """How many numbers the last layer gives, and whether they are scores rather than probabilities."""
    last, model = config, config
    while last["class_name"] in (*_MODELS, "Average"):
        # Of an ensemble any member tells; the process that opens the model compares shapes.
        last, model = (_last_layer(last), last) if last["class_name"] in _MODELS else (_last_member(model), model)
    units = last["config"].get("units")
    if last["class_name"] == "Activation":  # in a layer of its own; the process that opens the model compares shapes
        units = next((node["config"].get("units") for node in reversed(_layers(model)) if _is_dense(node)), None)
    match last["class_name"], last["config"].get("activation"), units:
        case ("Dense" | "Activation", "sigmoid", 1):
            return 1, False
        case ("Dense" | "Activation", "softmax", int(units)) if 2 <= units <= LIMITS.classes:
            return units, False
        case ("Dense", "linear" | None, int(units)) if 1 <= units <= LIMITS.classes:
            return units, True
    raise _no_classifier()


def _last_member(model: Node) -> Node:
    """The last of the models in a model, whose answers it averages."""
    members = [layer for layer in _layers(model) if layer["class_name"] in _MODELS]
    if not members:
        raise _no_classifier()
    return members[-1]


def _is_dense(layer: Node) -> bool:
    return bool(layer["class_name"] == "Dense")


def _scaling(config: Node) -> Scaling | None:
    """What the layers before the first one with weights say of the range of the images."""
    for node in _nodes(config):
        match node["class_name"]:
            case "Rescaling":
                return _RANGES.get(_unit(node["config"].get("scale")))
            case "Normalization" | "TrueDivide" | "Subtract":
                return "built_in"
            case kind if kind in WEIGHTS_OF:
                return None
    return None


_RANGES: Final[Mapping[str, Scaling]] = {"of bytes": "built_in", "of shares": "zero_to_one"}


def _unit(scale: Any) -> str:
    """Of which numbers a `Rescaling` makes about -1 to 1: 1/255 or 1/127.5 of bytes, 2 of shares."""
    if not isinstance(scale, (int, float)):
        return "of bytes"
    return "of bytes" if scale <= 0.1 else "of shares" if scale == 2 else ""


def _last_layer(model: Node) -> Node:
    layers = _layers(model)
    if model["class_name"] == "Sequential" and layers:
        return layers[-1]
    outputs = model["config"].get("output_layers")
    while isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], list):
        outputs = outputs[0]
    name = outputs[0] if isinstance(outputs, list) and outputs else None
    for layer in layers:
        if name is not None and name in (layer.get("name"), layer["config"].get("name")):
            return layer
    raise _no_classifier()


def _no_classifier() -> ModelFileError:
    return ModelFileError(
        "The model does not end in one probability or score per class (a Dense layer with softmax or without an "
        "activation, or one number for two classes), so it is not opened: bring an image classifier."
    )


def _unknown(what: str) -> ModelFileError:
    return ModelFileError(
        f"The model holds {what}, which no model trained in this dashboard does, and such a part could do anything: "
        "it is not opened; bring a model that this dashboard exported."
    )


def _damaged() -> ModelFileError:
    return ModelFileError(
        "The description of the model is incomplete: export the model again and bring the new file."
    )


def _shown(value: Any) -> str:
    """A piece of the file that is safe to show: short, printable, on one line."""
    text = "".join(char if char.isprintable() else " " for char in str(value)[:200])
    return text if len(text) <= 40 else f"{text[:39]}…"
