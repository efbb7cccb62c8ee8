"""Datasets as entries of a list of choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tl_core.data import Dataset


def dataset_labels(datasets: Iterable[Dataset]) -> dict[str, str]:
    """The name of each dataset by its id, with a number where an older one has the same name.

    Streamlit knows an entry by its text alone: of two equal ones it would always take the last.
    """
    labels: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for dataset in sorted(datasets, key=lambda dataset: dataset.created):
        seen[dataset.name] += 1
        number = seen[dataset.name]
        labels[dataset.id] = dataset.name if number == 1 else f"{dataset.name} ({number})"
    return labels
