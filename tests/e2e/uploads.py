"""What the server keeps of uploads: zips imported one after the other in one tab, then the tab is closed.

``python -m tests.e2e.uploads 50 40`` imports 50 zips of 40 MB each and prints the memory of the server.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import psutil
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.e2e.application import App, serve
from tests.e2e.visitor import Visit, ask, visiting

REMEMBERED_SECONDS: Final = 5  # that the server remembers a closed tab
PATIENCE_SECONDS: Final = 60.0  # for an import, and for memory to fall after the tab was closed
_POLL_SECONDS: Final = 0.2


def main() -> None:
    """Print the server's memory after every fifth upload, and after the tab was closed."""
    uploads, megabytes = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        app_settings = {"STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": str(REMEMBERED_SECONDS)}
        with serve(Path(folder), app_settings) as app:
            measure(app, uploads, megabytes * 1_000_000)


def measure(app: App, uploads: int, size: int) -> None:
    """Import so many zips of ``size`` bytes in one tab, and print what the server holds above its start."""
    server = psutil.Process(app.process.pid)
    with visiting(app.url) as visit:
        visit.open("Data")
        import_zip(app, visit, 0, 100_000)  # what is loaded for the first import stays
        start = server.memory_info().rss
        for number in range(1, uploads + 1):
            import_zip(app, visit, number, size)
            if number % 5 == 0 or number == uploads:
                _print(f"after {number} uploads", server, start)
    closed = time.monotonic()
    while time.monotonic() - closed < PATIENCE_SECONDS and server.memory_info().rss - start > size:
        time.sleep(_POLL_SECONDS)
    _print(f"{time.monotonic() - closed:.0f} s after the tab was closed", server, start)


def _print(when: str, server: psutil.Process, start: int) -> None:
    print(f"{when}: {(server.memory_info().rss - start) / 1e6:+.0f} MB", flush=True)  # noqa: T201


def import_zip(app: App, visit: Visit, number: int, size: int) -> None:
    """Upload a zip into the Data page and import it, until it is there."""
    content, file_id = zip_of(number, size), f"file-{number}"
    before = len(list(app.workspace.datasets.glob("*-*")))
    assert send_file(app, visit.session_id, file_id, content) == 204
    choose(visit, "A zip file with one folder per class", file_id, f"{number}.zip", len(content))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len([path for path in app.workspace.datasets.glob("*-*") if not path.name.startswith(".")]) <= before:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Import {number} did not end.")
        time.sleep(_POLL_SECONDS)
    visit.open("Data")


def choose(visit: Visit, field: str, file_id: str, name: str, size: int) -> None:
    """Tell the page of the uploaded file, then press Import."""
    for press in (False, True):
        message = BackMsg()
        chosen = message.rerun_script.widget_states.widgets.add()
        chosen.id = visit.widgets[field]
        info = chosen.file_uploader_state_value.uploaded_file_info.add()
        info.file_id, info.name, info.size = file_id, name, size
        if press:
            pressed = message.rerun_script.widget_states.widgets.add()
            pressed.id, pressed.trigger_value = visit.id_of("import-zip"), True
        visit.send(message)


def zip_of(number: int, size: int) -> bytes:
    """Two classes of small noise, and a file that is no picture, which fills the zip up."""
    random, file = np.random.default_rng(number), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for label in ("cat", "dog"):
            for place in range(6):
                picture = io.BytesIO()
                Image.fromarray(random.integers(0, 256, (24, 24, 3), np.uint8)).save(picture, "PNG")
                archive.writestr(f"{label}/{place}.png", picture.getvalue())
        archive.writestr("cat/notes.txt", random.bytes(size))
    return file.getvalue()


def send_file(app: App, session_id: str, file_id: str, content: bytes) -> int:
    """Upload as the page's own script does, with its token; the status of the answer."""
    _, _, headers = ask(f"{app.url}/_stcore/health")
    (token,) = re.findall(r"_streamlit_xsrf=([^;]+)", headers["set-cookie"])
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.zip"\r\n\r\n'
    tokens = {"Cookie": f"_streamlit_xsrf={token}", "X_Xsrftoken": token}
    kind = {"Content_Type": "multipart/form-data; boundary=x"}
    place = f"{app.url}/_stcore/upload_file/{session_id}/{file_id}"
    return ask(place, "PUT", head + content + b"\r\n--x--\r\n", **kind, **tokens)[0]


if __name__ == "__main__":
    main()
