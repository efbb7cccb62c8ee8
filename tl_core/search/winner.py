"""The end of a search: the leaders are measured once more, the winner is judged, and becomes a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tl_core.errors import StoppedError
from tl_core.runs import EventLog, RunRecord, create_run, delete_run, list_runs, load_run
from tl_core.runs.evaluations import read_metrics
from tl_core.runs.store import now
from tl_core.search.assembly import Member, assemble
from tl_core.search.ensembles import WORTH
from tl_core.search.heads import Features
from tl_core.search.history import Trial
from tl_core.search.record import Search, update_search
from tl_core.search.space import Params
from tl_core.search.trials import TrialLoop
from tl_core.search.verdict import Verdict, describe, judge
from tl_core.storage.ownership import belonging
from tl_core.storage.workspace import Workspace
from tl_core.training import train

logger = logging.getLogger(__name__)

AGAIN_SHARE: Final = 0.08  # of the time, that measuring the leaders again may take
LEADERS: Final = 3  # that are measured again


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the images take, as the first pass over them has shown."""

    image: float  # seconds of one image through the first backbone
    building: float  # seconds of a backbone before its first image


def seconds_to_finish(members: Sequence[Trial], pace: Pace, validation: int, test: int, folds: int) -> float:
    """How long it takes, about, until some trials are a run.

    Args:
        members: that become one model, or one trial.
        pace: of the images.
        validation: number of validation images, which an ensemble sees once more.
        test: number of test images, which nothing has seen so far.
        folds: in which the trials were measured; a run is trained once.
    """
    lead = _lead(members)
    images = test * lead.source.cost
    if len(members) > 1:
        images += (test + validation) * sum(trial.source.cost for trial in members)
    return pace.image * images + pace.building * len(members) + lead.seconds / folds


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
    until = loop.elapsed() + AGAIN_SHARE * loop.seconds
    winner, again = (loop.complete[0], {}) if stopped else _choose(loop, features, said, until)
    members: Sequence[Trial] = [winner] if stopped else _members(loop, winner)
    run = None
    if len(members) > 1:
        text = f"{len(members)} networks answer better together; they become one model"
        events.write("phase", text=text)
        said(text)
        run, members = _train_together(search, loop, members, features, events, should_stop)
    verdict = _judge(loop, members, search.seed)
    text = _in_words(verdict, members)
    events.write("verdict", trial=members[0].number, text=text, **verdict.to_dict())
    said(text)
    line = _on_validation(loop, [_quick_start(loop)], features)
    run = run or _train(search, members[0], len(loop.trials), events, should_stop)
    outcome = {
        **verdict.to_dict(),
        "text": text,
        "trial": members[0].number,
        "members": [trial.number for trial in members],
        "trials": len(loop.trials),
        "again": again,
        "importances": loop.importances(),
        "validation": _on_validation(loop, members, features),
        "quick_start_validation": line,
        "run_validation": run.best.val_accuracy if run.best else None,
        "test": read_metrics(run).get("test", {}).get("accuracy"),
    }
    status = "stopped" if stopped else "done"
    events.write("end", status=status, text=text)
    return update_search(search.path, status=status, finished=now(), run_id=run.id, outcome=outcome)


def _choose(
    loop: TrialLoop, features: Mapping[str, Features], said: Callable[[str], None], until: float
) -> tuple[Trial, dict[str, float]]:
    """The best head, or a whole training that is worth more than it."""
    head, again = _measure_again(loop, features, said, until)
    whole = next((trial for trial in loop.complete if trial.config is not None), head)
    return (whole if whole.score >= head.score + WORTH else head), again


def _measure_again(
    loop: TrialLoop, features: Mapping[str, Features], said: Callable[[str], None], until: float
) -> tuple[Trial, dict[str, float]]:
    """The leading heads once more with other folds, which decide; their new scores by the trial's number."""
    heads = [trial for trial in loop.complete if trial.config is None]
    leaders, again = heads[:LEADERS], dict[str, float]()
    for trial in leaders if len(leaders) > 1 else ():
        if loop.elapsed() > until:
            return leaders[0], again
        said(f"Measuring trial {trial.number} again with other folds")
        again[str(trial.number)] = loop.remeasure(trial, _features(features, trial.params))
    return max(leaders, key=lambda trial: again.get(str(trial.number), 0.0)), again


