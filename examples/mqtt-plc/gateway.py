"""From oddlens' results on an MQTT broker to the commands of a PLC's gateway, on the same broker.

    python gateway.py mqtt://127.0.0.1 --results oddlens --commands plc

Of every result at RESULTS/STATION/result it publishes COMMANDS/STATION/command, JSON: {"part": 17, "command": "pass" | "eject" |
"hold", "image": ...}. COMMANDS/run is "1" while oddlens is there and "0" when it is not (retained, and "0" by the last will of this
program as well): the PLC stops the line on "0". Needs paho-mqtt: pip install 'oddlens[mqtt]'.
"""

import argparse
import json
import sys
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

ONCE_AT_LEAST = 1
COMMANDS = {"ok": "pass", "ng": "eject", "review": "hold"}


class Gateway:
    """Subscribes to results, publishes commands."""

    def __init__(self, broker: str, results: str, commands: str) -> None:
        """broker: mqtt://[user:password@]host[:port]. results, commands: the first parts of topics."""
        parts = urlsplit(broker)
        self._results, self._commands = results, commands
        self._last: dict[str, object] = {}
        self._part = 0
        self.client = Client(CallbackAPIVersion.VERSION2)
        if parts.username is not None:
            self.client.username_pw_set(parts.username, parts.password)
        self.client.will_set(f"{commands}/run", "0", ONCE_AT_LEAST, retain=True)
        self.client.on_connect = lambda client, *_: client.subscribe(
            [(f"{results}/status", ONCE_AT_LEAST), (f"{results}/+/result", ONCE_AT_LEAST)]
        )
        self.client.on_message = lambda client, _, message: self.take(message)
        self.client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)

    def take(self, message: MQTTMessage) -> None:
        """A status or a result. Where a result cannot be read, the PLC is told to hold the part."""
        if message.topic == f"{self._results}/status":
            self.client.publish(
                f"{self._commands}/run", "1" if message.payload == b"online" else "0", ONCE_AT_LEAST, retain=True
            )
            return
        station = message.topic.removeprefix(f"{self._results}/").removesuffix("/result")
        try:
            event = json.loads(message.payload)
            command = COMMANDS.get(event.get("verdict"), "hold")
            image = event.get("path") or event.get("source")  # of `oddlens watch`, and of `oddlens serve`
            mark = event.get("time"), image
        except (ValueError, AttributeError) as error:
            print(f"gateway: a result of {station} cannot be read: {error}", file=sys.stderr)
            command, image, mark = "hold", None, None
        if mark is not None and self._last.get(station) == mark:
            return  # "at least once" may mean twice
        self._last[station] = mark
        self._part += 1
        self.client.publish(
            f"{self._commands}/{station}/command",
            json.dumps({"part": self._part, "command": command, "image": image}),
            ONCE_AT_LEAST,
        )


def main() -> None:
    """The command line; it goes on until it is stopped, and connects again where the broker goes away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("broker")
    parser.add_argument("--results", default="oddlens")
    parser.add_argument("--commands", default="plc")
    options = parser.parse_args()
    gateway = Gateway(options.broker, options.results, options.commands)
    try:
        gateway.client.loop_forever()
    except KeyboardInterrupt:
        gateway.client.publish(f"{options.commands}/run", "0", ONCE_AT_LEAST, retain=True)
        gateway.client.disconnect()


if __name__ == "__main__":
    main()
