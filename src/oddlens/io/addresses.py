"""Addresses of cameras, brokers and programs that wait for results, as people may see them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from oddlens.errors import UsageError, printable

_SECRET = re.compile(r"pass|pwd|user|token|key|auth|[=@]", re.IGNORECASE)


def shown_address(address: str) -> str:
    """An address without user and password: those before the host, those of a query, and those that cameras take in the path.

    Raises:
        UsageError: Its host or port cannot be read.

    Examples:
        >>> shown_address("rtsp://admin:secret@10.0.0.8:554/stream1?token=1")
        'rtsp://10.0.0.8:554/stream1'
        >>> shown_address("0"), shown_address("drives/monday.mp4")
        ('0', 'monday.mp4')
    """
    if "://" not in address:
        return printable(Path(address).name or address)
    try:
        parts = urlsplit(address)
        host = parts.hostname
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        host = None
    if not host:
        raise UsageError(
            "an address has no valid host and port: write it as rtsp://host:554/path, for instance"
        ) from None
    shown = f"[{host}]" if ":" in host else host
    path = "" if _SECRET.search(parts.path) else parts.path.rstrip("/")
    return printable(f"{parts.scheme}://{shown}{port}{path}")
