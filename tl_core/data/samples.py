"""Sample sets to begin with: two that are built in, and two that are downloaded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tl_core.data import sample_digits, sample_surfaces
from tl_core.data.dataset import Dataset
from tl_core.data.importing import import_layout
from tl_core.data.layouts import Layout
from tl_core.data.progress import Progress, ShouldStop, never, no_progress
from tl_core.errors import DataError
from tl_core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample set."""

    name: str
    title: str
    description: str
    license: str
    classes: int
    images: int
    download_mb: float = 0.0  # 0 = built in
    layout: Callable[[], Layout]  # finds the pictures, with their classes and splits


SAMPLES: Final[Mapping[str, Sample]] = MappingProxyType(
    {
        sample.name: sample
        for sample in (
            Sample(
                name="digits",
                title=sample_digits.TITLE,
                description=sample_digits.DESCRIPTION,
                license=sample_digits.LICENSE,
                classes=10,
                images=1797,
                layout=sample_digits.layout,
            ),
            Sample(
                name="surfaces",
                title=sample_surfaces.TITLE,
                description=sample_surfaces.DESCRIPTION,
                license=sample_surfaces.LICENSE,
                classes=3,
                images=336,
                layout=sample_surfaces.layout,
            ),
        )
    }
)


def get_sample(name: str) -> Sample:
    """The sample of that name.

    Raises:
        DataError: there is none.
    """
    if name not in SAMPLES:
        raise DataError(f"There is no sample set “{name}”: choose one of {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def import_sample(
    workspace: Workspace, name: str, progress: Progress = no_progress, should_stop: ShouldStop = never
) -> Dataset:
    """Import a sample set; errors as `tl_core.data.importing.import_source`."""
    sample = get_sample(name)
    return import_layout(
        workspace, sample.layout(), sample.title, f"sample {name}", progress=progress, should_stop=should_stop
    )
