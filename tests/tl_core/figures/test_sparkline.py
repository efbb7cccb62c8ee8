import pytest

from tests.tl_core.figures.run_events import epoch, phase, two_phase_run
from tl_core.config import TrainingConfig
from tl_core.figures import history
from tl_core.figures.history import SPARKLINE_POINTS, accuracy_sparkline
from tl_core.runs import EventLog, create_run
from tl_core.storage.workspace import Workspace


class Described:
    """What `create_run` has to know of a dataset."""

    id, name, fingerprint, classes = "pets-" + "0" * 32, "Pets", "f", ("cat", "dog")
    revision = decoding = 1

    def counts(self):
        return {}


@pytest.fixture
def run(tmp_path):
    return create_run(Workspace(tmp_path).ensure(), TrainingConfig(), Described())


def write(run, events):
    with EventLog(run.folder.events_file) as writer:
        for event in events:
            writer.write(**event)


def test_one_point_per_epoch_over_both_phases(run):
    write(run, two_phase_run(head=4, fine_tune=3))
    assert accuracy_sparkline(run) == pytest.approx([1 - 0.5 / number for number in range(1, 8)], abs=1e-6)


def test_nothing_before_the_first_epoch(run):
    assert accuracy_sparkline(run) == ()
    write(run, [phase("head", 1, 5)])
    assert accuracy_sparkline(run) == ()


def test_it_grows_with_the_run_and_an_unchanged_one_is_not_read_again(run, monkeypatch):
    write(run, [epoch(1, val_accuracy=0.5)])
    assert accuracy_sparkline(run) == (0.5,)
    write(run, [epoch(2, val_accuracy=0.75)])
    assert accuracy_sparkline(run) == (0.5, 0.75)
    monkeypatch.setattr(history, "read_events", lambda path: pytest.fail("read again"))
    assert accuracy_sparkline(run) == (0.5, 0.75)


def test_a_long_run_keeps_its_shape_in_few_points(run):
    write(run, [epoch(number, val_accuracy=0.9 if number == 321 else 0.5) for number in range(1, 601)])
    points = accuracy_sparkline(run)
    assert len(points) <= SPARKLINE_POINTS
    assert max(points) == 0.9


def test_a_resumed_run_replaces_what_it_does_again(run):
    write(run, [epoch(1, val_accuracy=0.1), epoch(2, val_accuracy=0.2), epoch(2, val_accuracy=0.3)])
    assert accuracy_sparkline(run) == (0.1, 0.3)
