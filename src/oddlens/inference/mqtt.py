"""Results to an MQTT broker (extra `mqtt`): PREFIX/STATION/result, each once at least; PREFIX/status: whether oddlens is there."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from oddlens.errors import UsageError, counted, needs_package
from oddlens.inference.delivery import MOST, PATIENCE_S, Event, Say
from oddlens.io.addresses import shown_address

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

PREFIX = "oddlens"

_QOS = 1  # once at least
_SLOWEST_S = 30
SILENCE_S = 15
"""Seconds after which a broker that says nothing is lost; others hear after half as much again that oddlens is."""


class Mqtt:
    """An outlet to a broker. The client's own thread connects, again and again, and holds what waits, at most `MOST` events.

    Args:
        url: mqtt(s)://[user:password@]host[:port][/prefix].
        say: See `Say`.
        most: See `delivery.MOST`.
        patience_s: See `delivery.PATIENCE_S`.
        silence_s: See `SILENCE_S`.

    Raises:
        UsageError: The address is of another kind, or paho-mqtt is not installed.
    """

    def __init__(
        self, url: str, say: Say, *, most: int = MOST, patience_s: float = PATIENCE_S, silence_s: int = SILENCE_S
    ) -> None:
        self._name = f"the broker {shown_address(url)}"
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts"):
            raise UsageError(
                f"{shown_address(url)} is no address of a broker: give mqtt://host/prefix or mqtts://host/prefix"
            )
        with needs_package("paho", f"{self._name} needs paho-mqtt: pip install 'oddlens[mqtt]'"):
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        self._say, self._patience_s = say, patience_s
        self._prefix = unquote(parts.path).strip("/") or PREFIX
        if any(letter in self._prefix for letter in "+#\0"):
            raise UsageError(f"the prefix {self._prefix!r} cannot be one of topics: leave + and # out")
        self._dropped = self._unconfirmed = 0
        self._is_lost = self._is_closing = False
        self._lock = threading.Lock()
        self._client: Client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(most)
        self._client.reconnect_delay_set(1, _SLOWEST_S)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = lambda client, userdata: self._lost("it cannot be reached")
        self._client.on_disconnect = self._disconnected
        self._client.on_publish = lambda client, userdata, number, code, properties: self._count(-1)
        self._client.will_set(f"{self._prefix}/status", "offline", _QOS, retain=True)
        if parts.username is not None:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self._client.connect_async(parts.hostname or "", port, silence_s)
        self._client.loop_start()

    def send(self, event: Event) -> None:
        """See `Outlet`."""
        topic = f"{self._prefix}/{quote(os.fsencode(str(event.get('station') or 'detector')), safe='')}/result"
        if not self._publish(topic, json.dumps(event, allow_nan=False)):
            with self._lock:
                self._dropped += 1
                is_first = self._dropped == 1
            if is_first:
                self._say(False, f"{self._name} takes results too slowly: further ones are dropped")

    def close(self) -> None:
        """See `Outlet`."""
        until = time.monotonic() + self._patience_s
        while self._unconfirmed and time.monotonic() < until:
            time.sleep(0.02)
        lost = self._unconfirmed + self._dropped
        self._is_closing = True
        self._publish_status("offline")
        while self._unconfirmed and not lost and time.monotonic() < until:
            time.sleep(0.02)
        self._client.disconnect()
        self._client.loop_stop()
        if lost:
            self._say(False, f"{self._name} did not get {counted(lost, 'result')}")

    def _publish(self, topic: str, text: str, *, retain: bool = False) -> bool:
        """Give the client a message, which it sends when it can; whether it took it."""
        from paho.mqtt.enums import MQTTErrorCode

        self._count(1)  # before: the client's thread may confirm it at once
        if self._client.publish(topic, text.encode(), _QOS, retain).rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            return True
        self._count(-1)
        return False

    def _publish_status(self, status: str) -> None:
        self._publish(f"{self._prefix}/status", status, retain=True)

    def _count(self, more: int) -> None:
        with self._lock:
            self._unconfirmed += more

    def _connected(
        self, client: Client, userdata: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._lost(f"it answered: {code}")
            return
        self._publish_status("online")
        with self._lock:
            was_lost, self._is_lost = self._is_lost, False
            dropped, self._dropped = self._dropped, 0
        if was_lost or dropped:
            lost = f"; {counted(dropped, 'result was', 'results were')} dropped" if dropped else ""
            self._say(True, f"{self._name} takes results again{lost}")

    def _disconnected(
        self, client: Client, userdata: object, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if not self._is_closing:
            self._lost(f"{code}")

    def _lost(self, reason: str) -> None:
        with self._lock:
            was_lost, self._is_lost = self._is_lost, True
        if not was_lost:
            self._say(False, f"{self._name} is lost ({reason}): it is tried again")
