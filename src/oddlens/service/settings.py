"""What a service is asked: stations, where it keeps what it inspects, where it listens, and what it puts up with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from oddlens.errors import UsageError, shortened
from oddlens.history.records import Retention
from oddlens.io.addresses import is_loopback

HOME = Path("oddlens-service")
"""The folder that a service keeps its own things in, by default."""

LEAST_TOKEN = 16
"""Letters of a token: fewer can be guessed."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client may ask for.

    Attributes:
        max_bytes: Of a request's body.
        held_bytes: Of all bodies that are being read or inspected; None: eight times `max_bytes`.
        max_megapixels: Larger images are refused; None: see `oddlens.io.images.checked_limit`.
        max_files: In one request.
        queue: Images that wait for the model; one more is refused with 429.
        deadline_s: Seconds that an image may wait for its verdict.
        body_s: Seconds that the body of a request may take to come.
    """

    max_bytes: int = 64_000_000
    held_bytes: int | None = None
    max_megapixels: float | None = None
    max_files: int = 64
    queue: int = 64
    deadline_s: float = 30.0
    body_s: float = 120.0

    def __post_init__(self) -> None:
        """Raise `UsageError` for a limit that lets nothing through."""
        for name, value in vars(self).items():
            if value is not None and not (0 < value < math.inf):
                raise UsageError(f"{name} cannot be {shortened(value)}: give a number above 0")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A watched folder, or a camera, and the name of the station that inspects what it brings.

    address: a folder; of a camera a URL, or its number.
    """

    address: str
    station: str


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """All that `oddlens serve` is asked.

    Attributes:
        stations: Folders of stations.
        home: Where history, images and new stations lie.
        history: The database, a file or a URL; None: history.sqlite in `home`.
        host: The address to listen on.
        port: 0: any that is free.
        hosts: Further names that the service is reached by, as behind a reverse proxy.
        token: What a client must know; None: nothing on loopback, a generated one beyond it.
        watch: Folders.
        cameras: Cameras.
        move: Whether images leave watched folders for folders in them, by their verdict.
        sinks: Where results go besides, see `oddlens.inference.outlets.open_outlet`.
        retention: How long images stay.
        limits: What a client may ask for.
        audit: The share of images that is drawn at random for people to look at, 0 to 1.
        runtime: As `oddlens.load` takes it.
    """

    stations: tuple[Path, ...] = ()
    home: Path = HOME
    history: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    hosts: tuple[str, ...] = ()
    token: str | None = None
    watch: tuple[Source, ...] = ()
    cameras: tuple[Source, ...] = ()
    move: bool = False
    sinks: tuple[str, ...] = ()
    retention: Retention = field(default_factory=Retention)
    limits: Limits = field(default_factory=Limits)
    audit: float = 0.0
    runtime: str = "auto"

    def __post_init__(self) -> None:
        """Raise `UsageError` for what cannot be."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"there is no port {self.port}: give 0 to 65535")
        if not 0 <= self.audit <= 1:
            raise UsageError(f"the share that is audited cannot be {self.audit:g}: give a number from 0 to 1")
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not self.token.isascii()):
            raise UsageError(f"the token is too easy to guess: give {LEAST_TOKEN} letters or more, all of ASCII")

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the service."""
        return is_loopback(self.host)

    @property
    def database(self) -> str:
        """Where the history lies: a path or a URL."""
        return str(self.home / "history.sqlite") if self.history is None else self.history

    @property
    def pictures(self) -> Path:
        """The folder of kept images."""
        return self.home / "pictures"

    @property
    def made_stations(self) -> Path:
        """The folder of stations that are made on the page."""
        return self.home / "stations"
