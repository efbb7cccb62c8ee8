"""A run behind HTTP: what it answers, what it refuses, many at once, and how it ends."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shlex
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import numpy as np
import psutil
import pytest

from tests.hostile.pictures import flood_png, scan_bomb_jpeg
from tests.test_architecture import REPOSITORY
from tests.tl_core.inference.serving.served import ServerProcess, free_port, in_thread
from tests.tl_core.small_trainings import COLOURS, coloured
from tl_core.command_line import main
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.inference.calibration import Calibration
from tl_core.inference.predict import predict_images
from tl_core.inference.predictor import open_predictor
from tl_core.inference.serving import connections, uploads
from tl_core.inference.serving.application import ServedModel
from tl_core.inference.serving.description import OPENAPI, page
from tl_core.inference.serving.server import open_run
from tl_core.inference.serving.uploads import MOST_BYTES, MOST_IMAGES, MOST_PARTS
from tl_core.machine.device import find_device
from tl_core.runs import create_run

PHOTOS = [coloured(colour, 900 + index) for index, colour in enumerate(COLOURS.values())]
DAMAGED = PHOTOS[0][:200]
STAYS_BELOW = 50 << 20  # bytes, however many were answered


@pytest.fixture(scope="module")
def server(shared_run):
    workspace = shared_run.record.workspace.root
    served = ServerProcess(workspace, shared_run.record.id, "--port", str(free_port()))
    yield served
    assert served.end() == 0


@pytest.fixture(scope="module")
def expected(shared_run):
    """What the pages answer."""
    return [dict(answer.ranked) for answer in predict_images(shared_run.record.path, PHOTOS)]


FORM = {"Content-Type": "multipart/form-data; boundary=x"}
STRANGE = {"Content-Type": "multipart/form-data; boundary=x; charset=undefined"}
JSON = {"Content-Type": "application/json"}
PART = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\nno end'


def as_form(photos):
    return [("images", (f"{number}.png", photo, "image/png")) for number, photo in enumerate(photos)]


def as_base64(photos):
    return {"images": [base64.b64encode(photo).decode() for photo in photos]}


def predictions_of(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def assert_same(predictions, expected):
    assert len(predictions) == len(expected)
    for prediction, shares in zip(predictions, expected, strict=True):
        assert prediction["probabilities"] == pytest.approx(shares, abs=1e-5)
        assert prediction["class"] == max(shares, key=shares.get)
        assert prediction["probability"] == pytest.approx(max(shares.values()), abs=1e-5)
        assert prediction["rejected"] is False


def refusal(answer, status):
    """The sentence of an answer of this status, which has nothing else."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


@pytest.mark.slow
def test_it_is_healthy_and_tells_which_model_it_has(server, shared_run):
    assert httpx.get(server.url + "/health").status_code == 200
    model = httpx.get(server.url + "/model").json()
    assert model["run_id"] == shared_run.record.id
    assert model["classes"] == list(COLOURS)
    assert (model["image_size"], model["backbone"]) == (32, "vgg16")


@pytest.mark.parametrize("count", [1, 3])
def test_files_of_a_form_and_base64_get_the_answers_of_the_pages(server, expected, count):
    by_form = httpx.post(server.url + "/predict", files=as_form(PHOTOS[:count]))
    assert_same(predictions_of(by_form), expected[:count])
    by_json = httpx.post(server.url + "/predict", json=as_base64(PHOTOS[:count]))
    assert by_json.json() == by_form.json()


def test_the_base64_of_a_web_page_is_understood(server, expected):
    image = "data:image/png;base64," + base64.b64encode(PHOTOS[0]).decode()
    assert_same(predictions_of(httpx.post(server.url + "/predict", json={"images": [image]})), expected[:1])


def test_base64_may_be_broken_into_lines(server, expected):
    lines = base64.encodebytes(PHOTOS[0])
    body = b'{"images": ["' + lines + b'"]}'  # as a script makes it with the program base64
    assert_same(predictions_of(httpx.post(server.url + "/predict", content=body, headers=JSON)), expected[:1])


def test_a_damaged_image_is_named_and_the_others_are_answered(server, expected, shared_run):
    first, second = predictions_of(httpx.post(server.url + "/predict", files=as_form([DAMAGED, PHOTOS[1]])))
    assert first["class"] is None
    assert first["error"] == predict_images(shared_run.record.path, [DAMAGED])[0].error
    assert_same([second], expected[1:2])


