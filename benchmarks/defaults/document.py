"""Writes the figures of the study as a page: docs/defaults.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

Rows = Sequence[Mapping[str, Any]]
Take = Callable[[Mapping[str, Any]], bool]

_TIE: Final = 1e-9  # percentage points

_PAGE: Final = Path(__file__).with_name("page.md")  # the text; figures replace {names}


def _everything(_: Mapping[str, Any]) -> bool:
    return True


def write_document(found: Mapping[str, Any]) -> str:
    """The whole page, from what `study.run_study` returned."""
    test: Rows = found["test"]
    pools = {entry["name"]: entry["images_per_class"] for entry in found["sets"]}
    slowest = max(test, key=lambda row: row["seconds"])
    return _PAGE.read_text(encoding="utf-8").format(
        quick_start=describe(found["quick_start"]),
        plain=describe(found["plain_recipe"]),
        first_guess=describe(found["first_guess"]),
        verdict=_verdict(test),
        by_set=_by_set(test),
        by_size=_by_size(test),
        cells=_cells(test),
        plain_last=_signed(_mean(test, "plain_last_epoch") - _mean(test, "plain")) + " points",
        seconds_mean=_mean(test, "seconds"),
        seconds_max=slowest["seconds"],
        seconds_most=_training_images(found, slowest),
        plain_seconds=_mean(test, "plain_seconds"),
        sets=_sets(found["sets"]),
        machine=found["machine"],
        date=found["date"],
        faces_tests=2 * pools["faces"]["test"],
        surfaces_tests=3 * pools["surfaces"]["test"],
        fine_tuning=fine_tuning_table(found["fine_tuning_study"]),
        fine_tuning_tested=_fine_tuning_tested(found["fine_tuning_study"], found["fine_tuning_chosen"]),
        fine_tuning_machine=found["fine_tuning_machine"],
        fine_tuning_date=found["fine_tuning_date"],
    )


def fine_tuning_table(rows: Rows) -> str:
    """What each change of fine-tuning gained on the images by which settings are chosen, against the first one."""
    columns = (
        "what learns",
        "cells",
        "head",
        "kept",
        "gain",
        "worst cell",
        "against the first",
        "last epoch",
        "seconds",
    )
    return _table(columns, [_tuning(rows, change) for change in _unique(rows, "change")])


def _tuning(rows: Rows, change: str) -> tuple[str, ...]:
    """A row of the table: accuracies in per cent, gains in points with the standard error over the cells."""
    mine = list(filter(_where(change=change), rows))
    gains = [row["kept"] - row["head"] for row in mine]
    against = [row["kept"] - _same_cell(rows, row)["kept"] for row in mine]
    return (
        change,
        str(len(mine)),
        f"{_mean(mine, 'head'):.1f}",
        f"{_mean(mine, 'kept'):.1f}",
        _with_error(gains),
        _signed(min(gains)),
        _with_error(against),
        f"{_mean(mine, 'last'):.1f}",
        f"{_mean(mine, 'seconds'):.0f}",
    )


def _fine_tuning_tested(rows: Rows, chosen: str) -> str:
    """The test images, for what was before and for what was chosen: head → before → chosen."""
    mine = list(filter(_where(change=chosen), rows))
    before = [_same_cell(rows, row) for row in mine]
    sizes = sorted(_unique(mine, "size"))

    def cell(take: Take) -> str:
        old, new = list(filter(take, before)), list(filter(take, mine))
        return f"{_mean(new, 'test_head'):.1f} → {_mean(old, 'test_kept'):.1f} → {_mean(new, 'test_kept'):.1f}"

    named = [(name, *(cell(_where(set=name, size=size)) for size in sizes)) for name in _unique(mine, "set")]
    means = ("mean of the cells", *(cell(_where(size=size)) for size in sizes))
    columns = ("set: head → before → now", *(f"{size} images of each class" for size in sizes))
    return _table(columns, [*named, means])


def _same_cell(rows: Rows, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first change on the same images."""
    return next(one for one in rows if all(one[key] == row[key] for key in ("set", "size", "seed")))


def _with_error(points: Sequence[float]) -> str:
    if len(points) < 2:
        return _signed(float(np.mean(points)))
    return f"{_signed(float(np.mean(points)))} ± {float(np.std(points, ddof=1)) / len(points) ** 0.5:.2f}"


