"""OUT/results.parquet: the table of results with types, for programs that read many of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import needs_package
from oddlens.inference.records import Record
from oddlens.inference.sinks import COLUMNS, Sink, table_row
from oddlens.inference.task import RunInfo
from oddlens.io.atomic import remove, replacing

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "results.parquet"

_TYPES = {
    "score": "double", "is_anomalous": "bool", "threshold": "double", "p_value": "double", "regions": "int32",
    "largest_region": "int64", "largest_mm2": "double", "width": "int32", "height": "int32", "ms": "double", "audit": "bool",
}  # fmt: skip
"""Of the columns that hold no text."""

_ROWS = 8192
"""Rows that are held as Python values."""


class ParquetSink(Sink):
    """A Parquet file with the columns of results.csv, one row an image of the run in their order. It is written at the end.

    Failed images are rows, too. A file of an earlier run is removed when this one begins.

    Raises:
        UsageError: pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        with needs_package("pyarrow", f"{NAME} needs pyarrow, which is not installed: run pip install 'oddlens[ray]'"):
            import pyarrow  # noqa: F401
        self._path = path

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        self._tables: list[pa.Table] = []
        self._rows: list[dict[str, object]] = []

    def begin(self) -> None:
        """See `Sink`."""
        remove(self._path)

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        self._rows.append({name: _plain(value) for name, value in table_row(record).items()})
        if len(self._rows) == _ROWS:
            self._pack()
        return record

    def finish(self) -> None:
        """See `Sink`. A run without an image writes nothing."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pack()
        if any(map(len, self._tables)):
            with replacing(self._path) as temporary:
                pq.write_table(pa.concat_tables(self._tables), temporary)

    def _pack(self) -> None:
        """Hold the rows so far as arrays, which take a tenth of the memory."""
        import pyarrow as pa

        schema = pa.schema([(name, pa.type_for_alias(_TYPES.get(name, "string"))) for name in COLUMNS])
        self._tables.append(pa.Table.from_pylist(self._rows, schema))
        self._rows = []


def _plain(value: object) -> object:
    """A value that Arrow takes: what no text can hold, as in a file name of another encoding, becomes an escape."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