def test_a_damaged_image_alone_is_refused_with_the_sentence_of_the_pages(server, shared_run):
    sentence = refusal(httpx.post(server.url + "/predict", files=as_form([DAMAGED])), 422)
    assert sentence == predict_images(shared_run.record.path, [DAMAGED])[0].error


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"files": as_form([])}, 415, "multipart/form-data"),
        ({"content": PHOTOS[0], "headers": {"Content-Type": "image/png"}}, 415, "image/png"),
        ({"files": [("photo", ("a.png", PHOTOS[0]))]}, 422, "a file in the field “photo”"),
        ({"files": [("images", (None, b"photo.jpg"))]}, 422, "a text in the field “images”"),
        ({"files": 2 * [("a", (None, b"b"))] + as_form(PHOTOS[:1])}, 400, "texts beside the images"),
        ({"files": as_form(PHOTOS[:1]) * (MOST_IMAGES + 1)}, 413, f"{MOST_IMAGES} allowed"),
        ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400, "form"),
        ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data"}}, 400, "form"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "no JSON"),
        ({"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400, "no JSON"),
        ({"json": {"pictures": []}}, 422, "“images”"),
        ({"json": {"images": []}}, 422, "no image"),
        ({"json": {"images": [7]}}, 422, "list of texts"),
        ({"json": {"images": ["***"]}}, 422, "Image 1 is not in base64"),
        ({"json": {"images": [""] * (MOST_IMAGES + 1)}}, 413, f"{MOST_IMAGES} allowed"),
        ({"content": b"[" + b"{}," * MOST_PARTS, "headers": JSON}, 422, "more parts than images"),
        ({"json": as_base64([bytes(MAX_IMAGE_BYTES + 1)])}, 422, "25 MB allowed"),
        ({"files": as_form([b""])}, 422, "empty (0 bytes)"),
        ({"files": as_form([flood_png()])}, 422, "megapixels"),
        ({"files": as_form([scan_bomb_jpeg()])}, 422, "times over"),
        ({"content": PART, "headers": STRANGE}, 400, "no text"),
        ({"content": PART.replace(b"a.png", b"a" * 9000), "headers": FORM}, 400, "form"),
        ({"content": b"--x\r\n" + b"a: b\r\n" * 100_000, "headers": FORM}, 400, "form"),
        ({"content": PART + b"\r\n--" * 2_000_000, "headers": FORM}, 422, "no image"),
    ],
)
def test_a_bad_request_is_refused_with_a_sentence(server, expected, request_, status, words):
    assert words in refusal(httpx.post(server.url + "/predict", **request_), status)
    assert_same(predictions_of(httpx.post(server.url + "/predict", files=as_form(PHOTOS[:1]))), expected[:1])


def test_a_body_too_large_is_refused_and_kept_nowhere(server):
    declared = httpx.post(server.url + "/predict", files=[("images", bytes(MOST_BYTES + 1))], timeout=60)
    assert "64 MB allowed" in refusal(declared, 413)
    pieces = (bytes(1_000_000) for _ in range(MOST_BYTES // 1_000_000 + 2))
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert "64 MB allowed" in refusal(httpx.post(server.url + "/predict", content=pieces, headers=kind), 413)


def test_another_address_and_another_method_are_refused_with_a_sentence(server):
    assert "GET /nothing" in refusal(httpx.get(server.url + "/nothing"), 404)
    assert "GET /predict" in refusal(httpx.get(server.url + "/predict"), 405)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "models.example.org"},
        {"Host": "["},
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://[localhost"},
    ],
)
def test_a_website_cannot_ask(server, headers):
    assert "this machine alone" in refusal(
        httpx.post(server.url + "/predict", files=as_form(PHOTOS), headers=headers), 403
    )


@pytest.mark.parametrize("count", [120, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])])
def test_many_at_once_are_answered_rightly_and_together_and_leave_nothing_in_memory(server, expected, count):
    memory = psutil.Process(server.process.pid).memory_info

    def ask(number):
        place = number % len(PHOTOS)
        answer = client.post(server.url + "/predict", files=as_form([PHOTOS[place]]), timeout=60)
        assert_same(predictions_of(answer), [expected[place]])

    with httpx.Client(limits=httpx.Limits(max_connections=24)) as client, ThreadPoolExecutor(24) as threads:
        list(threads.map(ask, range(24)))  # what is loaded for a first crowd stays
        before, taken = figures_of(server), memory().rss
        list(threads.map(ask, range(count)))
    after = figures_of(server)
    images, batches = (after[name] - before[name] for name in ("tl_batch_images_sum", "tl_batch_images_count"))
    assert images == count
    assert batches < images  # simultaneous requests shared a pass
    assert after["tl_images_waiting"] == 0
    name = 'tl_images_total{outcome="predicted"}'
    assert after[name] - before[name] == count
    assert memory().rss - taken < STAYS_BELOW


