"""Stands in for the process that opens a model, and says that it is about to be ready, again and again."""

import sys

from tl_core.imported_models.sandbox.frames import write_frame

if __name__ == "__main__":
    while True:
        write_frame(sys.stdout.buffer, {"stage": "Soon"}, bytes(900_000))
