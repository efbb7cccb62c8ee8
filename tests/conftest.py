"""The order in which two processes share the files, the everyday tests, and what garbage collection need not see."""

from __future__ import annotations

import gc

import pytest

# The files of a minute or more on a busy machine, longest first: one of them begun last would leave the other process
# without work. They and these folders are left out of ``pytest -m everyday``.
LONGEST = (
    "tests/tl_core/training/test_presets_to_the_end.py",
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
SLOW_FOLDERS = ("tests/e2e/", "tests/faults/", "tests/benchmarks/", "tests/old_workspaces/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; with ``--no-loadscope-reorder`` this is the order in which they are shared."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
    for item in items:
        slow = item.nodeid.partition("::")[0] in places or item.nodeid.startswith(SLOW_FOLDERS)
        if not slow and not any(item.iter_markers("long")) and not any(item.iter_markers("gpu")):
            item.add_marker("everyday")


def pytest_collection_finish() -> None:
    """What was imported stays: a training collects garbage at its end, and would look at all of TensorFlow."""
    gc.collect()
    gc.freeze()
