"""The image files of a request, from a form or from JSON, within bounds: what is over them is never kept."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from tl_core.errors import TransferLearningError

FIELD: Final = "images"  # of a form, repeated; in JSON a list
MOST_IMAGES: Final = 64  # of one request
MOST_BYTES: Final = 64_000_000  # of one request; a picture may have 25 MB, as on the pages
MOST_HELD: Final = 256_000_000  # bytes of all requests at a time
READ_SECONDS: Final = 60.0  # for the whole body
MOST_PARTS: Final = 200_000  # lists, objects and commas of a JSON; base64 has none
_PIECE: Final = 1 << 18  # bytes
_DISCARDED: Final = (
    4 * MOST_BYTES
)  # bytes of a body too large that are read and thrown away, so that its sender listens


class RequestError(TransferLearningError):
    """A request that is not answered with predictions.

    Args:
        status: of HTTP, 400 to 599.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Intake:
    """Reads the files of requests; those that are read or answered at a time take a bounded memory."""

    def __init__(self) -> None:
        self.held = 0  # bytes

    @contextlib.asynccontextmanager
    async def files_of(self, request: Request) -> AsyncIterator[list[bytes]]:
        """The image files of a request, counted as held until the block is left.

        Raises:
            RequestError: there are none or too many, they are too large or in no form that is understood, or the
                server is busy.
        """
        pieces = _Pieces(self)
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind not in _READERS:
                raise RequestError(
                    415,
                    f"Images are sent as a form (multipart/form-data, field “{FIELD}”) or as JSON "
                    f"(application/json), not as {kind[:80] or 'a body of no type'}: change the header Content-Type.",
                )
            files = await _READERS[kind](request, await pieces.read(request))
            if not files:
                raise RequestError(422, f"There is no image in the request: send at least one as “{FIELD}”.")
            if len(files) > MOST_IMAGES:
                raise _too_many(len(files))
            yield files
        finally:
            pieces.release()


class _Pieces:
    """The body of one request as it arrives."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._length = 0

    def release(self) -> None:
        """What it took is free again."""
        self._intake.held -= self._length
        self._length = 0

    async def read(self, request: Request) -> bytes:
        """The whole body."""
        kept, seen = bytearray(), 0
        refusal = _refusal_by_length(request)
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for piece in request.stream():
                    seen += len(piece)
                    refusal = refusal or self._refusal(seen, len(piece))
                    if refusal is None:
                        kept += piece
                        self._length += len(piece)
                        self._intake.held += len(piece)
                    elif seen > _DISCARDED:
                        break
                    else:
                        kept.clear()
        except TimeoutError:
            raise RequestError(
                408, f"The images did not arrive within {READ_SECONDS:.0f} s: send fewer or smaller ones at a time."
            ) from None
        except ClientDisconnect:
            raise RequestError(400, "The connection ended before all images had arrived: send them again.") from None
        if refusal is not None:
            raise refusal
        return bytes(kept)

    def _refusal(self, seen: int, more: int) -> RequestError | None:
        if seen > MOST_BYTES:
            return _too_large(seen)
        if self._intake.held + more > MOST_HELD:
            return RequestError(503, "The server is busy with many images at a time: try again in a moment.")
        return None


def _refusal_by_length(request: Request) -> RequestError | None:
    declared = request.headers.get("content-length", "")
    return _too_large(int(declared)) if declared.isdecimal() and int(declared) > MOST_BYTES else None


def _too_large(size: int) -> RequestError:
    return RequestError(
        413,
        f"The request has {size / 1e6:,.0f} MB or more, over the {MOST_BYTES / 1e6:.0f} MB allowed: send fewer or "
        "smaller images at a time.",
    )


def _too_many(count: int) -> RequestError:
    return RequestError(
        413, f"The request has {count:,} images or more, over the {MOST_IMAGES} allowed: send fewer at a time."
    )


async def _from_form(request: Request, body: bytes) -> list[bytes]:
    places = iter(range(0, len(body), _PIECE))  # in pieces, of which the parser holds one more copy each

    async def replay() -> Message:
        start = next(places, len(body))
        if start:
            await asyncio.sleep(0)  # other requests are answered meanwhile
        return {"type": "http.request", "body": body[start : start + _PIECE], "more_body": start < len(body)}

    form = Request(request.scope, replay)
    try:
        async with form.form(max_files=MOST_IMAGES, max_fields=1) as fields:
            for name, value in fields.multi_items():
                if name != FIELD or not isinstance(value, UploadFile):
                    kind = "file" if isinstance(value, UploadFile) else "text"
                    raise RequestError(
                        422,
                        f"Images are sent as files in the field “{FIELD}”, with curl as {FIELD}=@photo.jpg. Received "
                        f"a {kind} in the field “{name[:80]}”.",
                    )
            return [await value.read() for value in fields.getlist(FIELD) if isinstance(value, UploadFile)]
    except (HTTPException, MultiPartException, UnicodeError) as error:  # the last: names in a strange charset
        message = str(getattr(error, "detail", "") or getattr(error, "message", "its names are no text"))
        if "files" in message:
            raise _too_many(MOST_IMAGES + 1) from error
        if "fields" in message:
            message = "it has texts beside the images"
        raise RequestError(
            400, f"The form cannot be read ({message[:200].rstrip('.')}): send files in the field “{FIELD}”."
        ) from error


async def _from_json(_request: Request, body: bytes) -> list[bytes]:
    return await asyncio.to_thread(_read_json, body)  # other requests are answered meanwhile


def _read_json(body: bytes) -> list[bytes]:
    if sum(map(body.count, (b"[", b"{", b","))) > MOST_PARTS:  # each would take a hundred times its place
        raise RequestError(422, f'The JSON has far more parts than images: send {{"{FIELD}": ["…base64…"]}} alone.')
    try:
        given = json.loads(body, strict=False)  # `base64` breaks its lines, and a script puts them in as they are
    except (ValueError, RecursionError) as error:
        raise RequestError(400, 'The body is no JSON: send {"images": ["…base64…"]}.') from error
    images = given.get(FIELD) if isinstance(given, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise RequestError(422, f'The JSON has no list of texts “{FIELD}”: send {{"{FIELD}": ["…base64…"]}}.')
    return [_decoded(image, number) for number, image in enumerate(images, start=1)]


def _decoded(text: str, number: int) -> bytes:
    start, comma, rest = text.partition(",")
    encoded = rest if comma and start.startswith("data:") else text  # as a page has it: data:image/png;base64,…
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(422, f"Image {number} is not in base64: encode the bytes of its file.") from error


_READERS: Final[dict[str, Any]] = {"multipart/form-data": _from_form, "application/json": _from_json}
