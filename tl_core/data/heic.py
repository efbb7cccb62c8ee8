"""HEIC photos, as iPhones take them: turned into PNG by a process of its own.

The decoder is libheif, through pi-heif. Some damaged files end the process that gives them to it; here that is one
photo that cannot be read, and not the server. pi-heif only reads: pillow-heif would bring an encoder under the GPL.
"""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import Final

from tl_core.errors import ImageError
from tl_core.machine.child_process import end_process, start_python

SECONDS: Final = 30.0  # for one photo; a telephone's takes half a second
KEPT: Final = 8  # photos; a page asks for the same one several times
_PROGRAM: Final = Path(__file__).with_name("heic_process.py")
_DAMAGED: Final = "The HEIC photo is damaged or cut off and cannot be read: bring it anew, or export it as JPEG."


@functools.lru_cache(maxsize=KEPT)
def heic_as_png(data: bytes, most_pixels: int, short_side: int) -> bytes:
    """The first picture of a HEIC file as PNG: upright, with its colour profile, and without its other metadata.

    Args:
        data: the file, not trusted.
        most_pixels: that it may have, by its header.
        short_side: a larger picture is halved as often as its short side stays at least twice this, in pixels.

    Raises:
        ImageError: it cannot be read, or has too many pixels.
    """
    words = ["-P", str(_PROGRAM), str(most_pixels), str(2 * short_side)]
    pipe = subprocess.PIPE
    process = start_python(words, os.environ, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        png, said = process.communicate(data, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ImageError(_DAMAGED) from None
    finally:
        end_process(process, grace=0)
    if process.returncode or not png:
        sentence = said.decode(errors="replace").strip() if process.returncode == 1 else ""
        raise ImageError(sentence if sentence.startswith("The image has ") else _DAMAGED)
    return png