def _members(loop: TrialLoop, winner: Trial) -> list[Trial]:
    """The winner and the trials that answer better together with it."""
    trials = {trial.number: trial for trial in loop.trials}
    return [trials[number] for number in loop.ensemble(winner)]


def _judge(loop: TrialLoop, members: Sequence[Trial], seed: int) -> Verdict:
    """Every trial and every ensemble that could have been chosen are compared, so that all the luck is counted."""
    images = int(np.count_nonzero(loop.masks.any(axis=0)))
    compared, groups = loop.complete, loop.groups()
    quick_start = compared.index(_quick_start(loop))
    winner = compared.index(members[0])
    if len(members) > 1:
        winner = len(compared) + list(groups).index(frozenset(trial.number for trial in members))
    return judge([*(trial.rightly(images) for trial in compared), *groups.values()], quick_start, winner, seed)


def _quick_start(loop: TrialLoop) -> Trial:
    return next(trial for trial in loop.complete if trial.params == loop.quick_start)


def _in_words(verdict: Verdict, members: Sequence[Trial]) -> str:
    text = describe(verdict)
    if len(members) == 1:
        return text
    return f"{text} {len(members)} networks answer together: {'; '.join(trial.what for trial in members)}."


def _on_validation(loop: TrialLoop, members: Sequence[Trial], features: Mapping[str, Features]) -> float:
    """The accuracy on the validation images that a run of these trials is expected to have."""
    any_features = next(iter(features.values()))
    if members[0].config is not None or len(loop.masks) == 1:  # it has been measured so, or cannot be quickly
        held_out = loop.masks.any(axis=0)
        right = members[0].rightly(int(np.count_nonzero(held_out)))
        if len(members) > 1:
            right = loop.together(members).argmax(axis=1) == any_features.labels[held_out]
        return float(right[any_features.validation[held_out]].mean())
    found = [loop.on_validation(trial.params, _features(features, trial.params)) for trial in members]
    together = np.mean([one.probabilities for one in found], axis=0)
    return float((together.argmax(axis=1) == any_features.labels[found[0].rows]).mean())


def _features(features: Mapping[str, Features], params: Params) -> Features:
    return features[params["source"]]


def _train_together(
    search: Search,
    loop: TrialLoop,
    members: Sequence[Trial],
    features: Mapping[str, Features],
    events: EventLog,
    should_stop: Callable[[], bool],
) -> tuple[RunRecord | None, Sequence[Trial]]:
    """Train the whole training among the members, or the one with the largest images, and let the others answer too.

    Returns:
        The run and whose answers it gives: of all; of the one that was trained, where there was a stop. Where the
        members have lost too much on their way into one model, the winner alone, and its run if that was trained.
    """
    lead = _lead(members)
    run = _train(search, lead, len(loop.trials), events, should_stop)
    others = [
        Member(
            trial.settings(search.seed),
            loop.on_validation(trial.params, _features(features, trial.params), keep_weights=True).weights,
        )
        for trial in members
        if trial is not lead
    ]
    try:
        joined = assemble(run, others, search.dataset(), should_stop)
    except StoppedError:
        return run, [lead]
    if joined is None:
        logger.warning("The ensemble of the search %s is worse as one model than its members were", search.id)
        if lead is members[0]:
            return run, members[:1]
        update_search(search.path, run_id=None)
        delete_run(Workspace(search.workspace.root, belonging(search.path).person), run.id)
        return None, members[:1]
    return joined, members


def _lead(members: Sequence[Trial]) -> Trial:
    """Whose run is trained: the whole training among the members, or the one with the largest images."""
    return max(members, key=lambda trial: (trial.config is not None, trial.source.image_size))


def _train(
    search: Search, winner: Trial, trials: int, events: EventLog, should_stop: Callable[[], bool]
) -> RunRecord:
    """The winner as a run like any other; the only place where test images are looked at."""
    workspace = Workspace(search.workspace.root, belonging(search.path).person)
    config, dataset = winner.settings(search.seed), search.dataset()
    taken, name, number = {run.name for run in list_runs(workspace)}, f"{dataset.name}, best of {trials}", 2
    while name in taken:
        name, number = f"{dataset.name}, best of {trials} ({number})", number + 1
    run = create_run(workspace, config, dataset, name)
    update_search(search.path, run_id=run.id)
    events.write("winner", trial=winner.number, run=run.id)
    train(config, dataset.path, run.path, should_stop)
    return load_run(run.path)
