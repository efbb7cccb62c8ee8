"""The process that reads one HEIC photo: ``python heic_process.py MOST_PIXELS SMALLEST < photo > png``."""

from __future__ import annotations

import io
import sys
from typing import Final

import pi_heif
from PIL import Image

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MEMORY: Final = 2_000_000_000  # bytes; a photo of 50 megapixels takes a quarter of it
LARGEST_STEP: Final = 8


def main(most_pixels: int, smallest: int) -> None:
    """Write the PNG, or exit with a status other than 0 and a sentence if it is too large."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pi_heif.register_heif_opener()
    with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=("HEIF",)) as photo:
        pixels = photo.width * photo.height
        if pixels > most_pixels:
            sys.exit(
                f"The image has {pixels / 1e6:.0f} megapixels, more than the {most_pixels / 1e6:.0f} allowed: "
                "save it with fewer pixels (training uses far fewer)."
            )
        step = 1
        while step < LARGEST_STEP and min(photo.size) >= 2 * step * smallest:
            step *= 2
        profile = photo.info.get("icc_profile")
        small = photo.reduce(step) if step > 1 else photo
        small.save(sys.stdout.buffer, "PNG", compress_level=1, icc_profile=profile, exif=b"")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
