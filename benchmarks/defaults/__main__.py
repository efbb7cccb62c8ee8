"""``python -m benchmarks.defaults``: run the comparison and write its page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    """Run and write, or write again from the figures of the last run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.defaults", description=__doc__)
    parser.add_argument(
        "--write-only", action="store_true", help="write the page from docs/defaults.json, run nothing"
    )
    parser.add_argument("--threads", type=int, default=2, help="processor cores to use (default 2)")
    arguments = parser.parse_args()
    figures = DOCS / "defaults.json"
    found = json.loads(figures.read_text(encoding="utf-8"))
    if not arguments.write_only:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        from benchmarks.defaults.study import run_study

        found = run_study(found, lambda line: print(line, flush=True))
        figures.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    from benchmarks.defaults.document import write_document

    (DOCS / "defaults.md").write_text(write_document(found), encoding="utf-8")


if __name__ == "__main__":
    main()
