"""What a search has tried so far, read from its events; pages need neither TensorFlow nor Optuna for it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.figures.search import Tried
from tl_core.runs import read_events
from tl_core.search.record import Search
from tl_core.search.space import DIMENSIONS, SINCE, SOURCE, UNBALANCED, Source, configure, source_of
from tl_core.storage.format import count, number, percent

COMPLETE: Final = "complete"
PRUNED: Final = "pruned"
_TITLES: Final = {SOURCE: "the backbone and image size", **{one.name: one.title for one in (*DIMENSIONS, UNBALANCED)}}
_MILLISECONDS: Final = 12.0  # of one answer of Quick start's backbone on two cores, about
_WEIGHT_MEGABYTES: Final = 4e-6
_NAMED: Final = 4  # settings in a sentence, of those that were changed together
_SMALL: Final = 0.002  # of the accuracy; a smaller effect counts as nothing


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice and what came of it."""

    number: int
    params: dict[str, Any]
    state: str  # complete or pruned
    accuracy: float  # on held-out images, 0-1; of a pruned one when it was ended
    loss: float
    score: float  # what decides: accuracy, a little of the loss, and what else matters
    steps: tuple[tuple[int, float], ...]  # rung and score
    seconds: float
    elapsed: float  # seconds that the search had taken when it ended
    right: str = ""  # of a complete one: the held-out images answered rightly, as bits in hexadecimal digits
    title: str = ""  # of a whole training: what it is, in a few words
    config: Mapping[str, Any] | None = None  # its settings, as a file has them; None: a head that `params` tell
    fixed: bool = False  # whether it was to be measured to its end however it went

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Trial:
        """Read what `to_event` gave, in this or an earlier version."""
        values = {name: event[name] for name in cls.__slots__ if name in event}
        if event["params"]:  # a whole training has none
            values["params"] = {**SINCE, **event["params"]}
        return cls(**{**values, "steps": tuple((int(step), float(score)) for step, score in event["steps"])})

    def to_event(self) -> dict[str, Any]:
        """The values of its event."""
        return {**{name: getattr(self, name) for name in self.__slots__}, "steps": [list(at) for at in self.steps]}

    def settings(self, seed: int) -> TrainingConfig:
        """The training that it means."""
        return configure(self.params, seed) if self.config is None else TrainingConfig.from_file(self.config)

    @property
    def source(self) -> Source:
        """The backbone and image size that it looks with."""
        if self.config is None:
            return source_of(self.params)
        config = TrainingConfig.from_file(self.config)
        size = config.image_size or get_backbone(config.backbone).image_size
        return Source(config.backbone, size, mirrored=config.head.mirrored)

    @property
    def what(self) -> str:
        """For people: what it looks with, or what it is."""
        return self.title or self.source.title

    def rightly(self, images: int) -> npt.NDArray[np.bool_]:
        """Whether each held-out image was answered rightly."""
        return np.unpackbits(np.frombuffer(bytes.fromhex(self.right), np.uint8), count=images).astype(bool)


@dataclass
class History:
    """The trials of a search, and what it does now."""

    trials: list[Trial] = field(default_factory=list)
    text: str = ""  # what is done now
    done: int = 0  # of `total` images
    total: int = 0
    images_per_second: float | None = None
    sources: tuple[str, ...] = ()  # planned
    left_out: dict[str, str] = field(default_factory=dict)  # trainings and backbones that could not be tried, and why
    arriving: str = ""  # what is downloaded beside the trials, in a few words
    latest: float = 0.0  # Unix seconds at which the last trial ended
    began: float = 0.0  # Unix seconds at which its process began to search; 0 before that

    @property
    def leader(self) -> Trial | None:
        """The best of those that were measured to their end; of equal ones the first."""
        complete = [trial for trial in self.trials if trial.state == COMPLETE]
        return max(complete, key=lambda trial: (trial.score, -trial.number), default=None)

    @property
    def quick_start(self) -> Trial | None:
        """The line to beat."""
        return self.trials[0] if self.trials else None

    def leaders(self, outcome: Mapping[str, Any]) -> tuple[int, ...]:
        """Numbers of the trials that were chosen, by the outcome of the search; before its end of the best so far."""
        if members := outcome.get("members"):
            return tuple(members)
        return () if self.leader is None else (self.leader.number,)

    @property
    def seconds_of_pass(self) -> float | None:
        """That the backbone at work still takes for all images, about; None while that is not known."""
        return (self.total - self.done) / self.images_per_second if self.images_per_second else None

    @property
    def elapsed(self) -> float:
        """Seconds of the search at its last trial."""
        return max((trial.elapsed for trial in self.trials), default=0.0)

    def elapsed_until(self, now: float) -> float:
        """Seconds of a search at work, about: those at its last trial, and what has passed since.

        Args:
            now: Unix seconds.
        """
        return self.elapsed + max(0.0, now - max(self.latest, self.began or now))


