"""What the layers see: the maps of one picture, and what each block knows of 2,000 images."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.results import Result
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from tl_core.config import TrainingConfig

IMAGES: Final = 2500  # of which 2,000 are no test images


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    kept, size = make_dataset(session.store, Kind(images=session.pick(IMAGES, 60))), session.pick(224, 64)
    maps, probes, looked = [], [], 0
    for _ in session.rounds():
        dataset = share_dataset(kept, session.workspace())  # a new workspace, so that nothing is cached
        found = session.measure(look_into_layers, dataset=dataset.path, size=size)
        maps.append(float(found["maps"]))
        probes.append(float(found["probes"]))
        looked = int(found["images"])
    yield Result(
        name="layer_maps",
        program=session.program,
        title="feature maps of one picture, block by block, EfficientNet-Lite0",
        against="",
        target=3,
        unit="s",
        at_least=False,
        values=tuple(maps),
        note="With the building of the network and the reading of its weights; the libraries are loaded.",
    )
    yield Result(
        name="block_probes",
        program=session.program,
        title=f"how far the classes of {looked:,} images are apart after each block, EfficientNet-Lite0",
        against="",
        target=20,
        unit="s",
        at_least=False,
        values=tuple(probes),
        note="From image files to the chart: nothing is cached before. A second look takes what is kept.",
    )


def look_into_layers(dataset: str, size: int) -> Measured:
    """Seconds of both, each from its beginning in a process that has loaded the libraries."""
    from tl_core.audit.layers.maps import feature_maps
    from tl_core.audit.layers.probes import study_layers
    from tl_core.data import load_dataset, read_image

    images = load_dataset(Path(dataset))
    picture = read_image(images.path_of(images.images[0]))
    backbone = TrainingConfig().backbone
    began = time.perf_counter()
    feature_maps(backbone, picture, size)
    between = time.perf_counter()
    study = study_layers(images, backbone, size)
    return {
        "maps": between - began,
        "probes": time.perf_counter() - between,
        "images": len(study.images),
    }
