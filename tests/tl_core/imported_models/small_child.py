"""Stands in for the process that opens a model: starts in no time, and does what the first pixel selects."""

from __future__ import annotations

import os
import sys
import threading

from tl_core.imported_models.sandbox.frames import read_frame, write_frame

ANSWERS, DIES, HANGS, GROWS, TOO_SHORT, NO_NUMBER, NONSENSE = range(7)


def main() -> None:
    out = sys.stdout.buffer
    write_frame(out, {"stage": "Opening the model"})
    write_frame(out, {"ready": True})
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        values, data = frame
        images = values["shape"][0]
        what = data[0]
        if what == DIES:
            os.abort()
        kept = bytearray(300_000_000) if what == GROWS else b""
        if what in (HANGS, GROWS):
            threading.Event().wait()
        if what == NONSENSE:
            out.write(b"\xff" * 1000)
            out.flush()
            continue
        row = b"\0\0\xc0\x7f" * 2 if what == NO_NUMBER else b"\0\0\0\0\0\0\x80?"  # NaN twice, or 0 and 1
        write_frame(out, {"shape": [images, 2]}, row * (images - (what == TOO_SHORT)))
        del kept


if __name__ == "__main__":
    main()
