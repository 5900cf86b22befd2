"""How this process gets a Ray: one that is started on this machine, or one that runs already. Neither prints anything."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from oddlens.errors import UsageError, first_line, printable
from oddlens.io.addresses import shown_address

_STORE = 1 << 28
"""Bytes of the object store of a Ray that is started here, beside what the workers are sent."""

_LEFT_ALONE = {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
"""How soon the processes of a Ray that was started here end where ours was killed, in seconds: Ray's own default is a minute."""

_ANSWER_S = 10.0
"""So long may a cluster take to answer."""


def start(count: int, size: int, threads: dict[str, str]) -> None:
    """Start Ray on this machine, for so many workers, each of which counts as one processor.

    size: of what every worker gets, in bytes. threads: the environment that gives each its threads.

    Ray starts as many processes beforehand as it has processors. Workers are among them, where they need no environment of their
    own: they have the one in which Ray started.
    """
    settings = {name: value for name, value in _LEFT_ALONE.items() if name not in os.environ} | threads
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        _init(
            "on this machine",
            "try again when less else runs here, or run without an engine",
            address="local",
            num_cpus=count,
            include_dashboard=False,
            object_store_memory=_STORE + 2 * size,
        )
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def join(address: str) -> None:
    """Connect with a cluster. Ray itself would ask for minutes, in silence, where nothing answers."""
    has_scheme = "://" in address
    where = f"at {shown_address(address) if has_scheme else printable(address)}"
    advice = "start it, or give another --address"
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and not has_scheme:
        try:
            socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or first_line(error)
            raise UsageError(f"no Ray can be had {where} ({reason}): {advice}") from error
    _init(where, advice, address=address)


def _init(where: str, advice: str, **settings: Any) -> None:
    """Start Ray, or connect with it. Raises `UsageError` where that fails; advice: what to do then."""
    import ray

    try:
        with _quiet_terminal(), _own_signals():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)
    except Exception as error:  # which is what it raises where a part of it is not there in time
        raise UsageError(f"no Ray can be had {where} ({first_line(error)}): {advice}") from error


@contextmanager
def _quiet_terminal() -> Iterator[None]:
    """Standard error leads nowhere: what Ray's own library writes there, for a moment, is for its developers."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _own_signals() -> Iterator[None]:
    """SIGTERM does afterwards what it did before: Ray takes it for itself, prints a stack, and leaves with exit code 15.

    Ctrl-C waits until Ray has started, because Ray's library may crash where it is interrupted then; a second one does not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminate, interrupt = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    asked = False

    def wait(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, interrupt)

    if callable(interrupt):
        signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        if callable(interrupt):
            signal.signal(signal.SIGINT, interrupt)
        if terminate is not None:
            signal.signal(signal.SIGTERM, terminate)
    if asked:
        signal.raise_signal(signal.SIGINT)


def quiet_handlers() -> None:
    """Let Ray's logger say only errors in the terminal; its files keep all."""
    for handler in logging.getLogger("ray").handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.ERROR)
