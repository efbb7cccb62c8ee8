"""What the tests of faults share: the small datasets and trainings of the tests of the core."""

from collections.abc import Callable

import pytest

from tests.tl_core.conftest import dataset, train_run, workspace

__all__ = ["dataset", "train_run", "workspace"]


@pytest.fixture
def say(request) -> Callable[[str], None]:
    """Write a figure that was measured to the terminal, also when the test is passed."""
    return lambda text: request.config.get_terminal_writer().line(f"\n{request.node.name}: {text}")
