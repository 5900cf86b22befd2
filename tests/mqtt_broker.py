"""A broker of MQTT for tests: Debian's mosquitto on loopback, where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

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

    def publish(self, topic: str, text: str) -> None:
        self._client.publish(topic, text, 1)

    def results(self) -> list[tuple[str, int]]:
        return [(topic, json.loads(text)["number"]) for topic, text, _ in self.got if topic.endswith("/result")]

    def statuses(self) -> list[str]:
        return [text for topic, text, _ in self.got if topic.endswith("/status")]

    def _answers(self) -> bool:
        with socket.socket() as test:
            return test.connect_ex(("127.0.0.1", self.port)) == 0


def until(is_so: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.01)
