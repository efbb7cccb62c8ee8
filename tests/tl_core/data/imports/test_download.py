from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from tl_core.data.imports.download import Download, fetch
from tl_core.errors import DataError, StoppedError
from tl_core.machine.progress import TaskContext

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A web server of this machine, with a switch for every fault a network can have."""

    url: str = ""
    content: bytes = CONTENT
    status: int = 200
    breaks_after: int | None = None  # bytes of an answer, then the connection is closed
    knows_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)  # of the requests that came


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and state.knows_ranges else 0
            body = state.content[start:]
            self.send_response(206 if start else state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if state.breaks_after is None else body[: state.breaks_after])

        def log_message(self, *args: object) -> None:
            return

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up early is part of these tests."""

    with Quiet(("127.0.0.1", 0), Handler) as httpd:
        state.url = f"http://127.0.0.1:{httpd.server_port}/file.zip"
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield state
        httpd.shutdown()
        thread.join()


def whole(server: Server) -> Download:
    return Download(server.url, len(CONTENT), SHA256)


def test_a_file_is_downloaded_checked_and_reported(server, tmp_path):
    seen: list[tuple[int, int]] = []
    path = fetch(whole(server), tmp_path / "new", TaskContext(lambda at: seen.append((at.done, at.total))))
    assert path.name == "file.zip"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_download_that_broke_off_goes_on_where_it_stopped(server, tmp_path):
    server.breaks_after = 300_000
    with pytest.raises(DataError, match="broke off after 0 of 1 MB: try again"):
        fetch(whole(server), tmp_path)
    assert not (tmp_path / "file.zip").exists()
    server.breaks_after = None
    assert fetch(whole(server), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_a_server_that_knows_no_ranges_starts_again(server, tmp_path):
    (tmp_path / "file.zip.part").write_bytes(b"old beginning")
    server.knows_ranges = False
    assert fetch(whole(server), tmp_path).read_bytes() == CONTENT


def test_a_part_of_another_file_is_found_out_and_thrown_away(server, tmp_path):
    (tmp_path / "file.zip.part").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="not the one that was published"):
        fetch(whole(server), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert fetch(whole(server), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"!", CONTENT + b"more", CONTENT * 5])
def test_another_file_than_published_is_refused_and_removed(server, tmp_path, content):
    server.content = content
    with pytest.raises(DataError, match="not the one that was published"):
        fetch(whole(server), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_checksum_the_size_is_checked(server, tmp_path):
    assert fetch(Download(server.url, len(CONTENT)), tmp_path).read_bytes() == CONTENT
    server.content = CONTENT + b"more"
    with pytest.raises(DataError, match="not the one"):
        fetch(Download(server.url, len(CONTENT)), tmp_path / "other")


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_server_that_refuses_is_named(server, tmp_path, status):
    server.status = status
    with pytest.raises(DataError, match=f"the server answered {status}"):
        fetch(whole(server), tmp_path)


def test_no_network_is_one_sentence(server, tmp_path):
    address = server.url.replace("127.0.0.1", "no-such-host.invalid")
    with pytest.raises(DataError, match="1 MB needs the network, which failed") as caught:
        fetch(Download(address, len(CONTENT), SHA256), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_stopped_download_keeps_what_has_arrived(server, tmp_path):
    seen: list[int] = []
    with pytest.raises(StoppedError, match="goes on from there"):
        fetch(whole(server), tmp_path, TaskContext(lambda at: seen.append(at.done), lambda: len(seen) > 1))
    assert (tmp_path / "file.zip.part").stat().st_size == seen[-1] < len(CONTENT)
    assert fetch(whole(server), tmp_path).read_bytes() == CONTENT


def test_two_people_asking_at_once_get_one_whole_file(server, tmp_path):
    results: list[bytes] = []

    def work() -> None:
        results.append(fetch(whole(server), tmp_path).read_bytes())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [CONTENT] * 3
    assert len(server.ranges) == 1