def figures_of(server):
    """The figures by name, as Prometheus reads them."""
    answer = httpx.get(server.url + "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_description_names_what_there_is(server):
    described = httpx.get(server.url + "/openapi.json").json()
    assert described == OPENAPI
    for path, methods in described["paths"].items():
        (method,) = methods
        sent = {"files": as_form(PHOTOS[:1])} if method == "post" else {}
        assert httpx.request(method, server.url + path, **sent).status_code == 200
    prediction = predictions_of(httpx.post(server.url + "/predict", files=as_form(PHOTOS[:1])))[0]
    schema = described["components"]["schemas"]["Prediction"]
    assert set(schema["required"]) == set(prediction) <= set(schema["properties"])


def test_the_page_needs_nothing_from_elsewhere(server):
    answer = httpx.get(server.url + "/")
    assert answer.text == page()[0]
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_line_of_the_readme_asks_it(server, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(PHOTOS[1])
    text = (REPOSITORY / "README.md").read_text("utf-8")
    (line,) = re.findall(r"^(curl .*/predict)\b", text, re.MULTILINE)
    command = shlex.split(line.replace("http://localhost:8000", server.url))
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert '"class":"green"' in said


def test_where_the_processor_has_bfloat16_it_may_be_taken_and_answers_nearly_the_same(shared_run):
    said = []
    served = open_run(shared_run.record, precision="auto", note=said.append)
    exact = open_predictor(shared_run.record.path)
    pictures = np.stack([exact.reading.of_file(photo) for photo in PHOTOS])
    found, wanted = served.predictor.predict(pictures), exact.predict(pictures)
    assert np.abs(found - wanted).max() < 0.05
    assert (found.argmax(axis=1) == wanted.argmax(axis=1)).all()
    assert served.predictor.known is not None, "it tells what is unlike anything it was taught"
    assert not [text for text in said if "are gone" in text]
    has_bfloat16 = find_device("auto").trunk_precision == "bfloat16"
    assert [text for text in said if "bfloat16" in text] if has_bfloat16 else not said


def test_where_the_images_of_a_run_are_gone_it_says_that_it_computes_in_float32(shared_run):
    said = []
    elsewhere = replace(shared_run.record, dataset_id="gone-" + 32 * "0")
    served = open_run(elsewhere, precision="auto", note=said.append)
    assert served.predictor.network.text == open_predictor(shared_run.record.path).network.text
    assert said == ["It computes in float32: the images on which bfloat16 would have to prove close are gone."]


@pytest.mark.parametrize("text", [b"no request\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + 100_000 * b"a"])
def test_what_is_no_http_is_told_so(server, text):
    with connected(server.url) as connection:
        connection.sendall(text)
        status, told = answer_on(connection)
    assert status == b"400"
    assert list(told) == ["error"]
    assert "no request in HTTP" in told["error"]


def test_who_is_too_slow_is_told_so_and_keeps_nobody_waiting(doubtful, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.6)
    monkeypatch.setattr(uploads, "READ_SECONDS", 0.6)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    begun = [b"", b"POST /pred", head, head + b"Content-Length: 100\r\n\r\n{"]
    with in_thread(doubtful) as url, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(url)) for _ in range(10) for _ in begun]
        for place, connection in enumerate(slow):
            connection.sendall(begun[place % len(begun)])
        predictions_of(httpx.post(url + "/predict", files=as_form(PHOTOS[:1])))
        for connection in slow:
            status, told = answer_on(connection)
            assert status == b"408"
            assert "did not arrive within 1 s" in told["error"]


def connected(url):
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=60)


def answer_on(connection):
    """Status and JSON of an answer."""
    said = b""
    while b"}" not in said:
        piece = connection.recv(65536)
        assert piece, said
        said += piece
    return said.split(b" ", 2)[1], json.loads(said.partition(b"\r\n\r\n")[2])


@pytest.fixture(scope="module")
def doubtful(shared_run):
    """A model whose threshold no picture reaches."""
    predictor = open_predictor(shared_run.record.path)
    return ServedModel(predictor, Calibration(model_sha256="", temperature=2.0, threshold=1.0), {"name": "Doubtful"})


def test_below_the_threshold_the_answer_is_i_dont_know(doubtful, expected):
    with in_thread(doubtful) as url:
        prediction = predictions_of(httpx.post(url + "/predict", files=as_form(PHOTOS[:1])))[0]
    assert prediction["rejected"] is True
    assert prediction["class"] == "blue"
    assert prediction["probability"] < max(expected[0].values())  # the temperature counts, too


def test_two_passes_go_side_by_side_and_share_what_waits(doubtful, expected):
    other = threading.Barrier(2, timeout=60)

    def network(images):
        other.wait()  # for the other pass: of one after the other each would wait in vain
        return doubtful.predictor.network(images)

    beside = replace(doubtful.predictor, network=network, at_once=2)
    with in_thread(replace(doubtful, predictor=beside)) as url, ThreadPoolExecutor(2) as threads:
        asked = threads.map(lambda photo: httpx.post(url + "/predict", files=as_form([photo])), PHOTOS[:2])
        named = [predictions_of(answer)[0]["class"] for answer in asked]
    assert named == [max(shares, key=shares.get) for shares in expected[:2]]


def test_with_a_token_nobody_is_answered_without_it(doubtful):
    with in_thread(doubtful, token="a-token-of-some-length") as url:
        assert httpx.get(url + "/health", headers={"Host": "models.example.org"}).status_code == 200
        for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": "a-token-of-some-lengt"}):
            assert "token" in refusal(httpx.get(url + "/model", headers=headers), 401)
            assert "token" in refusal(httpx.post(url + "/predict", files=as_form(PHOTOS), headers=headers), 401)
        told = httpx.get(url + "/model", headers={"Authorization": "Bearer a-token-of-some-length"})
        assert told.json() == {"name": "Doubtful"}
    token = "ein-schlüssel-für-alle"
    with in_thread(doubtful, token=token) as url:
        for given, status in ((token, 200), ("ein-schlussel-fur-alle", 401)):
            headers = {"Authorization": f"Bearer {given}".encode()}
            assert httpx.get(url + "/model", headers=headers).status_code == status


def test_on_an_address_that_others_reach_it_does_not_start_without_a_token(shared_run, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(shared_run.record.workspace.root))
    monkeypatch.delenv("TL_SERVE_TOKEN", raising=False)
    assert main(["serve", shared_run.record.id, "--host", "0.0.0.0"]) == 2
    assert "TL_SERVE_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("TL_SERVE_TOKEN", "short")
    assert main(["serve", shared_run.record.id, "--host", "0.0.0.0"]) == 2
    assert "16" in capsys.readouterr().err


def test_what_cannot_be_served_is_a_sentence(server, shared_run, dataset, monkeypatch, capsys):
    monkeypatch.setenv("TL_WORKSPACE", str(shared_run.record.workspace.root))
    port = server.url.rsplit(":", 1)[1]
    assert main(["serve", shared_run.record.id, "--port", port]) == 2
    assert f"Port {port} " in capsys.readouterr().err
    assert main(["serve", "no-such-run"]) == 2
    capsys.readouterr()
    untrained = create_run(shared_run.record.workspace, shared_run.record.config, dataset)
    assert main(["serve", untrained.id]) == 2
    assert "has no model to serve yet" in capsys.readouterr().err
    assert main(["serve", shared_run.record.id, "--epoch", "99", "--port", str(free_port())]) == 2
    assert "Epoch 99" in capsys.readouterr().err
    monkeypatch.setenv("TL_SERVE_TOKEN", "a-token-of-some-length")
    for address in ("no such address", "192.0.2.1"):  # the second is kept free for examples, RFC 5737
        assert main(["serve", shared_run.record.id, "--host", address]) == 2
        assert f"no address {address}:" in capsys.readouterr().err


@pytest.mark.slow
def test_what_was_accepted_is_answered_when_it_is_told_to_stop(shared_run, expected):
    served = ServerProcess(shared_run.record.workspace.root, shared_run.record.id, "--port", str(free_port()))
    request = httpx.Request("POST", served.url + "/predict", files=as_form(PHOTOS))
    request.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", request.url.port), timeout=60) as connection:
        connection.sendall(f"POST /predict HTTP/1.1\r\n{head}Expect: 100-continue\r\n\r\n".encode())
        assert b"100 Continue" in connection.recv(1000)  # now it is being read
        served.process.send_signal(signal.SIGTERM)
        wait_until_closed(request.url.port)
        connection.sendall(request.content)
        said = b""
        while piece := connection.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 200")
    for shares in expected:
        assert f'"class":"{max(shares, key=shares.get)}"'.encode() in said
    assert served.wait() == 0
    assert [line.split()[0] for line in served.lines] == ["Opening", "It"], "nothing else is printed"


def wait_until_closed(port: int) -> None:
    """Until nobody listens any more."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
        except ConnectionRefusedError:
            return
