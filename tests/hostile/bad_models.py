"""Every bad model file, and the verdict it must get."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.hostile.model_weights import (
    another_shape,
    external_link,
    external_storage,
    half_the_weights,
    missing,
    never_written,
    not_numbers,
    shape_bomb,
    soft_link,
    virtual,
    weights,
    words,
)
from tests.hostile.models import (
    CLASSES,
    Reads,
    big_directory,
    built_for,
    cut,
    deep,
    exported,
    flagged,
    function,
    good_model,
    keras_layer,
    lambda_of_bytecode,
    lambda_of_keras,
    linked,
    manifest,
    members,
    nested,
    packed,
    padding_bomb,
    with_entry,
    with_images,
    with_layer,
    with_parts,
    with_text,
    with_value,
)


def bomb() -> bytes:
    """50 MB of description in 50 KB."""
    return packed({**members(), "config.json": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class BadModel:
    """A file that must be refused, and a part of the sentence with the reason."""

    name: str
    make: Callable[[], bytes]
    says: str
    child: bool = False  # found out by the process that opens it, because the weights have to be read for it
    by_keras: bool = False  # only once Keras has been loaded there
    names: tuple[str, ...] | None = CLASSES  # given by the person

    def __str__(self) -> str:
        return self.name


TYPE_SPECIFICATION = {"class_name": "__typespec__", "config": [], "spec_name": "X"}
UNSAFE = function("keras.config", "enable_unsafe_deserialization")
WIDE = b"[" + b"[]," * 1_500_000 + b"[]]"
EMPTY = {"config.json": b"{}", "metadata.json": b"{}"}

_FOREIGN = "which no model trained in this dashboard does"
_NO_MODEL = "not a Keras model"
_PARTS = "three parts"
_OUTSIDE = "could read others of this machine"

BAD_MODELS = (
    # Code
    BadModel("lambda of bytecode", lambda_of_bytecode, _FOREIGN),
    BadModel("lambda of a function of keras", lambda_of_keras, _FOREIGN),
    BadModel("os.system", lambda: with_layer(keras_layer("system", "os", command="id")), _FOREIGN),
    BadModel("posix", lambda: with_layer(keras_layer("system", "posix")), _FOREIGN),
    BadModel("function of builtins", lambda: with_value("activation", function("builtins", "eval")), _FOREIGN),
    BadModel("unsafe mode", lambda: with_value("activation", UNSAFE), _FOREIGN),
    BadModel("get_file", lambda: with_value("activation", function("keras.utils", "get_file")), _FOREIGN),
    BadModel("tfsm layer", lambda: with_layer(keras_layer("TFSMLayer", filepath="/tmp/model")), _FOREIGN),
    BadModel("torch wrapper", lambda: with_layer(keras_layer("TorchModuleWrapper", module="gASV")), _FOREIGN),
    BadModel("jax layer", lambda: with_layer(keras_layer("JaxLayer", call_fn="x")), _FOREIGN),
    BadModel("string lookup", lambda: with_layer(keras_layer("StringLookup", vocabulary="/etc/passwd")), _FOREIGN),
    BadModel("layer of another package", lambda: with_layer(keras_layer("Layer", "evil.layers")), _FOREIGN),
    BadModel("layer without a module", lambda: with_entry(1, module=None), _FOREIGN),
    BadModel("registered by another name", lambda: with_entry(1, registered_name="a>B"), _FOREIGN),
    BadModel("type specification", lambda: with_value("noise", TYPE_SPECIFICATION), _FOREIGN),
    BadModel("optimiser inside", lambda: with_entry(1, compile_config={"loss": "mse"}), _FOREIGN),
    BadModel("path as initialiser", lambda: with_value("kernel_initializer", "/etc/passwd"), _FOREIGN),
    BadModel("address as name", lambda: with_value("name", "http://evil.example/x"), _FOREIGN),
    BadModel("path in a name", lambda: with_value("name", "../../evil"), _FOREIGN),
    BadModel("quantised numbers", lambda: with_value("dtype", "int8_from_float32"), _FOREIGN),
    BadModel("pickle", lambda: pickle.dumps(Reads()), _NO_MODEL),
    BadModel("pickle as weights", lambda: with_parts(weights=pickle.dumps(Reads())), "HDF5"),
    # Size
    BadModel("huge units", lambda: with_value("units", 1 << 31), "more than the 16,384 allowed"),
    BadModel("endless units", lambda: with_text(b'"units": 2', b'"units": 1e999'), "more than the 16,384"),
    BadModel("more weights than the file", lambda: built_for(20_000), "has only"),
    BadModel("billions of weights", lambda: built_for(4_000_000, units=9_000), "more than the 100 million"),
    BadModel("100 levels", lambda: deep(100), "nested deeper"),
    BadModel("100,000 levels", lambda: deep(100_000), "nested deeper"),
    BadModel("6 MB of description", lambda: with_parts(config=b" " * 6_000_000), "more than the 5 MB"),
    BadModel("wide description", lambda: with_parts(config=WIDE), "more than the 250,000 values"),
    BadModel("models within models", lambda: nested(6), "models within models"),
    BadModel("images of 100 megapixels", lambda: with_images(10_000, 10_000, 3), "square colour images"),
    BadModel("no probabilities", lambda: with_value("activation", "relu"), "probability or score per class"),
    BadModel("bomb of a description", bomb, "compressed"),
    BadModel("padding bomb", padding_bomb, "memory", child=True, by_keras=True),
    # The archive
    BadModel("nothing", lambda: b"", "empty"),
    BadModel("no zip", lambda: b"I am no model" * 100, _NO_MODEL),
    BadModel("h5 renamed", lambda: members()["model.weights.h5"], _NO_MODEL),
    BadModel("cut off", lambda: cut(good_model()), _NO_MODEL),
    BadModel("huge directory", big_directory, "far more parts"),
    BadModel("climbs out", lambda: packed({**members(), "../../evil.py": b"x"}), _PARTS),
    BadModel("climbs out as a part", lambda: packed({**members(), "assets/../../evil.py": b"x"}), _PARTS),
    BadModel("assets", lambda: packed({**members(), "assets/vocabulary.txt": b"x"}), _PARTS),
    BadModel("two descriptions", lambda: packed([*members().items(), ("config.json", b"{}")]), _PARTS),
    BadModel("no weights", lambda: packed(EMPTY), _PARTS),
    BadModel("npz weights", lambda: packed({**EMPTY, "model.weights.npz": b""}), _PARTS),
    BadModel("link", linked, "a link"),
    BadModel("password", flagged, "password"),
    BadModel("no json", lambda: with_parts(config=b"{"), "not JSON"),
    BadModel("not a number", lambda: with_text(b'"units": 2', b'"units": NaN'), "not JSON"),
    BadModel("no model inside", lambda: with_parts(config=b'{"a": 1}'), "does not describe a Keras model"),
    # The zip of an export
    BadModel("zip without a model", lambda: packed({"labels.txt": b"a\nb"}), "holds no model"),
    BadModel("zip of two models", lambda: exported(b_keras=good_model()), "2 models"),
    BadModel("zip with a bomb", lambda: exported(model=bytes(100_000_000)), "unpacks to 100 MB"),
    BadModel("zip with a hostile model", lambda: exported(model=lambda_of_keras()), _FOREIGN),
    BadModel("too few names", lambda: exported(b"blue\n"), "1 names were given"),
    BadModel("one name twice", lambda: exported(b"red\n red \n"), "Two classes"),
    BadModel("megabytes of names", lambda: exported(np.random.default_rng(0).bytes(1_500_000)), "far too large"),
    BadModel("manifest of another model", lambda: manifest(model_sha256="0" * 64), "not the one"),
    BadModel("manifest of nonsense", lambda: exported(manifest_json=b"[" * 50_000), "manifest"),
    BadModel("manifest with a temperature of 0", lambda: manifest(temperature=0), "manifest"),
    BadModel("wrong number of names", good_model, "tells 2 classes apart", names=("a", "b", "c")),
    BadModel("no names", good_model, "give their names", names=None),
    # The weights, which only the process that opens the model reads
    BadModel("weights cut off", half_the_weights, "damaged", child=True),
    BadModel("external storage", lambda: weights(external_storage), _OUTSIDE, child=True),
    BadModel("external link", lambda: weights(external_link), _OUTSIDE, child=True),
    BadModel("soft link", lambda: weights(soft_link), _OUTSIDE, child=True),
    BadModel("virtual dataset", lambda: weights(virtual), _OUTSIDE, child=True),
    BadModel("shape bomb", lambda: weights(shape_bomb), "Keras never does", child=True),
    BadModel("never written", lambda: weights(never_written), "Keras never does", child=True),
    BadModel("words as weights", lambda: weights(words), "else than numbers", child=True),
    BadModel("not a number as weight", lambda: weights(not_numbers), "NaN", child=True),
    BadModel("weights of another shape", lambda: weights(another_shape), "cannot open", child=True, by_keras=True),
    BadModel("missing weights", lambda: weights(missing), "cannot open", child=True, by_keras=True),
)
