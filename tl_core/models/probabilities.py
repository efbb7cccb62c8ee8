"""What a model's output means: one probability per class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float32]
"""``(n, classes)``, rows of sum 1."""


def as_class_probabilities(outputs: npt.NDArray[Any]) -> Probabilities:
    """One column per class ``(n, classes)``, also from a sigmoid's ``(n, 1)``."""
    values = np.asarray(outputs, dtype=np.float32)
    return np.concatenate([1 - values, values], axis=1) if values.shape[1] == 1 else values
