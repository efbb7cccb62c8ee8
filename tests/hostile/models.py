"""Model files that mean harm, or that went wrong, made from a good one; and the verdict each must get."""

from __future__ import annotations

import base64
import functools
import io
import json
import marshal
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 32
CLASSES = ("blue", "red")

Config = dict[str, Any]


@functools.cache
def good_model() -> bytes:
    """A ``.keras`` file that separates red from blue, nested like those of the dashboard."""
    import keras

    image = keras.Input((SIZE, SIZE, 3), name="image")
    scaled = keras.Model(image, keras.layers.Rescaling(1 / 255)(image), name="preprocess")
    features = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    answer = keras.layers.Dense(2, activation="softmax", name="probabilities")
    head = keras.Model(features, answer(pooled), name="head")
    answer.set_weights([np.array([[-6, 6], [0, 0], [6, -6]], np.float32), np.zeros(2, np.float32)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        keras.Model(image, head(scaled(image)), name="classifier").save(path)
        return path.read_bytes()


def members() -> dict[str, bytes]:
    """The three parts of the good model."""
    with zipfile.ZipFile(io.BytesIO(good_model())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def config() -> Config:
    return json.loads(members()["config.json"])


def packed(
    parts: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]], how: int = zipfile.ZIP_STORED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in parts.items() if isinstance(parts, Mapping) else parts:
            archive.writestr(name, content)
    return buffer.getvalue()


def with_parts(**changed: bytes) -> bytes:
    """The good model with other parts; ``config`` and ``weights`` name them."""
    names = {"config": "config.json", "weights": "model.weights.h5", "metadata": "metadata.json"}
    return packed(members() | {names[name]: content for name, content in changed.items()})


def with_config(change: Callable[[Config], object]) -> bytes:
    values = config()
    change(values)
    return with_parts(config=json.dumps(values).encode())


def head_layers(values: Config) -> list[Config]:
    """The layers of the head: input, pooling, answer."""
    return values["config"]["layers"][2]["config"]["layers"]


def with_layer(layer: Config) -> bytes:
    """The good model with another layer in place of its pooling, under its name and at its place in the graph."""

    def change(values: Config) -> None:
        layers = head_layers(values)
        place = layers[1]
        layers[1] = {"registered_name": None, **layer, "name": place["name"], "inbound_nodes": place["inbound_nodes"]}
        layers[1]["config"]["name"] = place["name"]

    return with_config(change)


def with_value(key: str, value: Any, layer: int = 2) -> bytes:
    """The good model with one setting of a layer of its head changed; 2 is the last one."""
    return with_config(lambda values: head_layers(values)[layer]["config"].update({key: value}))


def with_entry(place: int, **changes: Any) -> bytes:
    """The good model with a layer of its head described in another way; None takes a line away."""

    def change(values: Config) -> None:
        layer = head_layers(values)[place]
        layer.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del layer[name]

    return with_config(change)


def with_text(old: bytes, new: bytes) -> bytes:
    """The good model with another text in its description."""
    text = members()["config.json"]
    assert old in text
    return with_parts(config=text.replace(old, new))


def with_images(*shape: int) -> bytes:
    """The good model with another size of its images."""
    return with_config(lambda values: values["config"]["layers"][0]["config"].update(batch_shape=[None, *shape]))


def built_for(inputs: int, **settings: Any) -> bytes:
    """The good model, whose last layer claims to be built for so many inputs."""

    def change(values: Config) -> None:
        layer = head_layers(values)[2]
        layer["build_config"] = {"input_shape": [None, inputs]}
        layer["config"].update(settings)

    return with_config(change)


def keras_layer(kind: str, package: str = "keras.layers", **settings: Any) -> Config:
    return {"module": package, "class_name": kind, "config": {"trainable": False, "dtype": "float32", **settings}}


def function(module: str, name: str) -> Config:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def lambda_of_bytecode() -> bytes:
    """What Keras' own Lambda layers look like: compiled Python inside the file."""
    code = base64.b64encode(marshal.dumps((lambda x: x).__code__)).decode()
    body = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    return with_layer(keras_layer("Lambda", function=body, arguments={}))


def lambda_of_keras() -> bytes:
    """A Lambda that calls a function of Keras: Keras itself opens it, in safe mode too."""

    def change(values: Config) -> None:
        layers = values["config"]["layers"][1]["config"]["layers"]
        place = layers[1]
        layer = keras_layer("Lambda", function=function("keras.ops", "abs"), arguments={}, name=place["name"])
        layers[1] = {**layer, "registered_name": None, "name": place["name"], "inbound_nodes": place["inbound_nodes"]}

    return with_config(change)


def padding_bomb() -> bytes:
    """Every number within its bound, and 13 GB between two layers."""

    def change(values: Config) -> None:
        layers = values["config"]["layers"][1]["config"]["layers"]
        place = layers[1]
        layer = keras_layer(
            "ZeroPadding2D", padding=[[16_000, 16_000]] * 2, data_format="channels_last", name=place["name"]
        )
        layers[1] = {**layer, "registered_name": None, "name": place["name"], "inbound_nodes": place["inbound_nodes"]}
        layers[1]["build_config"] = {"input_shape": [None, SIZE, SIZE, 3]}
        head_layers(values)[0]["config"]["batch_shape"] = [None, None, None, 3]

    return with_config(change)


def deep(levels: int) -> bytes:
    return with_parts(
        config=b'{"class_name": "Functional", "module": "keras.src.models.functional", '
        b'"config": {"layers": ' + b"[" * levels + b"]" * levels + b"}}"
    )


def nested(levels: int) -> bytes:
    """Models within models."""

    def change(values: Config) -> None:
        for _ in range(levels):
            inner = dict(values)
            values.update({**inner, "config": {**inner["config"], "layers": [inner]}})

    return with_config(change)


def member(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o777) << 16
    return info


def linked() -> bytes:
    """A model whose weights are a link to a file of the server."""
    parts = members()
    del parts["model.weights.h5"]
    return packed([*parts.items(), (member("model.weights.h5", stat.S_IFLNK), b"/etc/passwd")])


def flagged() -> bytes:
    """A model that claims to be protected by a password."""
    data = bytearray(good_model())
    local, central = data.rindex(b"PK\x03\x04"), data.rindex(b"PK\x01\x02")
    data[local + 6] |= 1
    data[central + 8] |= 1
    return bytes(data)


def big_directory() -> bytes:
    data = bytearray(good_model())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = (1 << 31).to_bytes(4, "little")
    return bytes(data)


def cut(data: bytes, share: float = 0.5) -> bytes:
    return data[: int(len(data) * share)]


def exported(labels: bytes = b"blue\nred\n", model: bytes | None = None, **more: bytes) -> bytes:
    """The zip of an export; ``more`` are further members, with ``_`` for the dot of their names."""
    parts = {"model.keras": model if model is not None else good_model(), "labels.txt": labels}
    named = {name.replace("_", ".", 1): content for name, content in more.items()}
    return packed(parts | named, zipfile.ZIP_DEFLATED)


def manifest(**values: Any) -> bytes:
    return exported(manifest_json=json.dumps({"name": "A", "classes": list(CLASSES), **values}).encode())


class Reads:
    """What a pickle does when it is loaded."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return print, ("loaded",)
