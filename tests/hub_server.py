"""A model hub on loopback, for the hub's own client: repositories out of folders, large files by redirect, lines that break.

It answers what the client asks of the real one to list and to fetch files: `api/models/REPO`, `.../tree/REVISION`, and
`REPO/resolve/REVISION/FILE` with the headers that files are cached by. Weights are LFS files: their hash is told, and a redirect
leads to them. And to push them: `api/repos/create`, `.../preupload`, the batches of LFS, and `.../commit` with its lines of JSON;
everything else that the client sends is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
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
    every line breaks there; None is all. wrong_hash: files that the hub tells a wrong hash of. token: what writing needs; None is
    that nobody may. private: of each repository that was made, whether it is. commits: the messages of what was pushed. log: of
    what was asked: method, path, range.
    """

    folder: Path
    url: str = ""
    gated: set[str] = field(default_factory=set)
    cut: int | None = None
    wrong_hash: set[str] = field(default_factory=set)
    token: str | None = None
    private: dict[str, bool] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    log: list[tuple[str, str, str]] = field(default_factory=list)

    def put(self, hub_id: str, files: dict[str, bytes], revision: str = "main") -> None:
        """Add a repository, or files to one."""
        place = self.folder / revision / hub_id
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
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

    def do_POST(self) -> None:
        path = unquote(urlparse(self.path).path).strip("/")
        self.hub.log.append((self.command, path, ""))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = path.split("/")
        if path == "api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._refuse(401, "")
        elif path == "api/repos/create":
            self._create(json.loads(body))
        elif parts[4:5] == ["preupload"]:
            wanted = [each["path"] for each in json.loads(body)["files"]]
            modes = {name: "lfs" if Path(name).suffix in _LARGE else "regular" for name in wanted}
            self._json(
                {"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]}
            )
        elif path.endswith(".git/info/lfs/objects/batch"):
            self._json({"transfer": "basic", "objects": [self._batch(each) for each in json.loads(body)["objects"]]})
        elif parts[4:5] == ["commit"]:
            self._commit("/".join(parts[2:4]), [json.loads(line) for line in body.splitlines()])
        else:
            self._refuse(404, "EntryNotFound")

    def do_PUT(self) -> None:
        name = self.path.strip("/").removeprefix("upload/")
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == name
        self._blob(name).parent.mkdir(parents=True, exist_ok=True)
        self._blob(name).write_bytes(content)
        self._head(200, {"Content-Length": "0"})

    def _blob(self, digest: str) -> Path:
        return self.hub.folder / "blobs" / digest

    def _create(self, asked: dict[str, object]) -> None:
        hub_id = f"{asked['organization']}/{asked['name']}"
        address = {"url": f"{self.hub.url}/{hub_id}"}
        if any(self.hub.folder.glob(f"*/{hub_id}")):
            self._json(address, 409)
            return
        self.hub.private[hub_id] = asked.get("visibility") == "private" or asked.get("private") is True
        (self.hub.folder / "main" / hub_id).mkdir(parents=True)
        self._json(address)

    def _batch(self, wanted: dict[str, object]) -> dict[str, object]:
        """Where a large file goes; nowhere where it is there already."""
        if self._blob(str(wanted["oid"])).is_file():
            return wanted
        return wanted | {"actions": {"upload": {"href": f"{self.hub.url}/upload/{wanted['oid']}"}}}

    def _commit(self, hub_id: str, lines: list[dict[str, dict[str, str]]]) -> None:
        place = self.hub.folder / "main" / hub_id
        for line in lines:
            kind, value = str(line["key"]), line["value"]
            if kind == "header":
                self.hub.commits.append(value["summary"])
            elif kind == "file":
                self.hub.put(hub_id, {value["path"]: base64.b64decode(value["content"])})
            elif kind == "lfsFile":
                self.hub.put(hub_id, {value["path"]: self._blob(value["oid"]).read_bytes()})
            elif kind == "deletedFile":
                (place / value["path"]).unlink()
            else:
                shutil.rmtree(place / value["path"])
        self._json({"commitUrl": f"{self.hub.url}/{hub_id}/commit/{_COMMITS['main']}", "commitOid": _COMMITS["main"]})

    def _answer(self) -> None:
        path = unquote(urlparse(self.path).path)
        self.hub.log.append((self.command, path, self.headers.get("Range", "")))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._about("/".join(parts[2:4]), parts[4:])
        elif parts[0] == "lfs":
            self._content(self.hub.folder / "/".join(parts[1:]), parts[1])
        elif parts[2:3] == ["resolve"]:
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._refuse(404, "EntryNotFound")

    def _about(self, hub_id: str, rest: list[str]) -> None:
        """What is known of a repository, or the files at its root."""
        revision = rest[1] if len(rest) > 1 else "main"
        place = self._place(hub_id, revision)
        if place is None:
            return
        files = sorted(path for path in place.rglob("*") if path.is_file())
        if rest[:1] == ["tree"]:
            whole = "recursive=true" in self.path.lower()
            self._json([self._entry(path, place) for path in files if whole or path.parent == place])
            return
        told = {
            "_id": "1",
            "id": hub_id,
            "modelId": hub_id,
            "sha": _COMMITS[place.parents[1].name],
            "private": False,
            "tags": [],
        }
        self._json(
            told
            | {
                "downloads": 0,
                "likes": 0,
                "siblings": [{"rfilename": path.relative_to(place).as_posix()} for path in files],
            }
        )

    def _entry(self, path: Path, place: Path) -> dict[str, object]:
        content, name = path.read_bytes(), path.relative_to(place).as_posix()
        told: dict[str, object] = {"type": "file", "path": name, "size": len(content), "oid": _blob_id(content)}
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
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _blob_id(content: bytes) -> str:
    """As git names a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
