"""The head: the small trainable network that turns a backbone's features into class probabilities."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from tl_core.config.validation import from_mapping, require_choice, require_flag, require_number
from tl_core.errors import ConfigError

POOLINGS: Final = ("average", "max", "flatten")
FEATURE_NORMALIZATIONS: Final = ("none", "batch", "layer")
HIDDEN_ACTIVATIONS: Final = ("relu", "gelu", "linear")
OUTPUTS: Final = ("softmax", "sigmoid")
MAX_DENSE_LAYERS: Final = 4
MAX_UNITS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Features -> pooling -> [normalization] -> {Dense -> [BatchNorm] -> Dropout}* -> output.

    With no dense layer the dropout stands between the pooled features and the output.
    """

    pooling: str = "average"  # how (h, w, channels) becomes a vector: average, max, or flatten (keeps places)
    feature_normalization: str = "none"  # of the pooled features: none, batch (per feature) or layer (per image)
    dense_units: tuple[int, ...] = ()  # one hidden Dense layer per entry, with so many units
    activation: str = "relu"  # of the hidden layers: relu, gelu, linear
    batch_norm: bool = False  # BatchNormalization after each hidden layer
    dropout: float = 0.2  # fraction of the values set to zero while training, 0-0.9
    l2: float = 0.0  # L2 penalty on the kernels of the hidden layers, 0-1
    output: str = "softmax"  # softmax (one probability per class) or sigmoid (one unit, two classes only)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dense_units", _units(self.dense_units))
        require_choice("Pooling", self.pooling, POOLINGS)
        require_choice("Feature normalization", self.feature_normalization, FEATURE_NORMALIZATIONS)
        require_number("The number of dense layers", len(self.dense_units), 0, MAX_DENSE_LAYERS, whole=True)
        for units in self.dense_units:
            require_number("The units of a dense layer", units, 1, MAX_UNITS, whole=True)
        require_choice("Activation", self.activation, HIDDEN_ACTIVATIONS)
        require_flag("Batch normalization", self.batch_norm)
        require_number("Dropout", self.dropout, 0, 0.9)
        require_number("L2", self.l2, 0, 1)
        require_choice("Output", self.output, OUTPUTS)

    def parameters(self, features: tuple[int, int, int], classes: int) -> tuple[int, int]:
        """Count the head's parameters without building it.

        Args:
            features: shape of the backbone's output, ``(height, width, channels)``.
            classes: number of classes.

        Returns:
            Trainable and non-trainable parameters (the moving statistics of BatchNormalization).
        """
        height, width, channels = features
        size = height * width * channels if self.pooling == "flatten" else channels
        trainable = 2 * size if self.feature_normalization != "none" else 0
        frozen = 2 * size if self.feature_normalization == "batch" else 0
        for units in self.dense_units:
            trainable += size * units + units
            if self.batch_norm:
                trainable, frozen = trainable + 2 * units, frozen + 2 * units
            size = units
        outputs = 1 if self.output == "sigmoid" else classes
        return trainable + size * outputs + outputs, frozen

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives the same record back."""
        return {**asdict(self), "dense_units": list(self.dense_units)}

    @classmethod
    def from_dict(cls, values: Any) -> HeadConfig:
        """Read what `to_dict` wrote.

        Raises:
            ConfigError: a name is unknown or a value out of its range.
        """
        return from_mapping(cls, values)


def _units(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"The dense layers must be a list of unit counts, such as 256, 128. Received: {value!r}.")
    return tuple(value)
