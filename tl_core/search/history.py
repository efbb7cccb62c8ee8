"""What a search has tried so far, read from its events; pages need neither TensorFlow nor Optuna for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tl_core.runs import read_events
from tl_core.search.record import Search
from tl_core.search.space import DIMENSIONS, SOURCE, UNBALANCED, source_of

COMPLETE: Final = "complete"
PRUNED: Final = "pruned"
_TITLES: Final = {SOURCE: "the backbone and image size", **{one.name: one.title for one in (*DIMENSIONS, UNBALANCED)}}
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

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Trial:
        """Read what `to_event` gave."""
        values = {name: event[name] for name in cls.__slots__}
        return cls(**{**values, "steps": tuple((int(step), float(score)) for step, score in event["steps"])})

    def to_event(self) -> dict[str, Any]:
        """The values of its event."""
        return {**{name: getattr(self, name) for name in self.__slots__}, "steps": [list(at) for at in self.steps]}

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
    sources: tuple[str, ...] = ()  # planned

    @property
    def leader(self) -> Trial | None:
        """The best of those that were measured to their end; of equal ones the first."""
        complete = [trial for trial in self.trials if trial.state == COMPLETE]
        return max(complete, key=lambda trial: (trial.score, -trial.number), default=None)

    @property
    def quick_start(self) -> Trial | None:
        """The line to beat."""
        return self.trials[0] if self.trials else None

    @property
    def elapsed(self) -> float:
        """Seconds of the search at its last trial."""
        return max((trial.elapsed for trial in self.trials), default=0.0)


def read_history(search: Search) -> History:
    """Everything that a search has told so far."""
    found = History()
    for event in read_events(search.events_file):
        match event["kind"]:
            case "trial":
                found.trials.append(Trial.from_event(event))
                found.text = "Trying heads"
            case "plan":
                found.sources = tuple(event["sources"])
            case "phase":
                found.text, found.done, found.total = str(event["text"]), 0, 0
            case "progress":
                found.done, found.total = int(event["done"]), int(event["total"])
            case "verdict":
                found.text = "The best is found; it is trained as a run"
    return found


def effects(trials: Iterable[Trial], quick_start: Trial, leader: Trial) -> dict[str, float]:
    """How much each setting in which the leader differs from *Quick start* has brought, the most first.

    Of each: the best accuracy among all trials with the leader's value, less the best with that of Quick start. A
    range, such as dropout, is cut in two halfway between both.
    """
    complete = [trial for trial in trials if trial.state == COMPLETE]
    found = {}
    for name, value in leader.params.items():
        other = quick_start.params[name]
        if value == other:
            continue
        with_it = [trial.accuracy for trial in complete if _nearer(trial.params[name], value, other)]
        without = [trial.accuracy for trial in complete if _nearer(trial.params[name], other, value)]
        found[name] = max(with_it) - max(without)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def describe_effects(found: Mapping[str, float], leader: Trial) -> str:
    """What made the difference, in a sentence; empty where nothing differs."""
    if not found:
        return "It is *Fast* itself."
    gained = {name: gain for name, gain in found.items() if gain >= _SMALL}
    nothing = [_TITLES[name] for name in found if name not in gained]
    words = [f"{_value(name, leader)} gave {100 * gain:.1f} points" for name, gain in gained.items()]
    sentences = [f"{_listed(words)}."] * bool(words) + [f"{_listed(nothing)} made no difference."] * bool(nothing)
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def describe_importances(importances: Mapping[str, float]) -> str:
    """What mattered over all trials, in a sentence; empty where it is not known."""
    most = [(name, share) for name, share in importances.items() if share >= 0.1][:3]
    if not most:
        return ""
    words = [f"{_TITLES[name]} ({100 * share:.0f} %)" for name, share in most]
    return f"Over all trials {_listed(words)} mattered most."


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
    return _TITLES[name]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else ""
