"""The web application: what it answers to each request, and whom it does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tl_core.inference.calibration import Calibration
from tl_core.inference.predict import Answer
from tl_core.inference.predictor import Predictor
from tl_core.inference.serving.address import is_local
from tl_core.inference.serving.batching import Batcher
from tl_core.inference.serving.description import OPENAPI, page
from tl_core.inference.serving.figures import CONTENT_TYPE, ServingFigures
from tl_core.inference.serving.uploads import Intake, RequestError

logger = logging.getLogger(__name__)

UNEXPECTED: Final = "The server could not answer because of an unexpected error; its log says why."
_OPEN_PATHS: Final = ("/health", "/", "/openapi.json")  # without a token; they tell nothing about the model
_RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is open, and what `GET /model` tells about it."""

    predictor: Predictor
    calibration: Calibration
    facts: dict[str, Any]


def build_application(model: ServedModel, token: str | None, figures: ServingFigures) -> ASGIApp:
    """The application that answers with this model.

    Args:
        token: what a request has to bring along; None = those of this machine need none, and no others are answered.
    """
    batcher, intake = Batcher(model.predictor, model.calibration, figures.count_batch), Intake()
    figures.waiting.set_function(lambda: batcher.waiting)

    async def predict(request: Request) -> Response:
        began = time.perf_counter()
        async with intake.files_of(request) as files:
            answers = await batcher.ask(files)
        for answer in answers:
            figures.count_answer(answer)
        figures.time_prediction(time.perf_counter() - began)
        if (sentence := answers[0].error) and all(answer.error for answer in answers):
            raise RequestError(422, sentence)
        return JSONResponse({"predictions": [as_json(answer) for answer in answers]})

    async def tell_model(_request: Request) -> Response:
        return JSONResponse(model.facts)

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def metrics(_request: Request) -> Response:
        return Response(figures.as_text(), media_type=CONTENT_TYPE)

    async def describe(_request: Request) -> Response:
        return JSONResponse(OPENAPI)

    async def show_page(_request: Request) -> Response:
        text, policy = page()
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    @contextlib.asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(batcher.run())
        yield
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        batcher.close()

    routes: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("POST", "/predict", predict),
        ("GET", "/model", tell_model),
        ("GET", "/health", health),
        ("GET", "/metrics", metrics),
        ("GET", "/openapi.json", describe),
        ("GET", "/", show_page),
    ]
    application = Starlette(
        routes=[Route(path, endpoint, methods=[method]) for method, path, endpoint in routes],
        exception_handlers={RequestError: _refused, HTTPException: _no_such_request, Exception: _failed},
        lifespan=running,
    )
    return _Door(application, token, figures, frozenset(path for _, path, _ in routes))


def as_json(answer: Answer) -> dict[str, Any]:
    """One prediction; a picture that cannot be used has an ``error`` and no class."""
    if answer.error:
        nothing: dict[str, Any] = {
            "class": None,
            "probability": None,
            "probabilities": {},
            "novelty": None,
            "nearest": None,
        }
        return {**nothing, "rejected": True, "reason": answer.reason, "error": answer.error}
    name, probability = answer.ranked[0]
    return {
        "class": name,
        "probability": round(probability, 6),
        "probabilities": {name: round(share, 6) for name, share in answer.ranked},
        "rejected": not answer.answered,
        "reason": answer.reason,
        "novelty": round(answer.novelty, 4),
        "nearest": answer.nearest and answer.nearest.label,
    }


def _error(status: int, sentence: str) -> JSONResponse:
    headers = {"Retry-After": str(_RETRY_SECONDS)} if status == 503 else None
    return JSONResponse({"error": sentence}, status, headers)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101  # as registered
    return _error(error.status, str(error))


async def _no_such_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # as registered
    return _error(
        error.status_code, f"There is no {request.method} {request.url.path[:80]}: GET / lists what there is."
    )


async def _failed(_request: Request, _unexpected: Exception) -> Response:
    return _error(500, UNEXPECTED)


class _Door:
    """Lets in whoever has the token; without one, requests of this machine alone, and of no website."""

    def __init__(self, inside: ASGIApp, token: str | None, figures: ServingFigures, paths: frozenset[str]) -> None:
        self._inside, self._token, self._figures, self._paths = inside, token, figures, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inside(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._figures.count_request(path, message["status"])
            await send(message)

        refusal = self._refusal(Request(scope), path)
        await (refusal or self._inside)(scope, receive, counted)

    def _refusal(self, request: Request, path: str) -> Response | None:
        headers = request.headers
        if self._token is not None:
            given = headers.get("authorization", "").removeprefix("Bearer ").encode("latin-1")  # as it was sent
            if path in _OPEN_PATHS or hmac.compare_digest(given, self._token.encode()):
                return None
            return _error(401, "This server asks for its token: send the header “Authorization: Bearer …” with it.")
        # A website that a person of this machine visits could ask under a name of its own that leads here.
        origin = headers.get("origin")
        if is_local(_host("//" + headers.get("host", ""))) and (origin is None or is_local(_host(origin))):
            return None
        return _error(403, "This server answers to programs of this machine alone: ask it by the name localhost.")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # no address at all, such as “[”
        return ""
