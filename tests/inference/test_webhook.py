"""Results to a web address on loopback: what is sent, its signature, and what happens where it fails."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from oddlens.errors import UsageError
from oddlens.inference.webhook import Webhook, is_signed

Request = tuple[str, dict[str, str], bytes]


class Hooked:
    """A receiver. answers: the codes of its next answers, 200 after them. requests: path, headers and body of each."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.answers: list[int] = []
        self.said: list[tuple[bool, str]] = []

    def say(self, is_ok: bool, sentence: str) -> None:
        self.said.append((is_ok, sentence))


@pytest.fixture
def receiver() -> Iterator[Hooked]:
    hooked = Hooked()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hooked.requests.append((self.path, dict(self.headers), body))
            self.send_response(hooked.answers.pop(0) if hooked.answers else 200)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            hooked.requests.append((self.path, {}, b"a redirect was followed"))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hooked.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield hooked
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_event_is_posted_as_json(receiver: Hooked) -> None:
    webhook = Webhook(f"{receiver.url}/results?line=3", receiver.say)
    webhook.send({"station": "line", "score": 0.5})
    webhook.close()
    [(path, headers, body)] = receiver.requests
    assert path == "/results?line=3"
    assert headers["Content-Type"] == "application/json"
    assert "X-Oddlens-Signature" not in headers
    assert json.loads(body) == {"station": "line", "score": 0.5}


def test_a_signature_shows_who_sent_it_and_that_nothing_was_changed(receiver: Hooked) -> None:
    webhook = Webhook(receiver.url, receiver.say, secret="hush")
    webhook.send({"score": 0.5})
    webhook.close()
    [(_, headers, body)] = receiver.requests
    header = headers["X-Oddlens-Signature"]
    assert is_signed(body, header, "hush", time.time())
    assert not is_signed(body + b" ", header, "hush", time.time())
    assert not is_signed(body, header, "another", time.time())
    assert not is_signed(body, header, "hush", time.time() + 400)
    assert not is_signed(body, header.replace("t=", "t=9"), "hush", time.time())


@pytest.mark.parametrize("header", ["", "t=", "t=x,v1=y", "t=1", "t=²,v1=", f"t={'9' * 5000},v1=0", "v1=é"])
def test_a_header_that_is_none_signs_nothing(header: str) -> None:
    assert not is_signed(b"{}", header, "hush", 1.0)


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_a_fault_that_passes_is_tried_again_with_the_same_number(receiver: Hooked, code: int) -> None:
    receiver.answers = [code, code]
    webhook = Webhook(receiver.url, receiver.say, delays=(0.0,))
    webhook.send({"score": 0.5})
    webhook.close()
    assert len(receiver.requests) == 3
    assert len({headers["X-Oddlens-Delivery"] for _, headers, _ in receiver.requests}) == 1
    assert [is_ok for is_ok, _ in receiver.said] == [False, True]
    assert f"(it answered {code})" in receiver.said[0][1]


@pytest.mark.parametrize("code", [400, 401, 404, 302, 307])
def test_a_refusal_is_said_and_the_next_result_goes_on(receiver: Hooked, code: int) -> None:
    receiver.answers = [code]
    webhook = Webhook(receiver.url, receiver.say)
    webhook.send({"score": 0.5})
    webhook.send({"score": 0.6})
    webhook.close()
    assert [json.loads(body)["score"] for _, _, body in receiver.requests] == [0.5, 0.6]
    assert f"does not take a result (it answered {code})" in receiver.said[0][1]


def test_two_results_have_two_numbers(receiver: Hooked) -> None:
    webhook = Webhook(receiver.url, receiver.say)
    for _ in range(2):
        webhook.send({"score": 0.5})
    webhook.close()
    assert len({headers["X-Oddlens-Delivery"] for _, headers, _ in receiver.requests}) == 2


def test_a_password_becomes_a_header_and_is_never_said(receiver: Hooked) -> None:
    receiver.answers = [500, 400]
    url = receiver.url.replace("http://", "http://me:gehe%40im@") + "/x?token=geheim2"
    webhook = Webhook(url, receiver.say, delays=(0.0,))
    webhook.send({"score": 0.5})
    webhook.close()
    path, headers, _ = receiver.requests[0]
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:gehe@im"
    assert path == "/x?token=geheim2"
    assert len(receiver.said) >= 1
    assert "gehe" not in str(receiver.said)


def test_an_address_is_taken_as_people_write_it(receiver: Hooked) -> None:
    hook = Webhook(f"{receiver.url}/line 3/größe?part=a b&for=%C3%BC", receiver.say)
    hook.send({"score": 1})
    hook.close()
    assert receiver.requests[0][0] == "/line%203/gr%C3%B6%C3%9Fe?part=a%20b&for=%C3%BC"
    assert receiver.said == []


def test_a_receiver_that_is_not_there_is_said(receiver: Hooked) -> None:
    webhook = Webhook("http://127.0.0.1:9/x", receiver.say, delays=(0.01,))
    webhook._patience_s = 0.1
    webhook.send({"score": 0.5})
    webhook.close()
    assert receiver.said == [
        (False, "the webhook http://127.0.0.1:9/x cannot be reached (Connection refused): it is tried again"),
        (False, "the webhook http://127.0.0.1:9/x did not get 1 result"),
    ]


def _silent(connection: socket.socket) -> None:
    time.sleep(0.6)


def _dripping(connection: socket.socket) -> None:
    with suppress(OSError):  # the webhook closes it
        for letter in b"HTTP/1.1 200 OK\r\nX: " + 100 * b"x":
            connection.sendall(bytes([letter]))
            time.sleep(0.05)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (_silent, "it did not answer within 0.2 s"),
        (_dripping, "it did not answer within 0.2 s"),
        (_reset, "Connection reset by peer"),
    ],
)
def test_a_receiver_that_answers_nothing_is_said_once_and_gets_it_later(
    receiver: Hooked, behave: Callable[[socket.socket], None], reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def answer(connection: socket.socket, number: int) -> None:
            with connection:
                while not connection.recv(10_000).endswith(b"}"):
                    pass
                if number < 2:
                    behave(connection)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")  # and no body comes

        def accept() -> None:
            with suppress(OSError):  # the server is shut down
                for number in count():
                    threading.Thread(target=answer, args=(server.accept()[0], number)).start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        webhook = Webhook(url, receiver.say, delays=(0.01,), timeout_s=0.2)
        started = time.monotonic()
        for number in range(3):
            webhook.send({"number": number})
        assert time.monotonic() - started < 0.1  # nobody waits for it
        webhook.close()
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()
    shown = f"the webhook {url}"
    assert receiver.said == [
        (False, f"{shown} cannot be reached ({reason}): it is tried again"),
        (True, f"{shown} takes results again"),
    ]


@pytest.mark.parametrize("url", ["ftp://host/x", "mqtt://host", "http://:port/", "host/x"])
def test_what_is_no_web_address_is_refused(receiver: Hooked, url: str) -> None:
    with pytest.raises(UsageError):
        Webhook(url, receiver.say)
