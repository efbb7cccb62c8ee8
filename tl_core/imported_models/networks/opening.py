"""The process that opens a network from elsewhere, turns it into Keras layers and proves that these say the same.

Started by `bringing` as ``python -m tl_core.imported_models.networks.opening FOLDER TARGET WISHES``. It writes
frames to standard output: stages, then what was found or why the network is refused. The layers go into TARGET as a
``.keras`` file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from tl_core.backbones.networks import NETWORK, OUTLINE
from tl_core.errors import ModelFileError
from tl_core.imported_models.check.weights import check_weights
from tl_core.imported_models.networks.preset import WEIGHTS, Preprocessing, backbone_of, is_preset, preprocessing_of
from tl_core.imported_models.networks.saved_model import check_graph
from tl_core.imported_models.sandbox.frames import write_frame
from tl_core.imported_models.sandbox.limits import forbid_everything_else, limit_memory, limit_writing
from tl_core.imported_models.sandbox.worker import sentences

DEFAULT_SIZE: Final = 224  # pixels, where a network takes any size and nobody names one
MEMORY_BYTES: Final = 6 << 30  # above what the libraries take
TOLERANCE: Final = 1e-3  # of the largest number that comes out
_TRIED: Final = 4  # pictures
_STRETCHING: Final = ("DINOV2Backbone",)  # whose positions KerasHub stretches to any size of image
_SIGNATURES: Final = ("serving_default", "default", "image_feature_vector")


def main(source: Path, target: Path, wishes: dict[str, Any]) -> None:
    """Open the network, and leave its layers in the target folder."""
    answers = os.fdopen(os.dup(1), "wb")  # for frames alone ...
    os.dup2(2, 1)  # ... whatever else prints something goes to standard error
    with sentences(answers):
        write_frame(answers, {"stage": "Loading the libraries"})
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(0)
        _warm_up(keras, tf, target)
        if preset := source.is_dir() and is_preset(source):
            import keras_hub  # noqa: F401  # with all that it loads itself, before that is forbidden
        limit_writing(MEMORY_BYTES)
        limit_memory(MEMORY_BYTES)
        forbid_everything_else(source, writable=target)
        opened = _open_preset if preset else _open_saved_model if source.is_dir() else _open_keras
        write_frame(answers, {"ready": True, "found": opened(source, target, wishes, answers)})


def _open_saved_model(source: Path, target: Path, wishes: dict[str, Any], answers: BinaryIO) -> dict[str, Any]:
    from tl_core.imported_models.networks.graph_layers import feature_map, network_of_graph

    write_frame(answers, {"stage": "Checking the graph"})
    check_graph(source)
    write_frame(answers, {"stage": "Opening the network"})
    network = _Signature.of(source)
    size = network.image_size or int(wishes.get("image_size") or DEFAULT_SIZE)
    write_frame(answers, {"stage": "Turning it into layers"})
    whole = network_of_graph(network.graph, network.image, network.output, size)
    write_frame(answers, {"stage": "Comparing both"})
    found: dict[str, Any] = {
        "signature": network.name,
        "variables": network.variables,
        "trainable_variables": network.trainable,
        "difference": _difference(network.features, whole, size),
        "scaling": wishes.get("scaling") or "zero_to_one",  # as the hub's image networks take them
    }
    return found | _save(feature_map(whole), target, any_size=network.image_size is None)


def _open_preset(source: Path, target: Path, wishes: dict[str, Any], answers: BinaryIO) -> dict[str, Any]:
    import keras

    from tl_core.backbones.block_maps import as_map, tokens_of
    from tl_core.imported_models.networks.preset_layers import image_part, network_of_backbone

    write_frame(answers, {"stage": "Checking the weights"})
    check_weights((source / WEIGHTS).read_bytes())
    write_frame(answers, {"stage": "Opening the network"})
    preprocessing = None if wishes.get("scaling") else preprocessing_of(source)
    seeing, size = _preset_and_size(source, wishes, preprocessing)
    seeing = image_part(seeing)
    write_frame(answers, {"stage": "Turning it into layers"})
    base = network_of_backbone(seeing, preprocessing, size)
    write_frame(answers, {"stage": "Comparing both"})
    given = preprocessing or Preprocessing((1.0,), (0.0,), None)
    scale, offset = (np.asarray(numbers, np.float32) for numbers in (given.scale, given.offset))
    highest = 255.0 if preprocessing else 1.0

    def features(images: Any) -> Any:
        found = seeing(keras.ops.convert_to_tensor(np.asarray(images) * scale + offset), training=False)
        return keras.ops.convert_to_numpy(as_map(base, found))

    return {
        "difference": _difference(features, base, size, highest),
        "scaling": "built_in" if preprocessing else wishes.get("scaling") or "",
        "tokens": tokens_of(base),
    } | _save(base, target, any_size=seeing.input_shape[1] is None)


def _preset_and_size(source: Path, wishes: dict[str, Any], preprocessing: Preprocessing | None) -> tuple[Any, int]:
    """The backbone of a preset, and the size of image that it is built for."""
    import keras_hub

    wished: Any = wishes.get("image_size")
    said = wished or (preprocessing.image_size if preprocessing else None)
    stretches = backbone_of(source) in _STRETCHING
    shape = {"image_shape": (int(said), int(said), 3)} if stretches and said else {}
    backbone = keras_hub.models.Backbone.from_preset(str(source), dtype="float32", **shape)
    own = getattr(backbone, "vision_encoder", backbone).inputs[0].shape[1]
    if own is not None and wished and own != wished:
        raise ModelFileError(f"The network takes images of {own} x {own} pixels alone. Received: {wished}.")
    return backbone, int(own or said or DEFAULT_SIZE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    """One function of a SavedModel, from images to features, with its variables as constants."""

    name: str
    function: Any  # the original, for a proof
    graph: Any  # ``GraphDef``
    image: str  # name of a node
    output: str
    place: int  # of the output among all
    image_size: int | None  # pixels; None = any
    variables: int
    trainable: int

    @classmethod
    def of(cls, source: Path) -> _Signature:
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        loaded = tf.saved_model.load(str(source))
        name, function = _function_of(loaded)
        frozen = convert_variables_to_constants_v2(function, aggressive_inlining=True)
        shapes = [tensor.shape for tensor in frozen.inputs]
        if len(shapes) != 1 or shapes[0].rank != 4 or shapes[0][3] not in (3, None) or shapes[0][1] != shapes[0][2]:
            raise ModelFileError(
                f"The function “{name}” of the SavedModel takes {[str(shape) for shape in shapes]} and not one "
                "batch of square colour images: bring a feature vector or a classifier of images."
            )
        place = _place_of_features(frozen.outputs)
        return cls(
            name=name,
            function=function,
            graph=frozen.graph.as_graph_def(),
            image=frozen.inputs[0].op.name,
            output=frozen.outputs[place].op.name,
            place=place,
            image_size=shapes[0][1],
            variables=len(getattr(loaded, "variables", ())),
            trainable=len(getattr(loaded, "trainable_variables", ())),
        )

    def features(self, images: Any) -> Any:
        """What the original says, ``(n, ...)``."""
        import tensorflow as tf

        names = list(self.function.structured_input_signature[1])
        given = self.function(**{names[0]: images}) if names else self.function(images)
        return tf.nest.flatten(given)[self.place].numpy()


def _function_of(loaded: Any) -> tuple[str, Any]:
    """The function that gives features of images in inference, by its name."""
    import tensorflow as tf

    signatures = getattr(loaded, "signatures", {})
    for name in (*_SIGNATURES, *(signatures if len(signatures) == 1 else ())):
        if name in signatures:
            return name, signatures[name]
    call = getattr(loaded, "__call__", None)  # noqa: B004  # a restored function, of which there are several forms
    for function in getattr(call, "concrete_functions", ()):
        given = tf.nest.flatten(function.structured_input_signature)
        tensors = [entry for entry in given if isinstance(entry, tf.TensorSpec)]
        if not any(entry is True for entry in given) and len(tensors) == 1:
            return "__call__", function
    raise ModelFileError(
        f"The SavedModel offers {sorted(signatures) or 'no function'}, and none of the names that image networks "
        f"have ({', '.join(_SIGNATURES)}): bring a feature vector."
    )


def _place_of_features(outputs: Any) -> int:
    """Which output has the features: the only vector, else the only map."""
    for rank in (2, 4):
        places = [place for place, tensor in enumerate(outputs) if tensor.shape.rank == rank]
        if len(places) == 1:
            return places[0]
    if len(outputs) == 1 and outputs[0].shape.rank is None:
        return 0
    raise ModelFileError(
        f"The network gives {[str(tensor.shape) for tensor in outputs]}, of which no single one is a vector of "
        "features: bring a feature vector."
    )


def _difference(original: Callable[[Any], Any], whole: Any, size: int, highest: float = 1.0) -> float:
    """How far the layers are from the original on pictures of noise and of gradients, as a share of the largest.

    Args:
        original: from images of 0 to ``highest``, ``(n, size, size, 3)``, to what it says.

    Raises:
        ModelFileError: too far, or one of both gives no numbers.
    """
    import keras

    images = np.random.default_rng(0).random((_TRIED, size, size, 3), np.float32)
    images[1::2] = np.linspace(0, 1, size, dtype=np.float32)[:, None, None] * images[1::2, :1, :1]
    images *= np.float32(highest)
    theirs = np.asarray(original(keras.ops.convert_to_tensor(images)), np.float64)
    ours = np.asarray(keras.ops.convert_to_numpy(whole(images, training=False)), np.float64)
    if theirs.shape != ours.shape or not np.isfinite(theirs).all():
        raise ModelFileError("The network gives no numbers for ordinary pictures, so it is not taken.")
    difference = float(np.abs(theirs - ours).max() / max(float(np.abs(theirs).max()), 1e-6))
    if not difference <= TOLERANCE:
        raise ModelFileError(
            f"The layers made of the network say something else than the network itself (off by {difference:.2g}), "
            "so it is not taken: try another version of it."
        )
    return difference


def _open_keras(source: Path, target: Path, wishes: dict[str, Any], answers: BinaryIO) -> dict[str, Any]:
    import keras

    from tl_core.imported_models.networks.keras_trunk import scaling_of, trunk_of

    write_frame(answers, {"stage": "Opening the network"})
    model = keras.models.load_model(source, compile=False, safe_mode=True)
    trunk = trunk_of(model)
    return {"scaling": scaling_of(trunk) or wishes.get("scaling") or "", "signature": ""} | _save(
        trunk, target, any_size=False
    )


def _save(base: Any, target: Path, *, any_size: bool) -> dict[str, Any]:
    """Write the layers, and describe them."""
    import keras

    from tl_core.backbones.make_outlines import outline_of_network, strides_of

    size = int(base.input_shape[1])
    _write_keras(base, target / NETWORK)
    base = keras.models.clone_model(keras.models.load_model(target / NETWORK))  # as it will be built
    (target / OUTLINE).write_text(json.dumps(outline_of_network(base), separators=(",", ":")), encoding="utf-8")
    return {
        "image_size": size,
        "any_size": any_size,
        "strides": strides_of(base),
        "feature_shape": list(base.output_shape[1:]),
        "parameters": base.count_params(),
    }


def _write_keras(base: Any, path: Path) -> None:
    """As ``base.save`` does, which first makes a folder elsewhere, and with no date, so that equal networks stay
    equal."""
    import keras

    weights = path.with_name("model.weights.h5")
    base.save_weights(weights)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("config.json"), base.to_json())
        archive.writestr(
            zipfile.ZipInfo("metadata.json"), json.dumps({"keras_version": keras.__version__, "date_saved": ""})
        )
        archive.writestr(zipfile.ZipInfo(weights.name), weights.read_bytes())
    weights.unlink()


def _warm_up(keras: Any, tf: Any, target: Path) -> None:
    """Let the libraries load what they load on first use, before that is forbidden."""
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 3)(image))
    keras.ops.convert_to_numpy(model(keras.ops.zeros((1, 8, 8, 3)), training=False))
    _write_keras(model, target / NETWORK)
    keras.models.load_model(target / NETWORK)
    (target / NETWORK).unlink()

    class Small(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        @tf.function(input_signature=[tf.TensorSpec([None, 2])])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return 2 * x

    tf.saved_model.save(Small(), str(target / "warm"))
    tf.saved_model.load(str(target / "warm"))
    shutil.rmtree(target / "warm")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
