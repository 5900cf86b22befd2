"""Results to an MQTT broker: Debian's mosquitto on loopback, where it is installed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.inference.mqtt import Mqtt
from tests.mqtt_broker import Broker, needs_broker, until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


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
def test_a_broker_that_takes_connections_and_says_nothing_is_said_and_recovers(broker: Broker) -> None:
    said: list[tuple[bool, str]] = []
    with socket.create_server(("127.0.0.1", broker.port)):  # nobody ever reads
        mqtt = Mqtt(f"mqtt://127.0.0.1:{broker.port}", lambda *each: said.append(each), silence_s=1)
        mqtt.send({"number": 0, "station": "s"})
        until(lambda: said)
    broker.start()
    until(broker.results)
    mqtt.close()
    shown = f"the broker mqtt://127.0.0.1:{broker.port}"
    assert said == [
        (False, f"{shown} is lost (Keep alive timeout): it is tried again"),
        (True, f"{shown} takes results again"),
    ]


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


def test_a_station_whose_name_is_no_utf_8_has_a_topic() -> None:
    mqtt = Mqtt("mqtt://127.0.0.1:9", lambda is_ok, sentence: None)
    mqtt.send({"station": "Pr\udcfcfung"})
    mqtt._patience_s = 0
    mqtt.close()
    assert next(iter(mqtt._client._out_messages.values())).topic == "oddlens/Pr%FCfung/result"


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
