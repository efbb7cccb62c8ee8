"""Whatever is thrown at the import costs little time and memory before it is refused or sorted out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.archives import BAD_ARCHIVES
from tests.hostile.bad_models import BAD_MODELS
from tests.hostile.names import BAD_NAMES
from tests.hostile.pictures import BAD_PICTURES

SECONDS = 1.0
SECONDS_OF_A_MODEL = 0.1  # until the static check has refused it
MEGABYTES = 50

# For each file of a folder: seconds of processor time, and by how many bytes resident memory rose above what it was.
TRY_EACH = """
import json, sys, time, warnings
from pathlib import Path
from tl_core.imported_models.importing import import_model
from tl_core.imported_models.model_server import close_imported_model, hold_open
from tl_core.data.imports.importing import import_zip
from tl_core.data.normalise import normalise_image
from tl_core.errors import TransferLearningError
from tl_core.storage.workspace import Workspace

warnings.simplefilter("ignore")
status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")

def resident(field):
    if not status.exists():
        return 0
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(field))

def cost(action):
    if reset.exists():
        reset.write_text("5")  # the peak is counted anew
    before, started = resident("VmRSS"), time.process_time()
    try:
        action()
    except TransferLearningError:
        pass
    return [time.process_time() - started, resident("VmHWM") - before]

folder = Path(sys.argv[1])
workspace = Workspace(folder / "workspace")
found = {}
for path in sorted(folder.glob("*.archive")):
    found[path.name] = cost(lambda: import_zip(workspace, path, "bad"))
for path in sorted(folder.glob("*.picture")):
    data = path.read_bytes()
    found[path.name] = cost(lambda: normalise_image(data))
for path in sorted(folder.glob("*.model")):
    names = json.loads(path.with_suffix(".names").read_text())
    found[path.name] = cost(lambda: import_model(workspace, path, "bad.keras", names))
for path in sorted(folder.glob("*.opened")):
    model = import_model(workspace, path, "bad.keras", ["blue", "red"])
    found[path.name] = cost(lambda: hold_open(model))
close_imported_model()
assert "keras" not in sys.modules and "h5py" not in sys.modules
held = []
found["control"] = cost(lambda: held.append(b"x" * 80_000_000))
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_every_hostile_file_gets_its_verdict_in_a_second_and_little_memory(tmp_path: Path):
    assert len(BAD_ARCHIVES) >= 25
    assert len(BAD_PICTURES) >= 25
    static = [bad for bad in BAD_MODELS if not bad.child]
    # The others need TensorFlow in the process that opens them: tests/tl_core/imported_models/test_answering.py.
    opened = [bad for bad in BAD_MODELS if bad.child and not bad.by_keras]
    assert len(static) >= 20
    assert len(BAD_NAMES) >= 15
    named = [(f"{bad.about} {how}", make) for bad in BAD_NAMES for how, make in ways(bad)]
    for kind, corpus in (
        ("archive", [(bad.name, bad.make) for bad in BAD_ARCHIVES] + named),
        ("picture", [(bad.name, bad.make) for bad in BAD_PICTURES]),
        ("model", [(bad.name, bad.make) for bad in static]),
        ("opened", [(bad.name, bad.make) for bad in opened]),
    ):
        for place, (name, make) in enumerate(corpus):
            (tmp_path / f"{place:02d} {name}.{kind}").write_bytes(make())
    for place, bad in enumerate(static):
        (tmp_path / f"{place:02d} {bad.name}.names").write_text(json.dumps(bad.names))
    command = [sys.executable, "-c", TRY_EACH, str(tmp_path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    _, control = found.pop("control")
    assert len(found) == len(BAD_ARCHIVES) + len(named) + len(BAD_PICTURES) + len(static) + len(opened)
    slow = {name: seconds for name, (seconds, _) in found.items() if name.endswith(".model")}
    assert {name: seconds for name, seconds in slow.items() if seconds > SECONDS_OF_A_MODEL} == {}
    assert {name: seconds for name, (seconds, _) in found.items() if seconds > SECONDS} == {}
    assert {name: size for name, (_, size) in found.items() if size > MEGABYTES * 1_000_000} == {}
    if sys.platform == "linux":
        assert control > 70_000_000, "memory that is taken is seen"


def ways(bad):
    return [("as class", bad.as_class), ("as file", bad.as_file)]
