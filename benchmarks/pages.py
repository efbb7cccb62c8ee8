"""What a person waits for on the pages: the images of a cell of the confusion matrix, and many runs compared."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.results import Result
from benchmarks.server import open_page, serve
from benchmarks.session import BenchmarkError, Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from benchmarks.training import train_with_engine
from tl_core.config import TrainingConfig
from tl_core.data import load_dataset
from tl_core.runs import Best, EventLog, create_run, update_run
from tl_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELLS: Final = 6  # opened in each round; the median counts
COMPARED, EPOCHS, BATCHES = 20, 100, 10  # runs, epochs of each, batches of an epoch that are written down
OPENED: Final = 3  # times that the comparison is opened in each round, after one that is not counted

SETTLED: Final = """(text) => {
  const main = document.querySelector("[data-testid=stMain]")
  const pictures = [...main.querySelectorAll("img")]
  return main.textContent.includes(text) && pictures.every((picture) => picture.complete && picture.naturalWidth)
    && document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning"
}"""
# Seconds from the next click until the page has settled on a text, as the page itself counts them.
WATCH: Final = f"""(text) => {{
  window.watched = new Promise((resolve) => {{
    const settled = {SETTLED}
    window.addEventListener("click", () => {{
      const began = performance.now()
      const look = () => settled(text) ? resolve((performance.now() - began) / 1000) : setTimeout(look, 10)
      setTimeout(look, 10)
    }}, {{ capture: true, once: true }})
  }})
}}"""
# Seconds since the browser left for this page, once all curves are drawn.
DRAWN: Final = """async (curves) => {
  const drawn = () => document.querySelectorAll(".tlc-plot .scatterlayer .trace").length === curves
  while (!drawn()) await new Promise((go) => setTimeout(go, 10))
  return performance.now() / 1000
}"""


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    yield _cells(session)
    yield _comparisons(session)


def _cells(session: Session) -> Result:
    kept = make_dataset(session.store, Kind(images=session.pick(2000, 60)))
    dataset = share_dataset(kept, session.workspace())
    room = dataset.workspace.root
    config = TrainingConfig(epochs=session.pick(5, 1), image_size=session.pick(224, 32))
    trained = session.measure(train_with_engine, dataset=dataset.path, workspace=room, config=config.to_dict())
    work = {"workspace": room, "run": trained["run"], "dataset": dataset.path, "times": session.pick(CELLS, 2)}
    seconds = tuple(float(session.measure(open_cells, **work)["seconds"]) for _ in session.rounds())
    return Result(
        name="confusion_cell",
        program=session.program,
        title="a click on a cell of the confusion matrix, until its images are shown",
        against="",
        target=1,
        unit="s",
        at_least=False,
        values=seconds,
        note=(
            f"{len(dataset.of_split('validation'))} validation images of {len(dataset.classes)} classes; of each "
            f"round the median of {CELLS} cells. The browser runs on the same cores, without a GPU."
        ),
    )


def _comparisons(session: Session) -> Result:
    dataset = make_dataset(session.store, Kind(images=40))
    work = {"dataset": dataset.path, "runs": session.pick(COMPARED, 3), "epochs": session.pick(EPOCHS, 5)}
    times, seconds = session.pick(OPENED, 1), []
    for _ in session.rounds():
        room = session.workspace().root
        seconds.append(float(session.measure(compare_many, workspace=room, times=times, **work)["seconds"]))
    return Result(
        name="comparing",
        program=session.program,
        title=f"comparing {COMPARED} runs of {EPOCHS} epochs, from following the link to all curves drawn",
        against="",
        target=2,
        unit="s",
        at_least=False,
        values=tuple(seconds),
        note=(
            f"Invented runs with {BATCHES} batches an epoch. The whole page is loaded by a browser that has been "
            f"there before; of each round the median of {OPENED} loads. The browser runs on the same cores, "
            "without a GPU."
        ),
    )


def open_cells(workspace: str, run: str, dataset: str, times: int) -> Measured:
    """Click the fullest cells of a run's confusion matrix, one after the other."""
    from tl_core.evaluation.evaluate import evaluate_run
    from ui.evaluate_page.images import cell_sentence

    result = evaluate_run(Path(run), Path(dataset), "validation")
    order = np.argsort(-result.confusion, axis=None, kind="stable")[:times]
    cells = [divmod(int(place), len(result.classes)) for place in order]
    with serve(Workspace(Path(workspace))) as url, open_page() as page:
        page.goto(f"{url}/Evaluate?run={Path(run).name}")
        page.get_by_text("How to read it").wait_for()
        seconds = []
        for true, said in cells:
            text = cell_sentence(result.classes, true, said, int(result.confusion[true, said])).replace("*", "")
            point_at_cell(page, result.classes, true, said)
            page.evaluate(WATCH, text)
            page.mouse.down()
            page.mouse.up()
            seconds.append(page.evaluate("() => window.watched"))
    return {"seconds": statistics.median(seconds)}