def describe(config: Mapping[str, Any]) -> str:
    """A configuration's head and first phase in a line."""
    head = config["head"]
    norm = {"none": "", "layer": ", layer normalization", "batch": ", batch normalization"}
    dense = "".join(f", Dense {units} {head['activation']}" for units in head["dense_units"])
    decay = f", weight decay {config['weight_decay']:g}" if config["weight_decay"] else ""
    smoothing = f", label smoothing {config['label_smoothing']:g}" if config["label_smoothing"] else ""
    patience = config["early_stopping_patience"]
    return (
        f"{head['pooling']} pooling{norm[head['feature_normalization']]}{dense}, dropout {head['dropout']:g}, "
        f"{config['optimizer']} {config['learning_rate']:g}{decay}, {config['schedule']} schedule, "
        f"{config['epochs']} epochs{f', patience {patience}' if patience else ''}, "
        f"batches of {config['batch_size']}{smoothing}"
    )


def _verdict(test: Rows) -> str:
    means = {name: _difference(test, _where(set=name)) for name in _unique(test, "set")}
    behind = [name for name, difference in means.items() if difference < -_TIE]
    cells = [row["quick_start"] - row["plain"] for row in test]
    better, worse = sum(cell > _TIE for cell in cells), sum(cell < -_TIE for cell in cells)
    everywhere = f"not as good on {' and '.join(behind)}" if behind else "at least as good on every set"
    equal = len(cells) - better - worse
    return (
        f"Quick start is {everywhere}; its mean difference is {_signed(_difference(test))} points. Of {len(cells)} "
        f"cells it is better in {better}, equal in {equal} and worse in {worse}; its worst cell is "
        f"{_signed(min(cells))} points."
    )


def _by_set(test: Rows) -> str:
    rows = [_pair(test, name, _where(set=name)) for name in _unique(test, "set")]
    return _table(("set", "plain recipe", "quick start", "difference", "worst cell"), [*rows, _pair(test, "mean")])


def _by_size(test: Rows) -> str:
    rows = [_pair(test, _size(size), _where(size=size)) for size in _unique(test, "size")]
    return _table(("images of each class", "plain recipe", "quick start", "difference", "worst cell"), rows)


def _cells(test: Rows) -> str:
    sizes = _unique(test, "size")
    rows = [
        (
            name,
            *(_short(test, _where(set=name, size=size)) for size in sizes),
        )
        for name in _unique(test, "set")
    ]
    return _table(("set: plain recipe → quick start", *map(_size, sizes)), rows)


def _pair(test: Rows, name: str, take: Take = _everything) -> tuple[str, ...]:
    kept = list(filter(take, test))
    worst = min(row["quick_start"] - row["plain"] for row in kept)
    numbers = (_mean_of_sizes(kept, "plain"), _mean_of_sizes(kept, "quick_start"))
    return (name, *(f"{number:.2f}" for number in numbers), _signed(numbers[1] - numbers[0]), _signed(worst))


def _short(test: Rows, take: Take) -> str:
    kept = list(filter(take, test))
    return f"{_mean(kept, 'plain'):.1f} → {_mean(kept, 'quick_start'):.1f}"


def _sets(sets: Rows) -> str:
    rows = [
        (
            entry["name"],
            entry["kind"],
            entry["package"],
            entry["license"],
            " / ".join(str(count) for count in entry["images_per_class"].values()),
        )
        for entry in sets
    ]
    table = _table(("set", "images", "package", "licence", "train / validation / test of each class"), rows)
    return "\n".join(f"  {line}" for line in table.splitlines())


def _training_images(found: Mapping[str, Any], row: Mapping[str, Any]) -> int:
    entry = next(entry for entry in found["sets"] if entry["name"] == row["set"])
    return int(entry["classes"] * (row["size"] or entry["images_per_class"]["train"]))


def _where(**values: Any) -> Take:
    """A predicate for rows that have these values."""
    return lambda row: all(row[key] == value for key, value in values.items())


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _mean(rows: Rows, key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def _mean_of_sizes(rows: Rows, key: str) -> float:
    """Every size counts the same, however many seeds it has."""
    return float(np.mean([_mean(list(filter(_where(size=size), rows)), key) for size in _unique(rows, "size")]))


def _difference(rows: Rows, take: Take = _everything) -> float:
    kept = list(filter(take, rows))
    return _mean_of_sizes(kept, "quick_start") - _mean_of_sizes(kept, "plain")


def _unique(rows: Rows, key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def _size(size: int | None) -> str:
    return "all" if size is None else str(size)


def _signed(points: float) -> str:
    return "0.0" if abs(points) < 0.005 else f"{points:+.2f}".replace("-", "−")
