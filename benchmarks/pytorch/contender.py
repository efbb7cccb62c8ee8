"""Images/s of one network in PyTorch; runs with the Python of the benchmark's own environment.

``python -m benchmarks.pytorch.contender BACKBONE SIZE IMAGES float32|bfloat16`` prints one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any, Final

import torch

from benchmarks.pytorch.networks import NETWORKS

BATCH: Final = 32


def images_per_second(backbone: str, size: int, images: int, precision: str) -> float:
    """Inference, channels last, batches of 32 after one to warm up; bfloat16 is autocast's."""
    model = NETWORKS[backbone]().eval().to(memory_format=torch.channels_last)
    pictures = torch.rand(images, 3, size, size).contiguous(memory_format=torch.channels_last)
    casting: Any = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()
    with torch.inference_mode(), casting:
        model(pictures[:BATCH])
        began = time.perf_counter()
        for start in range(0, images, BATCH):
            model(pictures[start : start + BATCH])
        return images / (time.perf_counter() - began)


def main() -> None:
    """Measure what the command line names."""
    backbone, size, images, precision = sys.argv[1:]
    rate = images_per_second(backbone, int(size), int(images), precision)
    print(json.dumps({"images_per_second": rate, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
