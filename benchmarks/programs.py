"""Every benchmark by name, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from benchmarks import (
    bfloat16_accuracy,
    cached_views,
    evaluation,
    fine_tuning,
    frozen_backbone,
    growth,
    layers,
    live_page,
    map_in_browser,
    memory,
    one_photo,
    pages,
    serving,
    start,
    trunk_throughput,
    workshop,
)
from benchmarks.estimate import PROGRAM as ESTIMATE
from benchmarks.results import Result
from benchmarks.session import Session


@dataclass(frozen=True, slots=True)
class Program:
    """One benchmark; it may measure several rows side by side."""

    name: str
    text: str
    minutes: float  # about, for five rounds on two cores without bfloat16
    run: Callable[[Session], Iterator[Result]]


_ALL: Final = (
    Program("frozen", "frozen backbone, 20 epochs: first and second run", 12, frozen_backbone.run),
    Program("trunk", "images/s through the frozen backbone", 7, trunk_throughput.run),
    Program("fine_tuning", "one fine-tuning epoch", 8, fine_tuning.run),
    Program("views", "augmented training with cached views", 9, cached_views.run),
    Program("photo", "one photograph, from bytes to top-5", 3, one_photo.run),
    Program("live_page", "training with a page open on the live chart", 5, live_page.run),
    Program("start", "from the click on Start to the first epoch, and the memory of the server", 5, start.run),
    Program("evaluation", "a finished model: 2,000 images, one heat-map", 4, evaluation.run),
    Program("layers", "what the layers see: one picture, 2,000 images", 3, layers.run),
    Program("pages", "a cell of the confusion matrix opened, 20 runs compared", 4, pages.run),
    Program("memory", "memory at 20,000 images", 5, memory.run),
    Program("growth", "time per image at 1,000, 5,000 and 20,000 images", 6, growth.run),
    Program("workshop", "map and label court of 2,000 and 20,000 images, a click of pointing", 9, workshop.run),
    Program("map", "the map of 20,000 images in a browser: frames a second", 4, map_in_browser.run),
    Program("serving", "a model behind HTTP: requests a second", 4, serving.run),
    Program("bfloat16", "accuracy of a bfloat16 trunk, where the CPU has it", 1, bfloat16_accuracy.run),
)
PROGRAMS: Final[Mapping[str, Program]] = MappingProxyType({program.name: program for program in _ALL})
ORDER: Final = (*PROGRAMS, ESTIMATE)
