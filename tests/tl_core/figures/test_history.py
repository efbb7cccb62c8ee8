from tests.tl_core.figures.run_events import batch, end, epoch, phase, two_phase_run
from tl_core.figures.history import TABLE_COLUMNS, History


def test_a_whole_run_is_taken_in():
    history = History().add(two_phase_run(head=4, fine_tune=3))
    assert list(history.epochs) == [1, 2, 3, 4, 5, 6, 7]
    assert [(part.name, part.first_epoch, part.last_epoch) for part in history.phases] == [
        ("head", 1, 4),
        ("fine_tune", 5, 7),
    ]
    assert history.best_epoch == 7
    assert history.finished


def test_events_may_come_piece_by_piece():
    events = two_phase_run()
    whole, growing = History().add(events), History()
    for event in events:
        growing.add([event])
    assert growing == whole


def test_a_batch_stands_within_its_epoch():
    history = History().add([batch(3, 5, 10, loss=0.25, accuracy=0.75)])
    assert history.batches == [(2.5, 0.75, 0.25)]
    assert history.position == 2.5


def test_a_resumed_run_replaces_what_it_does_again():
    history = History().add([phase("head", 1, 9), epoch(1), batch(2, 5), batch(2, 9), epoch(2), batch(3, 5), end()])
    history.add([phase("head", 2, 8), batch(2, 2, loss=0.1), epoch(2, val_loss=0.1)])
    assert list(history.epochs) == [1, 2]
    assert history.epochs[2]["val_loss"] == 0.1
    assert [place for place, _, _ in history.batches] == [1.2]
    assert [(part.first_epoch, part.last_epoch) for part in history.phases] == [(1, 9)]
    assert not history.finished


def test_the_table_has_one_row_per_epoch():
    history = History().add([phase("head", 1, 2), epoch(1, val_loss=0.5), epoch(2, val_loss=None)])
    assert [dict(zip(TABLE_COLUMNS, row, strict=True))["val_loss"] for row in history.table()] == [0.5, None]
