"""What the tests of faults share: the small datasets and trainings of the tests of the core."""

from collections.abc import Callable

import pytest

from tests.tl_core.conftest import dataset, train_run, workspace

__all__ = ["dataset", "train_run", "workspace"]


@pytest.fixture
def say(request) -> Callable[[str], None]:
    """Write a figure that was measured to the terminal, also when the test is passed."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def told(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{request.node.name}: {text}", flush=True)  # noqa: T201  # a figure, for whoever asked for it

    return told
