"""The server process: opens the model of a run, and answers until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import numpy as np
import uvicorn

from tl_core.errors import DatasetNotFoundError
from tl_core.inference.calibration import Calibration
from tl_core.inference.novelty_learning import novelty_of
from tl_core.inference.predict import calibration_of
from tl_core.inference.predictor import Images, Predictor, compile_predictor, open_predictor
from tl_core.inference.serving.application import ServedModel, build_application
from tl_core.inference.serving.batching import most_at_once
from tl_core.inference.serving.connections import server_config
from tl_core.inference.serving.figures import ServingFigures
from tl_core.machine.progress import UNATTENDED, TaskContext
from tl_core.runs import RunRecord, dataset_of
from tl_core.runs.evaluations import read_metrics

logger = logging.getLogger(__name__)

PASSES: Final = 2  # that the network makes side by side
SAMPLE: Final = 32  # images on which bfloat16 has to prove close to float32


def open_run(
    run: RunRecord,
    epoch: int | None = None,
    task: TaskContext = UNATTENDED,
    *,
    precision: str = "float32",
    note: Callable[[str], None] = logger.info,
) -> ServedModel:
    """Open the model of a run as it is now, and let it predict once.

    Args:
        epoch: one of its saved epochs; None = the best one.
        task: gets the images looked at and in all, where it has yet to learn what the model was taught.
        precision: float32, as the pages; auto is faster where the CPU has bfloat16, see `compile_predictor`.
        note: told in a sentence in what the model computes, where that is not float32.

    Raises:
        ModelUnavailableError: the run has no model yet, the epoch is not saved, or a file is damaged.
    """
    known, sample = novelty_of(run.path, epoch, task), None
    if precision != "float32" and (sample := _validation_images(run, epoch)) is None:
        note("It computes in float32: the images on which bfloat16 would have to prove close are gone.")
    passes = min(PASSES, os.cpu_count() or 1)
    predictor = compile_predictor(run, epoch, precision=precision, sample=sample, note=note, at_once=passes)
    predictor = replace(predictor, known=known)
    calibration = calibration_of(run, epoch)
    test = read_metrics(run).get("test", {}).get("accuracy") if epoch is None else None
    facts = {
        "name": run.name,
        "run_id": run.id,
        "backbone": run.config.backbone,
        "epoch": epoch or (run.best and run.best.epoch),
        "val_accuracy": run.best.val_accuracy if run.best and epoch is None else None,
        "test_accuracy": test,
        "trained": run.finished,
    }
    return _warm(predictor, calibration, facts)


def _validation_images(run: RunRecord, epoch: int | None) -> Images | None:
    """Some of those that the run was measured on, as its model gets them; None where the dataset is gone."""
    try:
        dataset = dataset_of(run)
    except DatasetNotFoundError:
        return None
    paths = [dataset.path_of(image) for image in dataset.images if image.split == "validation"][:SAMPLE]
    reading = open_predictor(run.path, epoch).reading
    return np.stack([reading.of_stored(path) for path in paths]) if paths else None


def _warm(predictor: Predictor, calibration: Calibration, facts: dict[str, Any]) -> ServedModel:
    """Let it compute batches of every size once, each in all passes, which takes longer than later."""
    size = predictor.image_size
    with ThreadPoolExecutor(predictor.at_once) as threads:
        for images in range(1, most_at_once(predictor) + 1):
            list(threads.map(predictor.predict, [np.zeros((images, size, size, 3), np.uint8)] * predictor.at_once))
    of_model = {
        "classes": list(predictor.classes),
        "image_size": size,
        "threshold": calibration.threshold,
        "accepted": calibration.accepted if predictor.known else None,
        "temperature": calibration.temperature,
    }
    return ServedModel(predictor, calibration, facts | of_model)


def run_server(model: ServedModel, listening: socket.socket, token: str | None, tell: Callable[[str], None]) -> None:
    """Answer requests until SIGTERM or Ctrl-C; what has been accepted by then is still answered.

    Args:
        listening: from `tl_core.inference.serving.address`.
        token: see `build_application`.
        tell: told the address as soon as it answers.
    """
    application = build_application(model, token, ServingFigures())
    server = _Server(server_config(application), tell)

    def stop(_number: int, _frame: object) -> None:
        server.should_exit = True  # uvicorn raises the signal once more when it has ended

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, tell: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._tell(f"http://{f'[{host}]' if ':' in host else host}:{port}")
