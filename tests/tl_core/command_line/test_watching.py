"""What the command line prints while it trains."""

from __future__ import annotations

import pytest

from tests.tl_core.small_trainings import QUICK
from tl_core.command_line import main
from tl_core.runs import create_run, read_events, update_run
from tl_core.training import train


@pytest.mark.slow
def test_a_resumed_run_is_told_from_the_epoch_with_which_it_goes_on(workspace, dataset, monkeypatch, capsys):
    run = create_run(workspace, QUICK, dataset)

    def die_in_the_third_epoch():
        told = [event["epoch"] for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]
        if told and told[-1] == 2:
            raise SystemExit
        return False

    with pytest.raises(SystemExit):
        train(run.config, dataset.path, run.path, die_in_the_third_epoch)
    padding = "".join(f'{{"kind": "batch", "epoch": 3, "batch": {number}, "batches": 90}}\n' for number in range(90))
    with run.folder.events_file.open("a", encoding="utf-8") as file:
        file.write(padding)  # a long epoch: the log is longer than what follows

    update_run(run.path, owner=None)  # its process is gone
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))
    assert main(["resume", run.id]) == 0
    told = [line.split(":")[0] for line in capsys.readouterr().err.splitlines() if line.startswith("Epoch")]
    assert told == ["Epoch 3 of 4", "Epoch 4 of 4"]
