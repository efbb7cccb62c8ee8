"""A bar of long work never runs backwards, whatever its parts say."""

from __future__ import annotations

import pytest

from tl_core.errors import StoppedError
from tl_core.machine.progress import UNATTENDED, Progress, TaskContext


def watched():
    told: list[Progress] = []
    return TaskContext(told.append), told


def test_parts_fill_the_whole_one_after_the_other():
    task, told = watched()
    first, second = task.part(0.0, 0.6), task.part(0.6, 1.0)
    for part, text in ((first, "Looking"), (second, "Judging")):
        for done in (0, 5, 10):
            part.report(done, 10, text)
    assert [round(at.fraction, 3) for at in told] == [0.0, 0.3, 0.6, 0.6, 0.8, 1.0]
    assert (told[1].done, told[1].total, told[1].text) == (5, 10, "Looking")  # each part counts by itself


def test_a_part_of_a_part_lies_within_it():
    task, told = watched()
    task.part(0.5, 1.0).part(0.0, 0.5).report(1, 2)
    assert told[-1].fraction == 0.625


def test_work_that_begins_to_count_anew_does_not_run_backwards():
    task, told = watched()
    for done, total in ((8, 10), (0, 0), (1, 300), (290, 300)):
        task.report(done, total)
    assert [round(at.fraction, 3) for at in told] == [0.8, 0.8, 0.8, 0.967]


def test_a_part_hears_the_stop_of_the_whole():
    task = TaskContext(should_stop=lambda: True)
    with pytest.raises(StoppedError, match="stopped"):
        task.part(0.0, 0.5).stop_if_asked("It was stopped.")


def test_nobody_watches_what_is_unattended():
    UNATTENDED.part(0.0, 0.5).report(1, 2)
    task, told = watched()
    task.without_progress().report(1, 2)
    assert told == []
