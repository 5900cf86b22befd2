"""Addresses: of cameras, brokers and programs that wait for results, as people may see them; and those to listen on."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
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


def bound(host: str, port: int) -> socket.socket:
    """A socket that a server can listen on, so that a wrong address is one sentence before anything else begins.

    Args:
        host: A name or an address of this machine.
        port: 0: any that is free.

    Raises:
        UsageError: There is no such address, or it cannot be listened on.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"there is no address {printable(host)}: give one of this machine") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        raise UsageError(
            f"{printable(host)}:{port} cannot be listened on ({error.strerror}): give another --port or --host"
        ) from error
    return found


def name_of(host: str) -> str:
    """The name or address in "name:port", an address of IPv6 in its brackets.

    Examples:
        >>> name_of("line-pc:8000"), name_of("[::1]:8000")
        ('line-pc', '[::1]')
    """
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a name or an address leads to this machine only."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost" or host.casefold().endswith(".localhost")
