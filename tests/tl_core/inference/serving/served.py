"""A prediction server as tests ask it: the real one in a process of its own, or its application in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from tests.test_architecture import REPOSITORY
from tl_core.inference.serving.application import ServedModel, build_application
from tl_core.inference.serving.connections import server_config
from tl_core.inference.serving.figures import ServingFigures

ADDRESS = re.compile(r"http://\S+:\d+")


class ServerProcess:
    """``python -m tl_core serve``, from its first line on."""

    def __init__(self, workspace: Path, *arguments: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tl_core", "serve", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "TL_WORKSPACE": str(workspace), **variables},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stderr is not None
        self.lines: list[str] = []
        self.url = ""
        for line in self.process.stderr:
            self.lines.append(line.strip())
            if found := ADDRESS.search(line):
                self.url = found[0]
                break

    def end(self) -> int:
        """Stop it as a supervisor of services does; gives its exit code."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once it has been told to stop."""
        assert self.process.stderr is not None
        with self.process.stderr:
            self.lines += [line.strip() for line in self.process.stderr]
        return self.process.wait(30)


@contextlib.contextmanager
def in_thread(model: ServedModel, token: str | None = None) -> Iterator[str]:
    """The application of a model behind a real port; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        application = build_application(model, token, ServingFigures())
        server = uvicorn.Server(server_config(application))
        started = threading.Event()

        async def serve() -> None:
            work = asyncio.create_task(server.serve([listening]))
            while not server.started:
                await asyncio.sleep(0)
            started.set()
            await work

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        started.wait(30)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
