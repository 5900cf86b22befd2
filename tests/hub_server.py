"""A model hub on loopback, for the hub's own client: repositories out of folders, large files by redirect, lines that break.

It answers what the client asks of the real one to list and to fetch files: `api/models/REPO`, `.../tree/REVISION`, and
`REPO/resolve/REVISION/FILE` with the headers that files are cached by. Weights are LFS files: their hash is told, and a redirect
leads to them.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

_LARGE = {".bin", ".safetensors", ".pt", ".msgpack"}
_COMMITS = {"main": "a" * 40, "v1": "b" * 40}


@dataclass
class HubServer:
    """The hub's state. Tests change it between calls.

    folder: root/REVISION/OWNER/NAME/FILE. gated: repositories that need a token. cut: how many bytes of a large file ever come;
    every line breaks there; None is all. wrong_hash: files that the hub tells a wrong hash of. log: of what was asked: method,
    path, range.
    """

    folder: Path
    url: str = ""
    gated: set[str] = field(default_factory=set)
    cut: int | None = None
    wrong_hash: set[str] = field(default_factory=set)
    log: list[tuple[str, str, str]] = field(default_factory=list)

    def put(self, hub_id: str, files: dict[str, bytes], revision: str = "main") -> None:
        """Add a repository, or files to one."""
        place = self.folder / revision / hub_id
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (place / name).write_bytes(content)

    def put_folder(self, hub_id: str, folder: Path, revision: str = "main") -> None:
        """As `put`, with the files of a folder."""
        self.put(hub_id, {path.name: path.read_bytes() for path in folder.iterdir()}, revision)

    def fetched(self) -> list[str]:
        """The names of the files whose content was asked for, in order."""
        return [
            path.rpartition("/")[2]
            for method, path, _ in self.log
            if method == "GET" and ("/resolve/" in path or "/lfs/" in path)
        ]


@contextmanager
def serving(folder: Path) -> Iterator[HubServer]:
    """A hub for the time of the block."""
    hub = HubServer(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlparse(self.path).path)
        self.hub.log.append((self.command, path, self.headers.get("Range", "")))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._about("/".join(parts[2:4]), parts[4:])
        elif parts[0] == "lfs":
            self._content(self.hub.folder / "/".join(parts[1:]), parts[1])
        elif parts[2:3] == ["resolve"]:
            self._file("/".join(parts[:2]), parts[3], parts[4])
        else:
            self._refuse(404, "EntryNotFound")

    def _about(self, hub_id: str, rest: list[str]) -> None:
        """What is known of a repository, or the files at its root."""
        revision = rest[1] if len(rest) > 1 else "main"
        place = self._place(hub_id, revision)
        if place is None:
            return
        files = sorted(path for path in place.iterdir())
        if rest[:1] == ["tree"]:
            self._json([self._entry(path) for path in files])
            return
        told = {
            "_id": "1",
            "id": hub_id,
            "modelId": hub_id,
            "sha": _COMMITS[place.parents[1].name],
            "private": False,
            "tags": [],
        }
        self._json(told | {"downloads": 0, "likes": 0, "siblings": [{"rfilename": path.name} for path in files]})

    def _entry(self, path: Path) -> dict[str, object]:
        content = path.read_bytes()
        told: dict[str, object] = {"type": "file", "path": path.name, "size": len(content), "oid": _blob_id(content)}
        if path.suffix in _LARGE:
            told["lfs"] = {"oid": self._sha256(path), "size": len(content), "pointerSize": 134}
        return told

    def _file(self, hub_id: str, revision: str, name: str) -> None:
        place = self._place(hub_id, revision)
        if place is None:
            return
        path = place / name
        if not path.is_file():
            self._refuse(404, "EntryNotFound")
        elif path.suffix in _LARGE:
            self._head(302, {
                "Location": f"{self.hub.url}/lfs/{path.relative_to(self.hub.folder)}",
                "X-Repo-Commit": _COMMITS[place.parents[1].name],
                "X-Linked-Size": str(path.stat().st_size),
                "X-Linked-ETag": f'"{self._sha256(path)}"',
                "Content-Length": "0",
            })  # fmt: skip
        else:
            self._content(path, place.parents[1].name)

    def _content(self, path: Path, revision: str) -> None:
        content = path.read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        tag = self._sha256(path) if path.suffix in _LARGE else _blob_id(content)
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": _COMMITS[revision], "Accept-Ranges": "bytes"}
        headers["Content-Length"] = str(len(content) - start)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, headers)
        if self.command == "HEAD":
            return
        if path.suffix in _LARGE and self.hub.cut is not None:
            self.wfile.write(content[start : self.hub.cut])
            self.close_connection = True
            return
        self.wfile.write(content[start:])

    def _place(self, hub_id: str, revision: str) -> Path | None:
        """The folder of a repository at a revision; None where it was refused."""
        name = next((name for name, commit in _COMMITS.items() if revision in (name, commit)), revision)
        if hub_id in self.hub.gated and not self.headers.get("Authorization"):
            self._refuse(401, "GatedRepo")
        elif not any(self.hub.folder.glob(f"*/{hub_id}")):
            self._refuse(401, "RepoNotFound")
        elif not (self.hub.folder / name / hub_id).is_dir():
            self._refuse(404, "RevisionNotFound")
        else:
            return self.hub.folder / name / hub_id
        return None

    def _sha256(self, path: Path) -> str:
        return hashlib.sha256(path.read_bytes() + (b"!" if path.name in self.hub.wrong_hash else b"")).hexdigest()

    def _refuse(self, status: int, code: str) -> None:
        self._json({"error": code}, status, {"X-Error-Code": code, "X-Error-Message": code})

    def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})})
        if self.command == "GET":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _blob_id(content: bytes) -> str:
    """As git names a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