def point_at_cell(page: Page, classes: tuple[str, ...], true: int, said: int) -> None:
    """Move the mouse over a cell until the matrix says which one it is.

    Raises:
        BenchmarkError: it never does.
    """
    verdict = "recognised" if true == said else f"taken for {classes[said]}"
    chart = page.locator(".js-plotly-plot").first
    told = chart.locator(".hovertext").filter(has_text=re.compile(f"^{re.escape(classes[true])}: .*{verdict}"))
    area = chart.locator(".nsewdrag")
    area.wait_for()
    for attempt in range(300):
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        if box:
            x = box["x"] + box["width"] * (said + 0.5) / len(classes)
            page.mouse.move(x + attempt % 2, box["y"] + box["height"] * (true + 0.5) / len(classes))
            if told.count() and area.bounding_box() == box:
                return
        page.wait_for_timeout(100)
    raise BenchmarkError("The confusion matrix did not say what lies under the mouse.")


def compare_many(workspace: str, dataset: str, runs: int, epochs: int, times: int) -> Measured:
    """Open the comparison of invented runs; the median of some loads."""
    room = Workspace(Path(workspace))
    share_dataset(load_dataset(Path(dataset)), room)
    ids = [invent_run(room, Path(dataset), number, epochs) for number in range(runs)]
    with serve(room) as url, open_page() as page:
        seconds = []
        for _ in range(times + 1):
            page.goto("about:blank")
            page.goto(f"{url}/Runs?compare={','.join(ids)}")
            seconds.append(page.evaluate(DRAWN, 4 * runs))
    return {"seconds": statistics.median(seconds[1:])}


def invent_run(room: Workspace, dataset: Path, number: int, epochs: int) -> str:
    """Write the folder of a finished run; gives its id."""
    config = TrainingConfig(epochs=epochs, seed=number)
    run = create_run(room, config, load_dataset(dataset), f"run {number}")
    values = list(invent_curves(number, epochs))
    with EventLog(run.folder.events_file) as events:
        events.write("phase", phase="head", text="Training", first_epoch=1, epochs=epochs, steps=BATCHES)
        for epoch, measured in enumerate(values, start=1):
            told = {"phase": "head", "epoch": epoch}
            for batch in range(1, BATCHES + 1):
                events.write(
                    "batch", **told, batch=batch, batches=BATCHES, loss=measured["loss"],
                    accuracy=measured["accuracy"], images_per_second=500.0,
                )  # fmt: skip
            events.write("epoch", **told, **measured, epochs=epochs, learning_rate=1e-3, seconds=1.0, best=True)
        events.write("end", status="done", text="Done.")
    last = values[-1]
    best = Best(epoch=epochs, phase="head", val_loss=last["val_loss"], val_accuracy=last["val_accuracy"])
    return update_run(run.path, status="done", best=best).id


def invent_curves(number: int, epochs: int) -> Iterator[dict[str, float]]:
    """What an epoch comes to, of curves that bend and tremble as real ones do."""
    rng = np.random.default_rng(number)
    for epoch in range(epochs):
        loss = 2 / (1 + 0.1 * epoch) + 0.2
        means = {"loss": loss, "accuracy": 1 - loss / 4, "val_loss": 1.1 * loss, "val_accuracy": 1 - loss / 3.5}
        yield {name: mean + float(rng.normal(0, 0.01)) for name, mean in means.items()}
