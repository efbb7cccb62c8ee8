"""What a search may choose: the sources of features, and the settings of the head and its training.

Everything here is a setting of `TrainingConfig`, so whatever wins can be trained by hand as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tl_core.backbones.registry import BACKBONES, get_backbone
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

# Multiply-adds of one image at the backbone's own size, in 10^9, rounded: the published tables of each family.
_OPERATIONS: Final[Mapping[str, float]] = {
    "efficientnet_lite0": 0.407,
    "efficientnet_lite1": 0.631,
    "efficientnet_lite2": 0.899,
    "mobilenet": 0.569,
    "mobilenet_v2": 0.300,
    "mobilenet_v3_small": 0.056,
    "mobilenet_v3_large": 0.219,
    "vgg16": 15.47,
    "vgg19": 19.6,
    "resnet50": 3.9,
    "resnet101": 7.6,
    "resnet152": 11.3,
    "resnet50_v2": 3.9,
    "resnet101_v2": 7.6,
    "resnet152_v2": 11.3,
    "xception": 8.37,
    "inception_v3": 5.7,
    "inception_resnet_v2": 13.2,
    "nasnet_mobile": 0.564,
    "nasnet_large": 23.8,
    "densenet121": 2.9,
    "densenet169": 3.4,
    "densenet201": 4.3,
    "efficientnet_b0": 0.39,
    "efficientnet_b1": 0.70,
    "efficientnet_b2": 1.0,
    "efficientnet_b3": 1.8,
    "efficientnet_b4": 4.2,
    "efficientnet_b5": 9.9,
    "efficientnet_b6": 19.0,
    "efficientnet_b7": 37.0,
    "efficientnet_v2_b0": 0.72,
    "efficientnet_v2_b1": 1.2,
    "efficientnet_v2_b2": 1.7,
    "efficientnet_v2_b3": 3.0,
    "efficientnet_v2_s": 8.8,
    "efficientnet_v2_m": 24.0,
    "efficientnet_v2_l": 53.0,
    "convnext_tiny": 4.5,
    "convnext_small": 8.7,
    "convnext_base": 15.4,
    "convnext_large": 34.4,
    "convnext_xlarge": 60.9,
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

# Whose weights are downloaded where that is allowed, the most accurate of their families on ImageNet for their cost.
DOWNLOADS: Final = ("mobilenet_v3_large", "efficientnet_v2_b0", "efficientnet_v2_b2", "convnext_tiny")


def _others() -> Iterator[Source]:
    """Every other backbone of the registry at its own size, those of `DOWNLOADS` first, then by their cost."""
    known = {source.backbone for source in SOURCES}
    rest = [name for name in BACKBONES if name not in known and name not in DOWNLOADS]
    for name in (*DOWNLOADS, *sorted(rest, key=_OPERATIONS.__getitem__)):
        yield Source(name, BACKBONES[name].image_size)


def operations(backbone: str, image_size: int) -> float:
    """Multiply-adds of one image, in 10^9; 1 at the own size of a network that is in no published table."""
    own = get_backbone(backbone).image_size
    return _OPERATIONS.get(backbone, 1.0) * (image_size / own) ** 2


OTHERS: Final[tuple[Source, ...]] = tuple(_others())  # taken after `SOURCES`, where their weights are here


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
    Dimension("l2", "L2 penalty", (0.0, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
    Dimension("label_smoothing", "label smoothing", (0.0, 0.05, 0.1)),
)
UNBALANCED: Final = Dimension("class_weights", "balanced classes", (False, True))
SOURCE: Final = "source"
TOGETHER: Final = frozenset(  # settings in which heads that are trained at once may differ
    {"learning_rate", "weight_decay", "l2", "label_smoothing", UNBALANCED.name}
)
SINCE: Final[Mapping[str, Any]] = {"l2": 0.0}  # what was not chosen in earlier versions, with its value of then

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
        "l2": head.l2,
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
        l2=float(params["l2"]),
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
    return next(source for source in (*SOURCES, *OTHERS) if source.name == params[SOURCE])
