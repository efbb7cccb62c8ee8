"""What is known about one backbone before it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Source = Literal["keras.applications", "efficientnet_lite"]
Scaling = Literal["built_in", "minus_one_to_one", "imagenet_caffe", "imagenet_torch", "lite"]

BYTES_PER_PARAMETER: Final = 4  # weight files hold float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A convolutional network pretrained on ImageNet, without its 1000-class head.

    Accuracy, size, depth and milliseconds are those of the published network with its head; ``None`` where
    nothing was published. Sources: the table at https://keras.io/api/applications/ and the model pages there
    (milliseconds: batch of 32 on an AMD EPYC with 92 cores, and on an A100), and for EfficientNet-Lite
    https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
    """

    name: str  # its name in configurations
    title: str  # its name on pages
    family: str  # networks of one paper
    source: Source  # where its builder is; a new source needs an entry in `tl_core.backbones.build`
    builder: str  # the name of the building function in that source

    image_size: int  # pixels, width and height of the images it was trained on
    min_image_size: int  # pixels, below which no feature map is left
    scaling: Scaling  # from raw RGB [0, 255] to its input; built_in: its own first layers do it
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
    weights_url: str | None = None  # where it is downloaded from; None: it comes in a package
    weights_package: str | None = None  # the Python package that contains it

    fine_tune_blocks: int = 1  # how many of the last blocks fine-tuning unfreezes by default
    paper_title: str
    paper_url: str

    @property
    def download_mb(self) -> float:
        """Megabytes (10^6 bytes) to download before first use, 0 where a package contains the weights.

        Computed from the number of parameters: the file holds little else.
        """
        return 0.0 if self.weights_url is None else self.base_parameters * BYTES_PER_PARAMETER / 1e6
