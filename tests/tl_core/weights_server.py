"""A real server of weights on this machine, for tests of what is downloaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 12_000  # 3 MB


@contextmanager
def weights_server(waits_for: threading.Event | None = None) -> Iterator[str]:
    """Its address; ``/weights.h5`` is `CONTENT`, ``/cut/weights.h5`` breaks off once, everything else is not there.

    Args:
        waits_for: answers come once this is set.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if waits_for is not None:
                waits_for.wait(20)
            found = self.path in ("/weights.h5", "/cut/weights.h5")
            start = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])
            self.send_response(404 if not found else 206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(CONTENT[start : 2_000_000 if self.path.startswith("/cut") and not start else None])

        def log_message(self, *_: object):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
