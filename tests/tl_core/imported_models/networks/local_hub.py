"""Kaggle Models and Hugging Face as one local server: their APIs, the redirections to a store of files, ranges,
checksums, and their failures."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

API = "/v1/models.ModelApiService/"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SEPARATOR = "/-/"  # in the addresses of the store, before a file of Hugging Face


class LocalHub:
    """What the server has, and how it fails."""

    def __init__(self, networks: dict[str, Path]) -> None:
        self.networks = networks  # by owner/model/variation, at Hugging Face by owner/name
        self.version = 1
        self.cut: dict[str, int] = {}  # file -> bytes after which its first connection ends
        self.refusals: list[int] = []  # statuses of the next answers of an API
        self.damaged: set[str] = set()  # files whose content is not what their checksum says
        self.asked: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.url = ""


def _listed(path: Path) -> dict[str, Any]:
    """A file as Hugging Face lists it; what is large has its checksum."""
    values: dict[str, Any] = {"rfilename": path.name, "size": path.stat().st_size, "blobId": COMMIT}
    if path.suffix == ".h5":
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        values["lfs"] = {"sha256": digest, "size": path.stat().st_size, "pointerSize": 134}
    return values


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

        def do_HEAD(self) -> None:
            self._of_hugging_face(unquote(urlsplit(self.path).path))

        def do_GET(self) -> None:
            name = unquote(urlsplit(self.path).path)
            if not name.startswith("/store/"):
                return self._of_hugging_face(name)
            name, _, file = name.removeprefix("/store/").partition(SEPARATOR)
            if not file:
                owner, model, variation, *rest = name.split("/")
                name, file = f"{owner}/{model}/{variation}", "/".join(rest)
            return self._send(file, (hub.networks[name] / file).read_bytes())

        def _of_hugging_face(self, path: str) -> None:
            """``/api/models/owner/name`` lists the files, ``/owner/name/resolve/revision/file`` leads to one."""
            parts = path.removeprefix("/api/models/").strip("/").split("/")
            name, folder = "/".join(parts[:2]), hub.networks.get("/".join(parts[:2]))
            hub.asked[f"{self.command} {path}"] += 1
            if hub.refusals and path.startswith("/api/models/"):
                return self._json({"error": "No"}, hub.refusals.pop(0))
            if folder is None:  # the real one says so to people who are not logged in
                return self._json({"error": "Repository not found"}, 401, {"X-Error-Code": "RepoNotFound"})
            if path.startswith("/api/"):
                files = [path for path in sorted(folder.iterdir()) if path.is_file()]
                return self._json({"id": name, "sha": COMMIT, "siblings": [_listed(path) for path in files]})
            file = "/".join(parts[4:])
            if not (folder / file).is_file():
                return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            data = (folder / file).read_bytes()
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
            if not file.endswith(".h5"):
                return self._send(file, data, headers)
            linked = {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(data))}
            self.send_response(302)
            for key, value in (headers | linked).items():
                self.send_header(key, value)
            store = hub.url.replace("127.0.0.1", "localhost")  # another host, as the real one's
            self.send_header("Location", f"{store}/store/{name}{SEPARATOR}{file}")
            self.send_header("Content-Length", "0")
            return self.end_headers()

        def _send(self, file: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
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
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            end = hub.cut.pop(file, len(data))
            self.wfile.write(data[start:end])
            self.close_connection = True

        def _json(self, values: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
            body = json.dumps(values).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
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