def read_history(search: Search) -> History:
    """Everything that a search has told so far."""
    found = History()
    started = search.owner.started if search.owner else 0.0  # which takes seconds that are not of the search
    for event in read_events(search.events_file):
        if not found.began and event["t"] >= started:
            found.began = float(event["t"])
        match event["kind"]:
            case "trial":
                found.trials.append(Trial.from_event(event))
                found.latest = float(event["t"])
                found.text = "Trying heads"
            case "left_out":
                found.left_out[str(event["title"])] = str(event["why"])
            case "plan":
                found.sources = tuple(event["sources"])
            case "phase":
                found.text, found.done, found.total, found.images_per_second = str(event["text"]), 0, 0, None
            case "download":
                found.arriving = str(event["text"])
            case "progress":
                found.done, found.total = int(event["done"]), int(event["total"])
                found.images_per_second = event.get("images_per_second")
            case "verdict":
                found.text = "The best is found; it is trained as a run"
    return found


def effects(trials: Iterable[Trial], quick_start: Trial, leader: Trial) -> dict[str, float]:
    """How much each setting in which the leader differs from *Quick start* has brought, the most first.

    Of each: the best accuracy among all trials with the leader's value, less the best with that of Quick start. A
    range, such as dropout, is cut in two halfway between both.
    """
    complete = [trial for trial in trials if trial.state == COMPLETE and trial.config is None]
    found = {}
    for name, value in leader.params.items() if leader.config is None else ():
        other = quick_start.params[name]
        if value == other:
            continue
        with_it = [trial.accuracy for trial in complete if _nearer(trial.params[name], value, other)]
        without = [trial.accuracy for trial in complete if _nearer(trial.params[name], other, value)]
        found[name] = max(with_it) - max(without)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def describe_effects(found: Mapping[str, float], leader: Trial) -> str:
    """What made the difference, in a sentence or two."""
    if leader.config is not None:
        return f"It is {leader.title}."
    if not found:
        return "It is *Fast* itself."
    gained = {name: gain for name, gain in found.items() if gain >= _SMALL}
    nothing = _shortened([_TITLES[name] for name in found if name not in gained])
    words = [_gave(list(names), gain, leader) for gain, names in itertools.groupby(gained, gained.__getitem__)]
    sentences = [f"{_listed(words)}."] * bool(words) + [f"{_listed(nothing)} made no difference."] * bool(nothing)
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _gave(names: Sequence[str], gain: float, leader: Trial) -> str:
    """Settings that were never tried one by one have the same gain, which is theirs together."""
    values = _shortened([_value(name, leader) for name in names])
    return f"{_listed(values)}{' together' if len(names) > 1 else ''} gave {100 * gain:.1f} points"


def _shortened(words: list[str]) -> list[str]:
    rest = len(words) - _NAMED
    return [*words[:_NAMED], count(rest, "other setting")] if rest > 0 else words


def describe_importances(importances: Mapping[str, float]) -> str:
    """What mattered over all trials, in a sentence; empty where it is not known."""
    most = [(name, share) for name, share in importances.items() if share >= 0.1][:3]
    if not most:
        return ""
    words = [f"{_TITLES[name]} ({100 * share:.0f} %)" for name, share in most]
    return f"Over all trials {_listed(words)} mattered most."


