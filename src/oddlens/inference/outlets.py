"""Where results go besides the folder or the history: the event that every outlet gets, and how outlets are named and opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from oddlens.errors import UsageError, printable
from oddlens.inference.delivery import Event, Outlet, Say
from oddlens.inference.hooks import Hook
from oddlens.inference.mqtt import Mqtt
from oddlens.inference.records import Record
from oddlens.inference.sinks import Sink
from oddlens.inference.webhook import SECRET_VARIABLE, Webhook
from oddlens.io.addresses import shown_address
from oddlens.io.strict_json import said_time

ON_NG, ON_EACH = "on-ng:", "on-each:"
"""How an address begins that is a program."""


def event_of(
    result: Mapping[str, object], *, station: str | None, time: datetime, identity: Mapping[str, object]
) -> Event:
    """A result as every outlet gets it.

    Args:
        result: `Detection.to_dict`, or "path" and "error" of an image that failed, with what else is known of it.
        station: The name of the station.
        time: When it was inspected.
        identity: What made the result, see `Identity.to_dict`.
    """
    return {"station": station, "time": said_time(time), **result, "identity": dict(identity)}


def open_outlet(address: str, say: Say) -> Outlet:
    """The outlet of an address: http(s)://..., mqtt(s)://..., "on-ng:PROGRAM" or "on-each:PROGRAM".

    Raises:
        UsageError: There is no such outlet, or what it needs is missing.
    """
    if address.startswith(ON_NG):
        return Hook(address.removeprefix(ON_NG), "ng", say)
    if address.startswith(ON_EACH):
        return Hook(address.removeprefix(ON_EACH), "each", say)
    scheme = address.partition("://")[0].lower()
    if scheme in ("http", "https"):
        return Webhook(address, say, secret=os.environ.get(SECRET_VARIABLE) or None)
    if scheme in ("mqtt", "mqtts"):
        return Mqtt(address, say)
    shown = shown_address(address) if "://" in address else printable(address)
    raise UsageError(f"results cannot go to {shown}: give http(s)://, mqtt(s)://, {ON_NG}PROGRAM or {ON_EACH}PROGRAM")


class Outlets:
    """Several outlets. Raises `UsageError` where one cannot be opened; then none is open."""

    def __init__(self, addresses: Sequence[str], say: Say) -> None:
        self._opened: list[Outlet] = []
        with ExitStack() as opened:
            for address in addresses:
                self._opened.append(outlet := open_outlet(address, say))
                opened.callback(outlet.close)
            opened.pop_all()

    def send(self, event: Event) -> None:
        """See `Outlet`."""
        for outlet in self._opened:
            outlet.send(event)

    def close(self) -> None:
        """See `Outlet`."""
        for outlet in self._opened:
            outlet.close()


class OutletSink(Sink):
    """Gives each new result of a run to outlets, which the caller closes. It stands behind what writes the result down."""

    def __init__(self, outlets: Outlet, station: str | None, identity: Mapping[str, object]) -> None:
        self._outlets, self._station, self._identity = outlets, station, identity

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        self._outlets.send(event_of(record, station=self._station, time=datetime.now(UTC), identity=self._identity))
        return record
