"""The order in which two processes share the files, what garbage collection need not see, the browser, and
TensorFlow.js."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The files of a minute or more on a busy machine, longest first: one of them begun last would leave the other process
# without work.
LONGEST = (
    "tests/tl_core/training/test_presets_to_the_end.py",
    "tests/tl_core/imported_models/test_every_source.py",
    "tests/tl_core/export/test_exporting.py",
    "tests/tl_core/training/test_watched_images.py",
    "tests/tl_core/training/test_sample_accuracy.py",
    "tests/tl_core/training/test_resume.py",
    "tests/tl_core/jobs/test_ray.py",
    "tests/ui/train_page/test_bring_network.py",
    "tests/tl_core/audit/test_audit.py",
    "tests/tl_core/jobs/test_workers.py",
    "tests/e2e/test_accessibility.py",
    "tests/ui/data_page/faults/test_audit.py",
    "tests/tl_core/inference/test_grad_cam.py",
    "tests/tl_core/export/test_program.py",
    "tests/e2e/test_story.py",
    "tests/ui/shell/test_streamlit_patches.py",
    "tests/ui/train_page/test_train_page.py",
    "tests/tl_core/backbones/test_every_backbone.py",
    "tests/tl_core/training/test_last_epochs.py",
    "tests/e2e/test_worker.py",
    "tests/e2e/test_login.py",
    "tests/benchmarks/test_benchmarks.py",
    "tests/ui/predict_page/test_epochs.py",
    "tests/tl_core/search/test_searching.py",
    "tests/tl_core/imported_models/networks/test_bringing.py",
    "tests/e2e/test_recording.py",
    "tests/tl_core/command_line/test_interface.py",
    "tests/e2e/test_frame.py",
    "tests/e2e/test_block_map.py",
    "tests/ui/data_page/test_data_page.py",
    "tests/old_workspaces/test_old_work_opens.py",
    "tests/e2e/test_narrow.py",
    "tests/faults/test_worker_kills.py",
    "tests/e2e/test_closed_server.py",
    "tests/ui/predict_page/test_predict_page.py",
    "tests/tl_core/training/test_schedule.py",
    "tests/e2e/test_predict.py",
    "tests/faults/test_memory.py",
    "tests/e2e/test_live_camera.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; with ``--no-loadscope-reorder`` this is the order in which they are shared."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


def pytest_collection_finish() -> None:
    """What was imported stays: a training collects garbage at its end, and would look at all of TensorFlow."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process; Playwright cannot be started twice in it."""
    from playwright.sync_api import sync_playwright

    from tests.e2e.application import CHROMIUM_ARGUMENTS
    from tests.e2e.browser import find_or_install_browser

    program = find_or_install_browser()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(scope="session")
def tensorflow_js() -> Path:
    """TensorFlow.js as it was published, downloaded once for this machine from the registry that npm is set to.

    Where that cannot be reached, what needs it fails with the sentence of the product.
    """
    from tl_core.export.browser.library import MIRROR, ensure_library
    from tl_core.storage.workspace import Workspace

    temporary = Path(tempfile.gettempdir())
    with FileLock(temporary / "transfer-learning-tensorflow-js.lock"), pytest.MonkeyPatch.context() as patch:
        if npm := shutil.which("npm"):
            words = [npm, "config", "get", "registry"]
            asked = subprocess.run(words, capture_output=True, text=True, check=False, cwd=temporary)
            if asked.returncode == 0 and asked.stdout.startswith("http"):
                patch.setenv(MIRROR, os.environ.get(MIRROR, asked.stdout.strip()))
        return ensure_library(Workspace(temporary / "no-workspace"))
