"""Whatever is thrown at the import costs little time and memory before it is refused or sorted out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.hostile.archives import BAD_ARCHIVES
from tests.hostile.pictures import BAD_PICTURES

SECONDS = 1.0
MEGABYTES = 50

# For each file of a folder: seconds of processor time, and by how many bytes resident memory rose above what it was.
TRY_EACH = """
import json, sys, time, warnings
from pathlib import Path
from tl_core.data.importing import import_zip
from tl_core.data.normalise import normalise_image
from tl_core.errors import TransferLearningError
from tl_core.workspace import Workspace

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
held = []
found["control"] = cost(lambda: held.append(b"x" * 80_000_000))
print(json.dumps(found))
"""


def test_every_hostile_file_gets_its_verdict_in_a_second_and_little_memory(tmp_path: Path):
    assert len(BAD_ARCHIVES) >= 25
    assert len(BAD_PICTURES) >= 25
    for kind, corpus in (("archive", BAD_ARCHIVES), ("picture", BAD_PICTURES)):
        for place, bad in enumerate(corpus):
            (tmp_path / f"{place:02d} {bad.name}.{kind}").write_bytes(bad.make())
    command = [sys.executable, "-c", TRY_EACH, str(tmp_path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    _, control = found.pop("control")
    assert len(found) == len(BAD_ARCHIVES) + len(BAD_PICTURES)
    assert {name: seconds for name, (seconds, _) in found.items() if seconds > SECONDS} == {}
    assert {name: size for name, (_, size) in found.items() if size > MEGABYTES * 1_000_000} == {}
    if sys.platform == "linux":
        assert control > 70_000_000, "memory that is taken is seen"
