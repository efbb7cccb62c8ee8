"""What the tests on a GPU share: the small datasets and trainings of the tests of the core."""

from tests.faults.conftest import say
from tests.tl_core.conftest import dataset, train_run, workspace

__all__ = ["dataset", "say", "train_run", "workspace"]
