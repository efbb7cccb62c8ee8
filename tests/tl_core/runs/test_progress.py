"""Where a run stands, folded from its events."""

from __future__ import annotations

from tl_core.runs import RunProgress


def _history() -> list[dict]:
    return [
        {"t": 100.0, "kind": "phase", "phase": "features", "text": "Running the backbone once"},
        {"t": 101.0, "kind": "progress", "phase": "features", "done": 30, "total": 120, "images_per_second": 30.0},
        {"t": 104.0, "kind": "phase", "phase": "head", "text": "Head", "epochs": 2, "steps": 4, "first_epoch": 1},
        {
            "t": 105.0,
            "kind": "batch",
            "phase": "head",
            "epoch": 1,
            "batch": 2,
            "batches": 4,
            "loss": 1.0,
            "accuracy": 0.5,
        },
        {
            "t": 106.0,
            "kind": "epoch",
            "phase": "head",
            "epoch": 1,
            "val_loss": 0.9,
            "val_accuracy": 0.6,
            "best": True,
        },
        {
            "t": 108.0,
            "kind": "epoch",
            "phase": "head",
            "epoch": 2,
            "val_loss": 1.1,
            "val_accuracy": 0.5,
            "best": False,
        },
        {
            "t": 109.0,
            "kind": "phase",
            "phase": "fine_tune",
            "text": "Fine",
            "epochs": 3,
            "steps": 4,
            "first_epoch": 3,
        },
    ]


def test_progress_follows_the_events():
    progress = RunProgress().add(_history()[:2])
    assert (progress.fraction, progress.images, progress.images_total) == (0.25, 30, 120)
    assert progress.remaining_seconds(now=101.0) == 3.0
    progress.add(_history()[2:4])
    assert (progress.epoch, progress.epochs, progress.batch, progress.fraction) == (1, 2, 2, 0.25)
    assert progress.images_total == 0
    assert progress.current == {"loss": 1.0, "accuracy": 0.5}
    progress.add(_history()[4:])
    assert progress.best == {"epoch": 1, "val_loss": 0.9, "val_accuracy": 0.6}
    assert (progress.phase, progress.epochs, progress.fraction) == ("fine_tune", 5, 0.0)
    assert progress.elapsed_seconds(now=110.0) == 10.0
    progress.add([{"t": 111.0, "kind": "end", "status": "done", "text": "Done"}])
    assert progress.finished
    assert progress.elapsed_seconds(now=999.0) == 11.0
