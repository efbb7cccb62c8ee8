"""Stands in for the process that opens a model, and reports again and again that it is nearly ready."""

import sys

from tl_core.imported_models.sandbox.frames import write_frame

if __name__ == "__main__":
    while True:
        write_frame(sys.stdout.buffer, {"stage": "Soon"}, bytes(900_000))
