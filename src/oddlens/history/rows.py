"""How inspections become rows of the tables, and rows inspections."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, RowMapping, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from oddlens.detection import ValueRange
from oddlens.history.filters import to_number, to_time
from oddlens.history.records import Inspection, NewInspection
from oddlens.history.tables import DETAILS, IDENTITIES, INSPECTIONS, as_text, searched

_ROW = INSPECTIONS.c
WHOLE = select(INSPECTIONS, DETAILS, IDENTITIES.c.document.label("identity")).join(DETAILS).join(IDENTITIES)
"""All of inspections, as `inspection_of` takes them."""

_IDENTITY = select(IDENTITIES.c.id).where(IDENTITIES.c.sha256 == bindparam("sha256"))
_EARLIER = WHOLE.where(_ROW.station == bindparam("of_station"), _ROW.key == bindparam("of_key"))
_ADD_IDENTITY = {each.dialect.name: each.insert(IDENTITIES).on_conflict_do_nothing() for each in (postgresql, sqlite)}
_ADD = {
    each.dialect.name: each.insert(INSPECTIONS).on_conflict_do_nothing().returning(_ROW.id)
    for each in (postgresql, sqlite)
}


@dataclass(frozen=True)
class Prepared:
    """An inspection as it goes into the tables. What cannot be written fails here, before it waits with others."""

    new: NewInspection
    row: dict[str, object]
    details: dict[str, object]
    identity: dict[str, object]

    @classmethod
    def of(cls, new: NewInspection) -> Prepared:
        """An inspection prepared."""
        source, scale = as_text(new.source), new.value_range
        row = {name: getattr(new, name) for name in set(_ROW.keys()) & set(vars(new))} | {
            "time": to_number(new.time), "source": source, "error": as_text(new.error), "outcome": new.outcome,
            "score": new.score, "region_name": _region_name(new), "key": as_text(new.key), "searched": searched(source),
            "station": as_text(new.station),
        }  # fmt: skip
        details: dict[str, object] = {
            "detection": None if new.detection is None else json.dumps(dict(new.detection), allow_nan=False),
            "range_low": scale and scale.low, "range_high": scale and scale.high, "range_label": scale and scale.label,
        }  # fmt: skip
        document = json.dumps(dict(new.identity), sort_keys=True)
        return cls(
            new, row, details, {"sha256": hashlib.sha256(document.encode("ascii")).hexdigest(), "document": document}
        )

    def add(self, connection: Connection) -> Inspection:
        """Write it; returns it, or the earlier one of the same key."""
        dialect = connection.dialect.name
        identity = connection.scalar(_IDENTITY, self.identity)
        if identity is None:
            connection.execute(_ADD_IDENTITY[dialect], self.identity)
            identity = connection.scalar(_IDENTITY, self.identity)
        number = connection.scalar(_ADD[dialect], self.row | {"identity_id": identity})
        if number is None:
            earlier = {"of_station": self.row["station"], "of_key": self.row["key"]}
            return inspection_of(connection.execute(_EARLIER, earlier).mappings().one())
        connection.execute(insert(DETAILS), self.details | {"inspection_id": number})
        written = {name: self.row[name] for name in ("station", "source", "error", "key")}
        time = to_time(cast("int", self.row["time"]))
        return Inspection(**vars(self.new) | written | {"time": time, "id": number})


def inspection_of(row: RowMapping) -> Inspection:
    """The inspection that a row of `WHOLE` describes."""
    names = set(Inspection.__dataclass_fields__)
    detection, low = row["detection"], row["range_low"]
    return Inspection(
        **{name: each for name, each in row.items() if name in names}
        | {
            "time": to_time(row["time"]),
            "detection": None if detection is None else json.loads(detection),
            "identity": json.loads(row["identity"]),
            "value_range": None if low is None else ValueRange(low, row["range_high"], row["range_label"]),
        }
    )


def _region_name(new: NewInspection) -> str | None:
    """What the hottest region may be; None where nobody knows."""
    regions = cast("list[dict[str, list[tuple[str, float]]]]", (new.detection or {}).get("regions") or [])
    names = regions[0].get("names") if regions else None
    return as_text(names[0][0]) if names else None
