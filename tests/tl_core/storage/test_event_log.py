"""The log of a run's events: nothing torn, nothing lost, and readers that go on live when it is cut back."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from tests.faults.full_disk import full_disk
from tests.tl_core.figures.run_events import batch, epoch, phase
from tl_core.errors import WorkspaceError
from tl_core.runs.recovery import reserve_disk, write_with_reserve
from tl_core.storage.event_log import EventLog, EventReader, read_events

ROW = 90  # batches of the epoch that is cut off: longer than what follows


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture
def interrupted(path):
    """A run that was cut off in its third epoch."""
    with EventLog(path) as events:
        events.write(**phase("head", 1, 8))
        for number in (1, 2):
            events.write(**epoch(number))
        for number in range(1, ROW + 1):
            events.write(**batch(3, number, ROW))
    return path


def epochs_in(events):
    return [event["epoch"] for event in events if event["kind"] == "epoch"]


def test_each_event_is_read_once_and_only_when_complete(path):
    reader = EventReader(path)
    assert reader.read_new().events == []
    with EventLog(path) as events:
        events.write("note", text="Grüße")
        assert [event["text"] for event in reader.read_new().events] == ["Grüße"]
        assert reader.read_new().events == []
    with path.open("ab") as file:
        file.write(b'{"kind": "note", "te')
    assert reader.read_new().events == []
    with path.open("ab") as file:
        file.write(b'xt": "later"}\n')
    assert [event["text"] for event in reader.read_new().events] == ["later"]


def test_a_torn_last_line_is_left_out_and_overwritten_by_the_next_writer(path):
    with EventLog(path) as events:
        events.write("note", text="one")
    with path.open("ab") as file:
        file.write(b'{"kind": "no')
    assert len(read_events(path)) == 1
    with EventLog(path) as events:
        events.write("note", text="two")
    assert [event["text"] for event in read_events(path)] == ["one", "two"]


def test_numpy_values_are_plain_and_what_is_not_finite_is_null(path):
    with EventLog(path) as events:
        events.write("epoch", loss=np.float32(0.5), val_loss=math.nan, epoch=np.int64(3))
    (event,) = read_events(path)
    assert (event["loss"], event["val_loss"], event["epoch"]) == (0.5, None, 3)


def test_a_reader_at_the_end_goes_on_at_once_when_epochs_are_cut_off(interrupted):
    reader = EventReader(interrupted)
    assert len(reader.read_new().events) == 3 + ROW
    with EventLog(interrupted) as events:
        events.forget_epochs_from(3)
        new = reader.read_new()
        assert (new.restarted, epochs_in(new.events), new.appended) == (True, [1, 2], [])
        events.write(**epoch(3))
        new = reader.read_new()
        assert (new.restarted, epochs_in(new.events), epochs_in(new.appended)) == (False, [3], [3])
    assert epochs_in(read_events(interrupted)) == [1, 2, 3]


def test_a_late_reader_gets_every_epoch_once(interrupted):
    reader = EventReader(interrupted)
    reader.read_new()
    with EventLog(interrupted) as events:
        for _ in range(2):  # cut off twice between two looks
            events.forget_epochs_from(3)
            for number in range(3, 9):
                events.write(**epoch(number))
    new = reader.read_new()
    assert epochs_in(new.events) == list(range(1, 9))
    assert epochs_in(new.appended) == list(range(3, 9))
    assert reader.read_new().events == []


def test_what_is_cut_off_first_leaves_the_later_generation_as_long_as_the_first(interrupted):
    """A reader cannot see from the length alone that the log is another one."""
    reader = EventReader(interrupted)
    reader.read_new()
    size = interrupted.stat().st_size
    with EventLog(interrupted) as events:
        events.forget_epochs_from(3)
        while interrupted.stat().st_size <= size:
            events.write("note", text="later")
    assert reader.read_new().restarted


def test_a_log_of_which_nothing_is_cut_off_stays_as_it_is(interrupted):
    before = interrupted.read_bytes()
    with EventLog(interrupted) as events:
        events.forget_epochs_from(4)
    assert interrupted.read_bytes() == before


def test_a_log_that_was_cut_short_by_an_earlier_version_is_read_anew(interrupted):
    reader = EventReader(interrupted)
    reader.read_new()
    interrupted.write_bytes(b"".join(interrupted.read_bytes().splitlines(keepends=True)[:3]))
    assert epochs_in(reader.read_new().events) == [1, 2]


FILLED = """
import resource, sys
from pathlib import Path
from tl_core.errors import WorkspaceError
from tl_core.storage.event_log import EventLog

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

limit(10_000)
written = 0
with EventLog(Path(sys.argv[1])) as events:
    try:
        while written < 1000:
            events.write("note", text=f"note {written}")
            written += 1
    except WorkspaceError:
        pass
    limit(resource.RLIM_INFINITY)
    events.write("end", status="failed", text="full")
print(written)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_what_a_disk_takes_a_part_of_is_taken_back(path):
    """A write that is cut short is no error of the system: the next one was glued to it, and both were lost."""
    done = subprocess.run([sys.executable, "-c", FILLED, str(path)], capture_output=True, text=True, check=True)
    written = int(done.stdout)
    assert 0 < written < 1000
    assert [event["kind"] for event in read_events(path)] == ["note"] * written + ["end"]
    assert all(json.loads(line) for line in path.read_text("utf-8").splitlines())


def test_the_end_is_recorded_in_the_room_kept_for_it(path):
    reserve_disk(path.parent)
    with full_disk(path.parent, 4, stays=True) as disk, EventLog(path) as events:  # to create it is the first write
        events.write("note", text="one")
        events.write("note", text="two")
        with pytest.raises(WorkspaceError, match="free some disk space"):
            events.write("note", text="three")
        write_with_reserve(path.parent, lambda: events.write("end", status="failed", text="full"))
    assert disk.refused
    assert [event.get("text") for event in read_events(path)] == ["one", "two", "full"]
