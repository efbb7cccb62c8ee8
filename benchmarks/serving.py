"""A model behind HTTP: requests a second with one small JPEG each, and how long they take at half of that."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.results import Result, ratios
from benchmarks.session import REPOSITORY, BenchmarkError, Measured, Session
from benchmarks.synthetic import Kind, draw_picture, encode, make_dataset, share_dataset
from benchmarks.training import train_with_engine
from tl_core.config import TrainingConfig

SIZE: Final = 224
CLIENTS: Final = 16  # connections at a time
REQUESTS: Final = 2000
AT_HALF: Final = 100  # requests a second for the second row
_BOUNDARY: Final = b"a-boundary"
_ADDRESS: Final = re.compile(r"http://[\d.]+:(\d+)")


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    room, size = session.workspace(), session.pick(SIZE, 32)
    dataset = share_dataset(make_dataset(session.store, Kind(images=40)), room)
    config = TrainingConfig(epochs=1, image_size=size).to_dict()
    trained = session.measure(train_with_engine, dataset=dataset.path, workspace=room.root, config=config)
    photo = session.folder / "small.jpg"
    photo.write_bytes(encode(draw_picture(np.random.default_rng(1), 1, SIZE, SIZE), "JPEG", quality=90))
    work = {"run": trained["run"], "photo": photo, "requests": session.pick(REQUESTS, 20)}
    ours, faster, theirs = [], [], []
    for _ in session.rounds():
        ours.append(session.measure(ask_server, **work))
        faster.append(session.measure(ask_server, **work | {"precision": "auto"}))
        theirs.append(session.measure(ask_by_hand, **work | {"requests": session.pick(REQUESTS // 50, 20)}))
    mine, hand = (tuple(float(one["rate"]) for one in runs) for runs in (ours, theirs))
    yield Result(
        name="serving",
        program=session.program,
        title=f"requests/s of one {SIZE} px JPEG each, {CLIENTS} at a time",
        against="a hand-written endpoint that calls the Keras model",
        target=2,
        unit="x",
        values=ratios(mine, hand),
        ours=mine,
        theirs=hand,
        measured_in="/s",
        note="EfficientNet-Lite0; client and server share the cores. By hand: Starlette, Pillow and model(x) in its "
        "pool of threads.",
    )
    for suffix, title, measured in (
        ("", "the same", ours),
        ("_bfloat16", "the same, `--precision auto`: bfloat16 where the CPU has it", faster),
    ):
        yield Result(
            name=f"serving_rate{suffix}",
            program=session.program,
            title=title,
            against="",
            target=200,
            unit="/s",
            values=tuple(float(one["rate"]) for one in measured),
        )
        yield Result(
            name=f"serving_p99{suffix}",
            program=session.program,
            title=f"{title}, {AT_HALF} requests/s: time that 99 of 100 stay below",
            against="",
            target=100,
            unit="ms",
            at_least=False,
            values=tuple(1000 * float(one["p99"]) for one in measured),
        )


def ask_server(run: str, photo: str, requests: int, precision: str = "float32") -> Measured:
    """Our server, in a process of its own."""
    folder = Path(run)
    environment = {**os.environ, "TL_WORKSPACE": str(folder.parent.parent)}
    command = [sys.executable, "-m", "tl_core", "serve", folder.name, "--port", str(_free_port())]
    command += ["--precision", precision]
    return _measure(command, environment, Path(photo).read_bytes(), requests)


def ask_by_hand(run: str, photo: str, requests: int) -> Measured:
    """The same model file behind an endpoint as people write it."""
    command = [sys.executable, "-m", "benchmarks.serving", str(Path(run) / "best.keras"), str(_free_port())]
    return _measure(command, dict(os.environ), Path(photo).read_bytes(), requests)


def _measure(command: Sequence[str], environment: dict[str, str], photo: bytes, requests: int) -> Measured:
    with _served(command, environment) as port:
        asyncio.run(_at_once(port, photo, CLIENTS))  # warm
        began = time.perf_counter()
        asyncio.run(_at_once(port, photo, requests))
        rate = requests / (time.perf_counter() - began)
        seconds = asyncio.run(_at_rate(port, photo, min(requests, 5 * AT_HALF)))
    return {"rate": rate, "p99": float(np.percentile(seconds, 99)), "p50": float(np.percentile(seconds, 50))}


@contextlib.contextmanager
def _served(command: Sequence[str], environment: dict[str, str]) -> Iterator[int]:
    server = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = ""
        for line in server.stderr:
            said += line
            if found := _ADDRESS.search(line):
                yield int(found[1])
                break
        else:
            raise BenchmarkError(f"The server did not start:\n{said[-2000:]}")
    finally:
        server.terminate()
        server.stderr.close()
        server.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def _connection(port: int, photo: bytes) -> AsyncIterator[Any]:
    """Asks once per call and returns the seconds; as cheap as it can be, for it shares the cores."""
    head = b'Content-Disposition: form-data; name="images"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    body = b"--" + _BOUNDARY + b"\r\n" + head + photo + b"\r\n--" + _BOUNDARY + b"--\r\n"
    request = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary="
        + _BOUNDARY
        + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask() -> float:
        began = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        if not answer.startswith(b"HTTP/1.1 200") or length is None:
            raise BenchmarkError(f"The server answered {answer[:200]!r}")
        json.loads(await reader.readexactly(int(length[1])))["predictions"][0]["class"]
        return time.perf_counter() - began

    try:
        yield ask
    finally:
        writer.close()


async def _at_once(port: int, photo: bytes, requests: int) -> None:
    left = iter(range(requests))

    async def client() -> None:
        async with _connection(port, photo) as ask:
            for _ in left:
                await ask()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def _at_rate(port: int, photo: bytes, requests: int) -> list[float]:
    """Seconds of each request, counted from when it was due."""
    began, left, seconds = time.perf_counter() + 0.1, iter(range(requests)), []

    async def client() -> None:
        async with _connection(port, photo) as ask:
            for number in left:
                due = began + number / AT_HALF
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await ask()
                seconds.append(time.perf_counter() - due)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return seconds


def serve_by_hand(model_file: str, port: int) -> None:
    """The endpoint that one writes first."""
    import keras
    import uvicorn
    from PIL import Image
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.datastructures import UploadFile
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    model = keras.models.load_model(model_file)
    size = model.input_shape[1:3]

    def classify(data: bytes) -> dict[str, Any]:
        image = Image.open(io.BytesIO(data)).convert("RGB").resize(size, Image.Resampling.BILINEAR)
        probabilities = np.asarray(model(np.asarray(image, np.float32)[np.newaxis], training=False))[0]
        return {"class": int(probabilities.argmax()), "probability": float(probabilities.max())}

    async def predict(request: Request) -> JSONResponse:
        async with request.form() as form:
            files = [await value.read() for value in form.getlist("images") if isinstance(value, UploadFile)]
        return JSONResponse({"predictions": [await run_in_threadpool(classify, data) for data in files]})

    application = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    uvicorn.run(application, port=port, access_log=False)  # says its address on standard error


if __name__ == "__main__":
    serve_by_hand(sys.argv[1], int(sys.argv[2]))
