"""What is known of a backbone, whether it is in the registry's table or was brought from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tl_core.errors import ConfigError

Source = Literal["keras.applications", "efficientnet_lite", "network"]
Scaling = Literal["built_in", "minus_one_to_one", "imagenet_caffe", "imagenet_torch", "lite", "zero_to_one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A convolutional network pretrained on ImageNet, without its 1000-class head.

    Accuracy, size, depth and milliseconds are those of the published network with its head; ``None`` where
    nothing was published.
    """

    name: str  # its name in configurations
    title: str  # its name on pages
    family: str  # networks of one paper
    source: Source  # where its builder is; a new source needs an entry in `tl_core.backbones.build`
    builder: str  # the name of the building function in that source

    image_size: int  # pixels, width and height of the images it was trained on
    min_image_size: int  # pixels, below which no feature map is left
    scaling: Scaling  # from raw RGB [0, 255] to its input; built_in: its own first layers do it
    strides: str  # what its layers do to width and height, first to last, as letters of `tl_core.backbones.outline`
    features: int  # channels of the last feature map
    base_parameters: int  # without the head

    parameters: int  # with the head, as published (rounded to 0.1 million)
    size_mb: float | None  # of the published weight file with the head
    top1: float | None  # per cent of the ImageNet validation images right
    top5: float | None  # per cent with the right class among the first five
    depth: int | None  # layers with parameters
    cpu_ms: float | None  # per step, published
    gpu_ms: float | None

    weights_file: str  # name of the file without the head
    weights_hash: str | None  # MD5 (32 digits) or SHA-256 (64 digits) of that file
    weights_url: str | None  # where it is downloaded from; None: it comes in a package
    weights_package: str | None  # the Python package that contains it

    fine_tune_blocks: int  # how many of the last blocks fine-tuning unfreezes by default
    paper_title: str
    paper_url: str
    fixed_size: bool = False  # it takes images of its own size alone

    @property
    def download_mb(self) -> float:
        """Megabytes (10^6 bytes) to download before first use, 0 where a package contains the weights.

        Computed from the number of parameters: the file holds little else, four bytes for each.
        """
        return 0.0 if self.weights_url is None else 4 * self.base_parameters / 1e6

    def checked_image_size(self, image_size: int | None) -> int:
        """The image size to use: this one, or its own.

        Raises:
            ConfigError: the size is too small for the backbone.
        """
        size = image_size or self.image_size
        if size < self.min_image_size:
            least = self.min_image_size
            raise ConfigError(f"{self.title} needs images of at least {least} x {least} pixels. Received: {size}.")
        if self.fixed_size and size != self.image_size:
            own = self.image_size
            raise ConfigError(f"{self.title} takes images of {own} x {own} pixels alone. Received: {size}.")
        return size
