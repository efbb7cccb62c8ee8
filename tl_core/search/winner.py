"""The end of a search: the leaders are measured once more, the winner is judged, and becomes a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from tl_core.runs import EventLog, RunRecord, create_run, list_runs, load_run
from tl_core.runs.evaluations import read_metrics
from tl_core.runs.store import now
from tl_core.search.features import Features
from tl_core.search.history import Trial
from tl_core.search.record import Search, update_search
from tl_core.search.space import configure
from tl_core.search.trials import TrialLoop
from tl_core.search.verdict import Verdict, describe, judge
from tl_core.storage.ownership import belonging
from tl_core.storage.workspace import Workspace
from tl_core.training import train

AGAIN_SHARE: Final = 0.88  # of the time, after which the leaders are not measured again
LEADERS: Final = 3  # that are measured again


def finish_search(
    search: Search,
    loop: TrialLoop,
    features: Mapping[str, Features],
    events: EventLog,
    should_stop: Callable[[], bool],
    said: Callable[[str], None],
    *,
    stopped: bool,
) -> Search:
    """Judge the best trial, train it as a run, and record the outcome.

    Args:
        search: the search.
        loop: with its trials.
        features: by the name of their source.
        events: of the search.
        should_stop: stops the training of the winner.
        said: told in a sentence what happens.
        stopped: whether the search was stopped; then nothing is measured again.

    Raises:
        TransferLearningError: the winner cannot be trained.
    """

    def on_validation(params: Mapping[str, Any]) -> float:
        return loop.on_validation(params, features[params["source"]]).accuracy

    leaders = loop.complete
    winner, again = (leaders[0], {}) if stopped else _measure_again(loop, features, said)
    verdict = _judge(loop, winner, search.seed)
    text = describe(verdict)
    expected, quick_start = on_validation(winner.params), on_validation(loop.quick_start)
    events.write("verdict", trial=winner.number, text=text, **verdict.to_dict())
    said(text)
    run = _train(search, winner, len(loop.trials), events, should_stop)
    outcome = {
        **verdict.to_dict(),
        "text": text,
        "trial": winner.number,
        "trials": len(loop.trials),
        "again": again,
        "importances": loop.importances(),
        "validation": expected,
        "quick_start_validation": quick_start,
        "run_validation": run.best.val_accuracy if run.best else None,
        "test": read_metrics(run).get("test", {}).get("accuracy"),
    }
    events.write("end", status="stopped" if stopped else "done", text=text)
    status = "stopped" if stopped else "done"
    return update_search(search.path, status=status, finished=now(), run_id=run.id, outcome=outcome)


def _measure_again(
    loop: TrialLoop, features: Mapping[str, Features], said: Callable[[str], None]
) -> tuple[Trial, dict[str, float]]:
    """The leaders once more with other folds, which decide among them; their new scores by the trial's number."""
    leaders, again = loop.complete[:LEADERS], dict[str, float]()
    for trial in leaders if len(leaders) > 1 else ():
        if loop.elapsed() > AGAIN_SHARE * loop.seconds:
            return leaders[0], again
        said(f"Measuring trial {trial.number} again with other folds")
        again[str(trial.number)] = loop.remeasure(trial, features[trial.params["source"]])
    return max(leaders, key=lambda trial: again.get(str(trial.number), 0.0)), again


def _judge(loop: TrialLoop, winner: Trial, seed: int) -> Verdict:
    images = int(np.count_nonzero(loop.masks.any(axis=0)))
    compared = loop.complete
    quick_start = next(at for at, trial in enumerate(compared) if trial.params == loop.quick_start)
    return judge([trial.rightly(images) for trial in compared], quick_start, compared.index(winner), seed)


def _train(
    search: Search, winner: Trial, trials: int, events: EventLog, should_stop: Callable[[], bool]
) -> RunRecord:
    """The winner as a run like any other; the only place where test images are looked at."""
    workspace = Workspace(search.workspace.root, belonging(search.path).person)
    config, dataset = configure(winner.params, search.seed), search.dataset()
    taken, name, number = {run.name for run in list_runs(workspace)}, f"{dataset.name}, best of {trials}", 2
    while name in taken:
        name, number = f"{dataset.name}, best of {trials} ({number})", number + 1
    run = create_run(workspace, config, dataset, name)
    update_search(search.path, run_id=run.id)
    events.write("winner", trial=winner.number, run=run.id)
    train(config, dataset.path, run.path, should_stop)
    return load_run(run.path)
