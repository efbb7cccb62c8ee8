"""The map of 20,000 images in a browser: how many frames a second while it is dragged and zoomed.

Features and places of the images are invented and laid into the cache, where the page finds them; so the page does
all that it does for real ones, and nothing waits for a backbone or for t-SNE.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.results import Result
from benchmarks.server import open_page, serve
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from tl_core.data.dataset import Dataset, load_dataset
from tl_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

IMAGES: Final = 20_000
FILES: Final = 200  # different pictures
STORED: Final = 48  # pixels of the stored pictures
STEPS: Final = 60  # of the mouse, while the map is dragged
TURNS: Final = 12  # of the wheel
SMOOTH: Final = 10.0  # frames a second at least, drawn by the processor

_BEGIN: Final = """() => {
  const watch = { frames: [], tasks: [] }
  watch.observer = new PerformanceObserver((list) => {
    watch.tasks.push(...list.getEntries().map((entry) => entry.duration))
  })
  watch.observer.observe({ type: "longtask" })
  const tick = (now) => {
    watch.frames.push(now)
    watch.next = requestAnimationFrame(tick)
  }
  watch.next = requestAnimationFrame(tick)
  window.mapWatch = watch
}"""
_END: Final = """() => {
  const { frames, tasks, observer, next } = window.mapWatch
  cancelAnimationFrame(next)
  tasks.push(...observer.takeRecords().map((entry) => entry.duration))
  observer.disconnect()
  return { frames, tasks }
}"""


@dataclass(frozen=True, slots=True)
class Frames:
    """What the browser drew while the map was moved."""

    per_second: float
    longest_task: float  # seconds in which the page answered nothing; 0 where none took 50 ms


def run(session: Session) -> Iterator[Result]:
    """Measure the row."""
    images = session.pick(IMAGES, 200)
    kept = make_dataset(session.store, invented_kind(images))
    measured: list[Measured] = []
    for _ in session.rounds():
        dataset = share_dataset(kept, session.workspace())
        work = {"dataset": dataset.path, "steps": session.pick(STEPS, 6)}
        measured.append(session.measure(drag_the_map, **work))
    longest = max(one["longest_task"] for one in measured)
    yield Result(
        name="map_frames",
        program=session.program,
        title=f"the map of {images:,} images while it is dragged and zoomed",
        against="",
        target=SMOOTH,
        unit="frames/s",
        values=tuple(float(one["per_second"]) for one in measured),
        note=(
            f"{STEPS} steps of the mouse, then {TURNS} turns of the wheel; the longest task of the page took "
            f"{longest:.2f} s. Chromium runs on the same cores and has no GPU: WebGL is drawn by the processor "
            "(SwiftShader), which a computer with any graphics does many times faster."
        ),
    )


def invented_kind(images: int) -> Kind:
    """Of so many images, few of them different: what is measured never looks at them."""
    return Kind(images=images, different=min(images, FILES), width=STORED, height=STORED)


def drag_the_map(dataset: str, steps: int) -> Measured:
    """Open the map in a browser, and move it."""
    loaded = load_dataset(Path(dataset))
    store_places(loaded)
    with serve(Workspace(loaded.workspace.root)) as url, open_page() as page:
        page.goto(f"{url}/Data?dataset={loaded.id}")
        found = drag_and_zoom(page, open_map(page), steps)
    return {"per_second": found.per_second, "longest_task": found.longest_task}


def store_places(dataset: Dataset) -> None:
    """Lay invented features and places into the cache: each class is a cloud."""
    from tl_core.audit.features import FeatureSource
    from tl_core.audit.image_map import KIND, _newest_map
    from tl_core.features.cache import ArraySpec, open_cache
    from tl_core.machine.progress import UNATTENDED

    labels = np.array([image.label for image in dataset.images])
    rng = np.random.default_rng(0)

    class Invented(FeatureSource):
        def _fill(self, array: Any, rows: Any, _view: str) -> None:
            array[:] = rng.standard_normal(array.shape, np.float32) + labels[rows, None]

    def fill(arrays: Sequence[Any], rows: Any) -> None:
        turn = 2 * np.pi * labels[rows] / (labels.max() + 1)
        centres = 0.5 + 0.35 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        arrays[0][:] = centres + rng.normal(0, 0.04, (len(rows), 2))

    Invented(dataset, UNATTENDED).read()
    cache, names = open_cache(dataset.workspace), [image.pixels_sha256 for image in dataset.images]
    key, _ = _newest_map(cache, dataset, names)
    cache.get_or_make_rows(KIND, key, names, [ArraySpec((2,), "float32")], fill)


def open_map(page: Page) -> Locator:
    """Choose the map on the Data page that is open, and wait until it is drawn; gives its plot."""
    page.get_by_role("radio", name="Map").or_(page.get_by_role("button", name="Map")).first.click()
    plot = page.locator(".tlm-plot[data-updates]")
    plot.wait_for()
    plot.scroll_into_view_if_needed()
    return plot


def drag_and_zoom(page: Page, plot: Locator, steps: int) -> Frames:
    """Drag the map in a circle, and come closer with the wheel; counts the frames meanwhile."""
    page.locator(".tlm").get_by_role("button", name="Zoom").click()
    box = plot.bounding_box()
    assert box is not None  # it has just been drawn
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.evaluate(_BEGIN)
    page.mouse.down()
    for step in range(steps):
        turn = 2 * np.pi * step / steps
        page.mouse.move(x + 80 * float(np.sin(turn)), y + 60 * float(1 - np.cos(turn)))
    page.mouse.up()
    for turn in range(TURNS):
        page.mouse.wheel(0, -60 if turn < TURNS / 2 else 60)
    seen = page.evaluate(_END)
    gaps = [after - before for before, after in itertools.pairwise(seen["frames"])]
    return Frames(1000 * len(gaps) / sum(gaps), max(seen["tasks"], default=0.0) / 1000)
