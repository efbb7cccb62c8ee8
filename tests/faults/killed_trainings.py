"""Trainings in a process of their own, killed at any moment, and what is then found in the run's folder."""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tl_core.config import TrainingConfig
from tl_core.data.dataset import Dataset
from tl_core.errors import TransferLearningError
from tl_core.models.load import load_stored
from tl_core.runs import RunRecord, create_run, load_run, read_events, update_run
from tl_core.storage.files import WRITING, replacing, sha256_of
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.backup import load_checkpoint

PATIENCE = 120  # seconds until what should come counts as never coming
GOING_ON = "Going on with epoch "
DIES_AT = 2  # the second model that is better: there is an earlier one to be mistaken for

# TensorFlow is imported once; each training is a fork of that process, which has not computed anything.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tl_core.training"])

Train = Callable[[Path, Path], None]


def train_or_resume(run_path: Path, dataset_path: Path) -> None:
    """Work on a run, writing its model whenever there is a better one, so that much of the time is spent in saves."""
    from tl_core.training import resume, train
    from tl_core.training.callbacks import best_model

    best_model.MODEL_INTERVAL = 0.0
    run = load_run(run_path)
    (resume if run.status == "interrupted" else train)(run.config, dataset_path, run.path, lambda: False)


def train_writing_in_place(run_path: Path, dataset_path: Path) -> None:
    """As `train_or_resume`, but the model is written as Keras does it alone: over the last one."""
    from tl_core.training import saving

    @contextlib.contextmanager
    def in_place(path: Path) -> Iterator[Path]:
        yield path

    saving.replacing = in_place
    train_or_resume(run_path, dataset_path)


def die_after_replacing(run_path: Path, dataset_path: Path) -> None:
    """As `train_or_resume`, until a better model has just taken its place and the record does not know it yet."""
    from tl_core.training import saving

    written = itertools.count(1)

    @contextlib.contextmanager
    def then_die(path: Path) -> Iterator[Path]:
        with replacing(path) as temporary:
            yield temporary
        if next(written) == DIES_AT:
            os.kill(os.getpid(), signal.SIGKILL)

    saving.replacing = then_die
    train_or_resume(run_path, dataset_path)


def die_after_replacing_unannounced(run_path: Path, dataset_path: Path) -> None:
    """As `die_after_replacing`, but the record does not name the new model."""
    from tl_core.training.callbacks import best_model

    def forgetful(path: Path, **changes: Any) -> RunRecord:
        return update_run(path, **{**changes, "next_model": None})

    best_model.update_run = forgetful
    die_after_replacing(run_path, dataset_path)


@dataclass(frozen=True)
class Kill:
    """What a killed training has left."""

    in_write: bool  # of any file of the run
    seconds: float  # until the run was read as interrupted
    told: int  # epochs
    kept: int  # epochs that a resumed run need not train again
    went_on: bool  # whether it had been resumed before and had gone on from what was kept then
    damage: str | None


class Killer:
    """Trains runs, one after the other, and kills them again and again; each is resumed until it is done."""

    def __init__(self, workspace: Workspace, dataset: Dataset, config: TrainingConfig, seed: int) -> None:
        self._workspace = workspace
        self._dataset = dataset
        self._config = config
        self._random = random.Random(seed)
        self._run: RunRecord | None = None
        self.done: list[RunRecord] = []

    def kill(self, span: float, *, in_write: bool = False, train: Train = train_or_resume) -> Kill:
        """Kill a run at work at a random moment.

        Args:
            span: seconds after it began, at most; with ``in_write`` after it began to write its model.
            in_write: whether to wait for the beginning of a write.
            train: what works on it.
        """
        while True:
            run = self._run or create_run(self._workspace, self._config, self._dataset)
            before = _kept(run)
            process = PROCESSES.Process(target=train, args=(run.path, self._dataset.path))
            process.start()
            self._run = run
            _wait_for(lambda run=run, process=process: _works(run, process) and (not in_write or _writes(run)))
            process.join(self._random.uniform(0, span))
            process.kill()
            process.join()
            if load_run(run.path).status != "done":
                break
            self.done.append(load_run(run.path))  # it was too late: this was no kill of a run at work
            self._run = None
        assert process.exitcode == -signal.SIGKILL, "it was killed, and did not end by itself"
        return self._look_at(run, before)

    def let_die(self, train: Train) -> RunRecord:
        """Train a run until it kills itself."""
        run = create_run(self._workspace, self._config, self._dataset)
        process = PROCESSES.Process(target=train, args=(run.path, self._dataset.path))
        process.start()
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL
        return load_run(run.path)

    def seconds_of_a_run(self) -> float:
        """How long a whole run takes on this machine, now: moments are drawn from that time, so that all are hit."""
        run = create_run(self._workspace, self._config, self._dataset)
        process = PROCESSES.Process(target=train_or_resume, args=(run.path, self._dataset.path))
        began = time.monotonic()
        process.start()
        process.join(PATIENCE)
        assert process.exitcode == 0
        return time.monotonic() - began

    def finish(self) -> None:
        """Train the last run to its end."""
        if self._run is None:
            return
        process = PROCESSES.Process(target=train_or_resume, args=(self._run.path, self._dataset.path))
        process.start()
        process.join(PATIENCE)
        assert process.exitcode == 0
        self.done.append(load_run(self._run.path))
        self._run = None

    def _look_at(self, run: RunRecord, before: int) -> Kill:
        began = time.monotonic()
        found = load_run(run.path)
        seconds = time.monotonic() - began
        assert found.status == "interrupted"
        events = read_events(run.folder.events_file)
        notes = [event["text"] for event in events if event["kind"] == "note"]
        return Kill(
            in_write=any(run.path.glob(f"{WRITING}*")),
            seconds=seconds,
            told=max((event["epoch"] for event in events if event["kind"] == "epoch"), default=0),
            kept=_kept(run),
            went_on=bool(before) and f"{GOING_ON}{before + 1}." in notes,
            damage=damage_of(found),
        )


def damage_of(run: RunRecord) -> str | None:
    """What is wrong with the current model of a run; that there is honestly none yet is nothing wrong."""
    if not run.has_model:
        return None if run.model_sha256 is None and run.best is None else "the record knows of a model, there is none"
    if sha256_of(run.folder.model_file) != run.model_sha256:
        return "the sum is another than the record says"
    try:
        load_stored(run)
    except TransferLearningError as error:
        return str(error)
    gc.collect()  # a model refers to itself in circles, and hundreds of them are read
    return None


def _kept(run: RunRecord) -> int:
    checkpoint = load_checkpoint(run.folder)
    return checkpoint.epoch if checkpoint else 0


def _works(run: RunRecord, process: multiprocessing.process.BaseProcess) -> bool:
    assert process.exitcode in (None, 0)
    record = load_run(run.path)
    at_work = record.status == "running" and record.owner is not None and record.owner.pid == process.pid
    return at_work or process.exitcode == 0


def _writes(run: RunRecord) -> bool:
    model = run.folder.model_file
    return any(run.path.glob(f"{WRITING}*{model.suffix}")) or (model.exists() and load_run(run.path).best is None)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)  # between two looks, which take a core from the training: the condition decides
