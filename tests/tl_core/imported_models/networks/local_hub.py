"""Kaggle Models as a local server: its API, the redirection to a store of files, ranges, checksums, and its
failures."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

API = "/v1/models.ModelApiService/"


class LocalHub:
    """What the server has, and how it fails."""

    def __init__(self, networks: dict[str, Path]) -> None:
        self.networks = networks  # by owner/model/variation
        self.version = 1
        self.cut: dict[str, int] = {}  # file -> bytes after which its first connection ends
        self.refusals: list[int] = []  # statuses of the next answers of the API
        self.damaged: set[str] = set()  # files whose content is not what their checksum says
        self.asked: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.url = ""


@contextlib.contextmanager
def local_hub(networks: dict[str, Path]) -> Iterator[LocalHub]:
    """A running one."""
    hub = LocalHub(networks)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            request = self.path.removeprefix(API)
            hub.asked[request] += 1
            if hub.refusals:
                return self._json({"code": hub.refusals[0], "message": "No"}, hub.refusals.pop(0))
            name = "/".join(asked[key] for key in ("ownerSlug", "modelSlug", "instanceSlug"))
            if name not in hub.networks:
                return self._json({"code": 404, "message": "Not found"}, 404)
            folder = hub.networks[name]
            if request == "GetModelInstance":
                return self._json({"versionNumber": hub.version, "slug": asked["instanceSlug"]})
            if request == "ListModelInstanceVersionFiles":
                files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
                listed = [{"name": str(path.relative_to(folder)), "size": path.stat().st_size} for path in files]
                return self._json({"files": listed, "nextPageToken": ""})
            self.send_response(302)
            self.send_header("Location", f"{hub.url}/store/{name}/{asked.get('path', '')}?tf-hub-format=compressed")
            self.send_header("Content-Length", "0")
            return self.end_headers()

        def do_GET(self) -> None:
            name = unquote(urlsplit(self.path).path).removeprefix("/store/")
            owner, model, variation, *rest = name.split("/")
            file = "/".join(rest)
            data = (hub.networks[f"{owner}/{model}/{variation}"] / file).read_bytes()
            digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            if file in hub.damaged:
                hub.damaged.remove(file)
                data = bytes(len(data))
            start = 0
            if asked := self.headers.get("Range"):
                hub.ranges.append(f"{file} {asked}")
                start = int(asked.removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("X-Goog-Hash", f"crc32c=AAAAAA==,md5={digest}")
            self.end_headers()
            end = hub.cut.pop(file, len(data))
            self.wfile.write(data[start:end])
            self.close_connection = True

        def _json(self, values: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(values).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