def describe_left_out(left_out: Mapping[str, str]) -> list[str]:
    """The trainings that could not be tried, a sentence for each reason: recipes on one backbone share theirs."""
    found = []
    for why in dict.fromkeys(left_out.values()):
        titles = [title for title, reason in left_out.items() if reason == why]
        found.append(f"{_listed(titles)} {'was' if len(titles) == 1 else 'were'} left out. {why}")
    return found


def titled(importances: Mapping[str, float]) -> dict[str, float]:
    """The same by the names that people read."""
    return {_TITLES[name].capitalize(): share for name, share in importances.items()}


def tried(trials: Iterable[Trial]) -> list[Tried]:
    """The trials that were measured to their end, as figures have them."""
    found: list[Tried] = []
    best = float("-inf")
    for trial in trials:
        if trial.state != COMPLETE:
            continue
        source = trial.source
        found.append(
            Tried(
                number=trial.number,
                seconds=trial.elapsed,
                accuracy=trial.accuracy,
                leads=trial.score > best,
                milliseconds=_MILLISECONDS * source.cost,
                megabytes=_megabytes(source),
                title=trial.what,
            )
        )
        best = max(best, trial.score)
    return found


def ensemble_of(outcome: Mapping[str, Any], trials: Iterable[Trial]) -> Tried | None:
    """The networks that were chosen to answer together, as figures have a trial; None where one answers alone.

    Args:
        outcome: of the search; empty before its end.
        trials: all that were tried.
    """
    found = list(trials)
    members = [trial for trial in found if trial.number in outcome.get("members", ())]
    if len(members) < 2:
        return None
    sources = [trial.source for trial in members]
    return Tried(
        number=members[0].number,
        seconds=found[-1].elapsed,
        accuracy=float(outcome["accuracy"]),
        leads=True,
        milliseconds=_MILLISECONDS * sum(source.cost for source in sources),
        megabytes=sum(_megabytes(source) for source in sources),
        title=" + ".join(trial.what for trial in members),
    )


def _megabytes(source: Source) -> float:
    return get_backbone(source.backbone).base_parameters * _WEIGHT_MEGABYTES


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """The best first, those that were ended early last."""
    return sorted(trials, key=lambda trial: (trial.state != COMPLETE, -trial.score))


def row_of(trial: Trial, leaders: Collection[int]) -> dict[str, str | int]:
    """A trial in the table of all, by column; the numbers of those that lead, which are several in an ensemble."""
    config = trial.settings(0)
    head = config.head
    return {
        "Trial": trial.number,
        "Accuracy": percent(trial.accuracy),
        "Loss": number(trial.loss),
        "Stands": _standing(trial, leaders),
        "Features": trial.what,
        "Blocks": head.blocks,
        "Pooling": head.pooling,
        "Hidden layer": ", ".join(map(str, head.dense_units)) or "none",
        "Dropout": number(head.dropout, 2),
        "Rate": number(config.learning_rate, 2),
        "Epochs": config.epochs + (config.fine_tune_epochs if config.frozen_layers is not None else 0),
        "Batch": config.batch_size,
        "Weight decay": number(config.weight_decay, 2),
        "L2": number(head.l2, 2),
        "Seconds": number(trial.seconds, 2),
    }


def _standing(trial: Trial, leaders: Collection[int]) -> str:
    if trial.number in leaders:
        return "leads" if len(leaders) == 1 else "together"
    return "" if trial.state == COMPLETE else "ended early"


def _nearer(value: Any, to: Any, than: Any) -> bool:
    if all(isinstance(one, float) for one in (value, to, than)):
        return bool(abs(value - to) < abs(value - than))
    return bool(value == to)


def _value(name: str, leader: Trial) -> str:
    value = leader.params[name]
    if name == SOURCE:
        return source_of(leader.params).title
    if name == "units":
        return f"a hidden layer of {value}" if value else "no hidden layer"
    if name == "blocks":
        return f"features of {value} blocks"
    if name == "pooling":
        return "average and max pooling" if value == "both" else f"{value} pooling"
    return _TITLES[name]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else ""
