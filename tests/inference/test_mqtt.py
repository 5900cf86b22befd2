"""Results to an MQTT broker: Debian's mosquitto on loopback, where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.inference.mqtt import Mqtt

paho = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt, the extra 'mqtt', is not installed")

BROKER = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")

needs_broker = pytest.mark.skipif(BROKER is None, reason="the broker 'mosquitto' is not installed")


class Broker:
    """A broker that can be stopped and started on its port, and what a subscriber to everything got: topic, text, retained."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n"
            f"user {'root' if os.geteuid() == 0 else 'nobody'}\n"
        )
        self.got: list[tuple[str, str, bool]] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert BROKER is not None
        self.process = subprocess.Popen([BROKER, "-c", str(self._file)], stderr=subprocess.DEVNULL)
        until(self._answers)
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda client, userdata, message: self.got.append(
            (message.topic, message.payload.decode(), message.retain)
        )
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        assert ready.wait(10)

    def stop(self) -> None:
        if self.process is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def results(self) -> list[tuple[str, int]]:
        return [(topic, json.loads(text)["number"]) for topic, text, _ in self.got if topic.endswith("/result")]

    def statuses(self) -> list[str]:
        return [text for topic, text, _ in self.got if topic.endswith("/status")]

    def _answers(self) -> bool:
        with socket.socket() as test:
            return test.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


def until(is_so: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.01)


@needs_broker
def test_results_come_under_the_name_of_their_station_and_the_end_waits_for_them(broker: Broker) -> None:
    broker.start()
    said: list[tuple[bool, str]] = []
    mqtt = Mqtt(f"mqtt://127.0.0.1:{broker.port}/plant/line", lambda is_ok, sentence: said.append((is_ok, sentence)))
    for number in range(5):
        mqtt.send({"number": number, "station": "gear/+#"})
    mqtt.close()
    until(lambda: "offline" in broker.statuses())
    assert broker.results() == [("plant/line/gear%2F%2B%23/result", number) for number in range(5)]
    assert broker.statuses() == ["online", "offline"]
    assert not said


@needs_broker
def test_a_broker_that_goes_away_gets_later_what_waited(broker: Broker) -> None:
    broker.start()
    said: list[tuple[bool, str]] = []
    mqtt = Mqtt(f"mqtt://127.0.0.1:{broker.port}", lambda is_ok, sentence: said.append((is_ok, sentence)), most=10)
    mqtt.send({"number": 0, "station": "s"})
    until(broker.results)
    broker.stop()
    until(lambda: said)
    for number in range(1, 4):
        mqtt.send({"number": number, "station": "s"})
    broker.start()
    until(lambda: len(broker.results()) >= 4)
    mqtt.close()
    assert sorted(set(broker.results())) == [("oddlens/s/result", number) for number in range(4)]
    assert [is_ok for is_ok, _ in said] == [False, True]
    assert said[1][1] == f"the broker mqtt://127.0.0.1:{broker.port} takes results again"


@needs_broker
def test_the_broker_tells_others_where_oddlens_was_killed(broker: Broker) -> None:
    broker.start()
    mqtt = Mqtt(f"mqtt://127.0.0.1:{broker.port}", lambda is_ok, sentence: None)
    until(lambda: broker.statuses() == ["online"])
    sock = mqtt._client.socket()
    assert sock is not None
    mqtt._is_closing = True
    mqtt._client._thread_terminate = True  # as a killed program: nothing is said to the broker
    sock.shutdown(socket.SHUT_RDWR)
    until(lambda: broker.statuses() == ["online", "offline"])


def test_what_waits_is_bounded_and_what_is_dropped_is_said() -> None:
    said: list[tuple[bool, str]] = []
    mqtt = Mqtt("mqtt://me:geheim@127.0.0.1:9", lambda is_ok, sentence: said.append((is_ok, sentence)), most=3)
    until(lambda: said)
    for number in range(7):
        mqtt.send({"number": number, "station": "s"})
    mqtt._patience_s = 0.1
    mqtt.close()
    assert [sentence for _, sentence in said] == [
        "the broker mqtt://127.0.0.1:9 is lost (it cannot be reached): it is tried again",
        "the broker mqtt://127.0.0.1:9 takes results too slowly: further ones are dropped",
        "the broker mqtt://127.0.0.1:9 did not get 7 results",
    ]


@pytest.mark.parametrize("url", ["http://host/x", "mqtt://host/a+b", "mqtt://:x/"])
def test_what_is_no_broker_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        Mqtt(url, lambda is_ok, sentence: None)
