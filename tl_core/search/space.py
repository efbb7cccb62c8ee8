"""What a search may choose: the sources of features, and the settings of the head and its training.

Everything here is a setting of `TrainingConfig`, so whatever wins can be trained by hand as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tl_core.backbones.registry import get_backbone
from tl_core.config import AUGMENTATION_LEVELS, TrainingConfig
from tl_core.config.head import MAX_BLOCKS, HeadConfig

QUICK_START: Final = TrainingConfig()


@dataclass(frozen=True, slots=True)
class Source:
    """Features of all images: one pass through a frozen backbone, or several where images are changed at random."""

    backbone: str
    image_size: int
    augmentation: str = "none"  # one of `AUGMENTATION_LEVELS`
    mirrored: bool = False  # whether the mirror image of every image passes through it, too

    @property
    def name(self) -> str:
        """A name for records and for the sampler, such as ``efficientnet_lite0 320 light``."""
        changed = "" if self.augmentation == "none" else f" {self.augmentation}"
        return f"{self.backbone} {self.image_size}{changed}{' mirrored' * self.mirrored}"

    @property
    def title(self) -> str:
        """For people: ``EfficientNet-Lite0, 320 px``."""
        changed = "" if self.augmentation == "none" else f", {self.augmentation} augmentation"
        mirrored = ", with mirror images" * self.mirrored
        return f"{get_backbone(self.backbone).title}, {self.image_size} px{changed}{mirrored}"

    @property
    def random_views(self) -> int:
        """In how many random views each training image passes through the backbone; 0: as it is."""
        return 0 if self.augmentation == "none" else VIEWS

    @property
    def cost(self) -> float:
        """Time of one image, against that of *Quick start*."""
        passes = 2 if self.mirrored else 1
        return passes * operations(self.backbone, self.image_size) / operations(QUICK_START.backbone, 224)

    def apply(self, config: TrainingConfig) -> TrainingConfig:
        """The configuration with this backbone, size and augmentation."""
        own_size = self.image_size == get_backbone(self.backbone).image_size
        return replace(
            config,
            backbone=self.backbone,
            image_size=None if own_size else self.image_size,
            head=replace(config.head, mirrored=self.mirrored),
            augmentation=AUGMENTATION_LEVELS[self.augmentation],
            augmentation_mode="full" if self.augmentation == "none" else "cached_views",
            views=config.views if self.augmentation == "none" else VIEWS,
        )


VIEWS: Final = 4  # random views of each training image where they are changed at random

# Multiply-adds of one image at the backbone's own size, in 10^9: the published tables of each family.
_OPERATIONS: Final[Mapping[str, float]] = {
    "efficientnet_lite0": 0.407,
    "efficientnet_lite1": 0.631,
    "efficientnet_lite2": 0.899,
    "mobilenet_v2": 0.300,
    "vgg16": 15.47,
    "xception": 8.37,
}

# In the order in which they are taken as far as the time allows. The first is that of Quick start.
SOURCES: Final[tuple[Source, ...]] = (
    Source("efficientnet_lite0", 224),
    Source("efficientnet_lite2", 260),
    Source("efficientnet_lite0", 320),
    Source("efficientnet_lite0", 224, mirrored=True),
    Source("efficientnet_lite1", 240),
    Source("efficientnet_lite2", 260, mirrored=True),
    Source("efficientnet_lite0", 224, "light"),
    Source("efficientnet_lite2", 384),
    Source("efficientnet_lite0", 160),
)


def operations(backbone: str, image_size: int) -> float:
    """Multiply-adds of one image, in 10^9; 1 at the backbone's own size where they are not known."""
    own = get_backbone(backbone).image_size
    return _OPERATIONS.get(backbone, 1.0) * (image_size / own) ** 2


@dataclass(frozen=True, slots=True)
class Dimension:
    """One setting that the sampler chooses: among some values, or within a range."""

    name: str
    title: str  # for people
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False


DIMENSIONS: Final[tuple[Dimension, ...]] = (
    Dimension("blocks", "features of several blocks", (1, 2, 3, MAX_BLOCKS)),
    Dimension("pooling", "pooling", ("average", "max", "both")),
    Dimension("units", "hidden layer", (0, 64, 256, 512)),
    Dimension("normalization", "feature normalization", ("layer", "none")),
    Dimension("dropout", "dropout", low=0.0, high=0.7),
    Dimension("learning_rate", "learning rate", low=3e-4, high=2e-2, log=True),
    Dimension("epochs", "epochs", (20, 40, 60)),
    Dimension("batch_size", "batch size", (32, 64, 128, 256)),
    Dimension("weight_decay", "weight decay", (0.0, 1e-2, 0.1, 1.0)),
    Dimension("label_smoothing", "label smoothing", (0.0, 0.05, 0.1)),
)
UNBALANCED: Final = Dimension("class_weights", "balanced classes", (False, True))
SOURCE: Final = "source"

Params = Mapping[str, Any]


def dimensions(sources: Sequence[Source], *, unbalanced: bool) -> tuple[Dimension, ...]:
    """All that is chosen among these sources."""
    source = Dimension(SOURCE, "backbone and image size", tuple(source.name for source in sources))
    return (source, *DIMENSIONS, *((UNBALANCED,) if unbalanced else ()))


def quick_start_params(found: Sequence[Dimension]) -> dict[str, Any]:
    """The settings of *Quick start* as the sampler would have chosen them."""
    config, head = QUICK_START, QUICK_START.head
    values = {
        SOURCE: SOURCES[0].name,
        "blocks": head.blocks,
        "pooling": head.pooling,
        "units": head.dense_units[0],
        "normalization": head.feature_normalization,
        "dropout": head.dropout,
        **{name: getattr(config, name) for name in ("learning_rate", "epochs", "batch_size", "weight_decay")},
        "label_smoothing": config.label_smoothing,
        "class_weights": config.class_weights,
    }
    return {dimension.name: values[dimension.name] for dimension in found}


def fits(params: Params, found: Sequence[Dimension]) -> bool:
    """Whether a choice of an earlier version is one of today."""
    return params.keys() == {dimension.name for dimension in found} and all(
        params[one.name] in one.choices if one.choices else one.low <= params[one.name] <= one.high for one in found
    )


def configure(params: Params, seed: int) -> TrainingConfig:
    """The training that some choices mean."""
    units, decay = int(params["units"]), float(params["weight_decay"])
    head = HeadConfig(
        pooling=params["pooling"],
        blocks=int(params["blocks"]),
        feature_normalization=params["normalization"],
        dense_units=(units,) if units else (),
        dropout=round(float(params["dropout"]), 2),
    )
    config = replace(
        QUICK_START,
        head=head,
        learning_rate=float(f"{params['learning_rate']:.2g}"),
        epochs=int(params["epochs"]),
        batch_size=int(params["batch_size"]),
        optimizer="adamw" if decay else "adam",
        weight_decay=decay,
        label_smoothing=float(params["label_smoothing"]),
        class_weights=bool(params.get("class_weights", False)),
        seed=seed,
    )
    return source_of(params).apply(config)


def source_of(params: Params) -> Source:
    """Where the features of some choices come from."""
    return next(source for source in SOURCES if source.name == params[SOURCE])
