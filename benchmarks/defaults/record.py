"""Outcomes of trials, kept outside the repository so that an interrupted study goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar


class _Plain(Protocol):
    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""


T = TypeVar("T", bound=_Plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where a trial stands in the study."""

    candidate: str
    set_name: str
    size: int | None  # training images per class; None = all
    seed: int

    @property
    def cell(self) -> tuple[str, int | None, int]:
        """Set, size and seed: two candidates are compared within the same cell."""
        return self.set_name, self.size, self.seed


class Record(Generic[T]):
    """A file with one outcome per line."""

    def __init__(self, path: Path, read: Callable[[dict[str, Any]], T]) -> None:
        self._path = path
        self._known: dict[str, T] = {}
        if path.is_file():
            entries = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            self._known = {entry["key"]: read(entry["outcome"]) for entry in entries}

    def outcome(self, about: Mapping[str, Any], make: Callable[[], T]) -> T:
        """The outcome kept under what it is ``about``; if there is none, ``make`` it and keep it."""
        key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        if key not in self._known:
            made = self._known[key] = make()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "about": about, "outcome": made.to_dict()}) + "\n")
        return self._known[key]
