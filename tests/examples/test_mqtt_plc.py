"""examples/mqtt-plc: each result becomes one command, and the PLC hears when nobody inspects any more."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oddlens.inference.mqtt import Mqtt
from tests.examples.conftest import EXAMPLES
from tests.mqtt_broker import Broker, needs_broker, until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


@needs_broker
def test_results_become_commands_and_silence_stops_the_line(broker: Broker) -> None:
    broker.start()

    def values(topic: str) -> list[str]:
        return [text for each, text, _ in broker.got if each == topic]

    address = f"mqtt://127.0.0.1:{broker.port}"
    with subprocess.Popen([sys.executable, EXAMPLES / "mqtt-plc" / "gateway.py", address]) as gateway:
        oddlens = Mqtt(address, lambda is_ok, sentence: None)
        until(lambda: values("plc/run") == ["1"])
        for time, verdict in (("1", "ok"), ("2", "ng"), ("2", "ng"), ("3", "review")):
            oddlens.send({"station": "line-3", "time": time, "path": f"{time}.png", "verdict": verdict})
        oddlens.close()
        until(lambda: values("plc/run") == ["1", "0"])
        broker.publish("oddlens/line-3/result", "no JSON")
        until(lambda: len(values("plc/line-3/command")) == 4)
        broker.publish("oddlens/status", "online")
        until(lambda: values("plc/run")[-1] == "1")
        gateway.kill()
        until(lambda: values("plc/run")[-1] == "0")  # its last will
    found = [json.loads(text) for text in values("plc/line-3/command")]
    assert [(each["part"], each["command"], each["image"]) for each in found] == [
        (1, "pass", "1.png"), (2, "eject", "2.png"), (3, "hold", "3.png"), (4, "hold", None),
    ]  # fmt: skip
