"""``python -m benchmarks.pytorch``: the trunk against PyTorch, channels last, in float32 and, if it can, bfloat16.

Makes a virtual environment with PyTorch the first time (about 1 GB; set ``PIP_INDEX_URL`` or ``PIP_FIND_LINKS`` if
pip is to take its CPU build from elsewhere), measures for about eight minutes, and adds its rows to
``benchmarks/results.json`` and ``RESULTS.md``. Not part of ``python -m benchmarks``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.machine import NO_BFLOAT16, describe_machine, has_bfloat16, today
from benchmarks.programs import ORDER
from benchmarks.report import quantity, write_report
from benchmarks.results import Result, Results, ratios
from benchmarks.session import PAIRS, REPOSITORY, BenchmarkError, Measured, Session
from benchmarks.trunk_throughput import TARGETS, Target, compiled_trunk
from tl_core.backbones.registry import get_backbone

HERE: Final = Path(__file__).parent
ENVIRONMENT: Final = Path.home() / ".cache" / "transfer-learning-benchmarks" / "pytorch"
PRECISIONS: Final = {"float32": "float32", "bfloat16": "auto"}  # PyTorch's -> what the engine is asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the rows."""
    options = _parser().parse_args(arguments)
    python = _environment(options.environment)
    folder = options.output or (
        HERE.parent if not options.quick else Path(tempfile.gettempdir()) / "benchmarks-quick"
    )
    results = Results(folder)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        session = Session(Path(scratch), pairs=1 if options.quick else PAIRS, quick=options.quick, program="pytorch")
        for row in run(session, python):
            results.keep(replace(row, where=describe_machine(), date=today(), quick=options.quick), ORDER)
            write_report(folder, list(results.read().values()))
            told = quantity(row.median, row.unit) if row.values else row.unavailable
            session.say(f"{row.name}: {told}")
    return 0


def run(session: Session, python: Path) -> Iterator[Result]:
    """Measure the rows: each backbone in each precision."""
    for target in TARGETS:
        size = session.pick(get_backbone(target.backbone).image_size, 32)
        images = session.pick(target.images, 32)
        for theirs, ours in PRECISIONS.items():
            row = _row(target, theirs)
            if theirs == "bfloat16" and not has_bfloat16():
                yield replace(row, unavailable=NO_BFLOAT16)
                continue
            trunks: list[Measured] = []
            torches: list[Measured] = []
            for _ in session.rounds():
                work = {"backbone": target.backbone, "size": size, "images": images}
                trunks.append(session.measure(compiled_trunk, **work, precision=ours))
                torches.append(_in_pytorch(python, target.backbone, size, images, theirs))
            yield _filled(row, trunks, torches)


def _row(target: Target, precision: str) -> Result:
    return Result(
        name=f"pytorch_{target.backbone}_{precision}",
        program="pytorch",
        title=f"trunk throughput, {get_backbone(target.backbone).title}, {precision}",
        against=f"PyTorch, channels last, {precision}",
        target=1.0,
        unit="x",
        measured_in="images/s",
    )


def _filled(row: Result, trunks: Sequence[Measured], torches: Sequence[Measured]) -> Result:
    ours, theirs = (tuple(float(one["images_per_second"]) for one in side) for side in (trunks, torches))
    note = (
        f"PyTorch {torches[0]['torch']} in eager inference mode, batches of 32, the same architecture with random "
        f"weights, one batch to warm up. Ours ran on {trunks[0]['text']}."
    )
    return replace(row, values=ratios(ours, theirs), ours=ours, theirs=theirs, note=note)


def _in_pytorch(python: Path, backbone: str, size: int, images: int, precision: str) -> Measured:
    command = [str(python), "-m", "benchmarks.pytorch.contender", backbone, str(size), str(images), precision]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"PyTorch failed:\n{done.stderr[-2000:]}")
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def _environment(folder: Path) -> Path:
    """The Python of an environment with PyTorch, made if it is not there."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = folder / "ready"
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-r", str(HERE / "requirements.txt")], check=True)
        ready.touch()
    return python


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pytorch", description="Compare with PyTorch.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: tiny sizes, figures that mean nothing")
    parser.add_argument("--output", type=Path, help="folder of results.json and RESULTS.md")
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where PyTorch is installed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
