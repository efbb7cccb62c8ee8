"""The messages between the server and the process with an imported model: a few values, and an array's bytes."""

from __future__ import annotations

import json
import struct
from typing import IO, Any, Final

_HEAD: Final = struct.Struct("<II")  # lengths of the values as JSON, and of the bytes
MOST_VALUES: Final = 100_000  # bytes of JSON
MOST_BYTES: Final = 256_000_000  # of a question

Frame = tuple[dict[str, Any], bytes]


def write_frame(stream: IO[bytes], values: dict[str, Any], data: bytes = b"") -> None:
    """Send one frame.

    Raises:
        OSError: the other side has closed.
    """
    text = json.dumps(values).encode()
    stream.write(_HEAD.pack(len(text), len(data)) + text)
    stream.write(data)
    stream.flush()


def read_frame(stream: IO[bytes], most_bytes: int = MOST_BYTES) -> Frame | None:
    """The next frame; None where the other side has ended, or breaks the format.

    Args:
        stream: what the other side writes to.
        most_bytes: an array may have.
    """
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, size = _HEAD.unpack(head)
    if length > MOST_VALUES or size > most_bytes:
        return None
    text, data = stream.read(length), stream.read(size)
    if len(text) < length or len(data) < size:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return (values, data) if isinstance(values, dict) else None
