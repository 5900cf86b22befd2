"""The service under load, on loopback, against `oddlens detect` in the same run; and killed again and again.

    python benchmarks/service.py [--clients 50] [--seconds 60] [--size 512]
    python benchmarks/service.py --kill 20

Load: so many clients send images for so long, each the next one when it has its answer. By turns with it `detect` scores the same
images and writes their maps, which is what the service keeps. Then, with half of the clients, one client sends a byte a second and
one sends 1 GB. What must hold is printed with a mark, and the exit code is 1 where it does not: no error but 429, memory flat
within 10 % after the first quarter, throughput at least 0.9 of `detect`'s, and 0.8 of its own beside the two hostile clients.

Kills: SIGKILL at so many random moments while clients and a watched folder bring images; after each the service starts again. In
the end each answered inspection is there, and each image has exactly one.

Everything runs on one machine: clients take processor time from the service. The load of the machine is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
from PIL import Image

from oddlens.inference import demo

STATION = "line-3"
ODDLENS = (sys.executable, "-m", "oddlens")
NO_ERRORS = (200, 429)
TURNS = 3


@dataclass
class Tally:
    """What clients saw. codes: of answers; "broken": the connection broke. seconds: of the answers with 200."""

    codes: Counter[int | str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)

    def line(self, during: float) -> str:
        p50, p99 = np.percentile(self.seconds or [float("nan")], [50, 99])
        codes = ", ".join(f"{count} of {code}" for code, count in sorted(self.codes.items(), key=str))
        return f"{self.codes[200] / during:.1f} images/s, p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms; answers: {codes}"


class Service:
    """`oddlens serve` as a program of its own."""

    def __init__(self, home: Path, station: Path, *options: str) -> None:
        self._log = (home / "service.log").open("ab")
        started = time.perf_counter()
        command = [*ODDLENS, "serve", str(station), "--home", str(home), "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        self.url = ""
        for line in self.process.stderr:
            self._log.write(line)
            if b"http://" in line:
                self.url = line.split()[-1].decode()
                break
        if not self.url:
            sys.exit(f"the service did not start: {(home / 'service.log').read_text()}")
        self.seconds_to_start = time.perf_counter() - started
        self.host, self.port = urlsplit(self.url).hostname or "", urlsplit(self.url).port or 0

    @property
    def megabytes(self) -> float:
        """Its memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024

    def end(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        self.process.send_signal(with_signal)
        assert self.process.stderr is not None
        self._log.write(self.process.stderr.read())
        self._log.close()
        return self.process.wait()


class Connection:
    """A client's connection, kept open: one that is opened for each image would measure that."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, float]:
        """The code and body of an answer, and the seconds after which to come again."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._service.host, self._service.port)
        reader, writer = self._streams
        given = {"host": f"{self._service.host}:{self._service.port}", "content-length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        await writer.drain()
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        answer = await reader.readexactly(int(found["content-length"]))
        if found.get("connection") == "close":
            await self.close()
        return int(first.split()[1]), answer, float(found.get("retry-after", 0))

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def client(service: Service, images: list[bytes], until: float, tally: Tally, names: Iterator[str]) -> None:
    """Sends one image after the other, until a time, or until the service is gone."""
    connection = Connection(service)
    try:
        while time.monotonic() < until:
            name = next(names)
            await send(connection, image_of(name, images), name, tally)
    except (OSError, asyncio.IncompleteReadError):
        tally.codes["broken"] += 1
    await connection.close()


def image_of(name: str, images: list[bytes]) -> bytes:
    """The image that has a name, always the same one."""
    return images[zlib.crc32(name.encode()) % len(images)]


async def send(connection: Connection, image: bytes, name: str, tally: Tally) -> None:
    path, headers = f"/api/stations/{STATION}/inspect?name={quote(name)}", {"content-type": "image/jpeg"}
    started = time.monotonic()
    code, answer, later = await connection.ask("POST", path, image, **headers, **{"idempotency-key": name})
    tally.codes[code] += 1
    if code == 200:
        tally.seconds.append(time.monotonic() - started)
        tally.ids[name] = json.loads(answer)["id"]
    elif later:
        await asyncio.sleep(later)


async def load(
    service: Service, images: list[bytes], clients: int, seconds: float, prefix: str, tally: Tally | None = None
) -> list[float]:
    """So many clients for so long; the service's memory each half second. tally: gets what they saw."""
    seen = Tally() if tally is None else tally
    memory = list[float]()
    until = time.monotonic() + seconds

    async def watch() -> None:
        while time.monotonic() < until:
            memory.append(service.megabytes)
            await asyncio.sleep(0.5)

    names = (f"{prefix}-{number}.jpg" for number in range(10**9))
    await asyncio.gather(watch(), *(client(service, images, until, seen, names) for _ in range(clients)))
    return memory


async def drip(service: Service, until: float) -> str:
    """A client that sends a byte a second; how it ended."""
    reader, writer = await asyncio.open_connection(service.host, service.port)
    writer.write(_head(service, "content-length: 100000"))
    sent = 0
    while time.monotonic() < until and not reader.at_eof():
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                return f"it was told {(await reader.readline()).decode().strip()!r} after {sent} bytes"
        writer.write(b"x")
        sent += 1
    writer.close()
    return f"it had sent {sent} bytes when it gave up"


async def flood(service: Service) -> str:
    """A client that sends 1 GB without saying so; how it ended."""
    reader, writer = await asyncio.open_connection(service.host, service.port)
    writer.write(_head(service, "transfer-encoding: chunked"))
    sent, chunk = 0, b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    try:
        while sent < 1000:
            writer.write(chunk)
            await writer.drain()
            sent += 1
    except OSError:
        pass
    answer = b""
    with suppress(OSError):
        answer = await reader.readline()
    writer.close()
    return f"it was cut off after about {sent} MB{f', and told {answer.decode().strip()!r}' if answer else ''}"


def _head(service: Service, length: str) -> bytes:
    host = f"{service.host}:{service.port}"
    return f"POST /api/stations/{STATION}/inspect HTTP/1.1\r\nhost: {host}\r\ncontent-type: image/jpeg\r\n{length}\r\n\r\n".encode()


def make_images(folder: Path, count: int, size: int) -> list[Path]:
    """Images of the packaged part, each another one, as a camera writes them."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    parts = [
        np.asarray(Image.open(path).resize((size, size))) for path in sorted((demo.FOLDER / "star/test").rglob("*.jpg"))
    ]
    for number in range(count):
        noisy = parts[number % len(parts)].astype(int) + rng.integers(-8, 9, (size, size, 1))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / f"{number:04}.jpg", quality=90)
    return sorted(folder.iterdir())


def make_station(folder: Path) -> Path:
    references = str(demo.FOLDER / "star/train/good")
    command = [*ODDLENS, "station", "create", str(folder / STATION), "--object", "star", "--reference", references]
    subprocess.run(command, check=True, capture_output=True)
    return folder / STATION


@dataclass(frozen=True)
class Speed:
    """Images, the seconds that they took, and the processor's seconds."""

    images: int = 0
    seconds: float = 0.0
    processor_s: float = 0.0

    def __add__(self, other: Speed) -> Speed:
        return Speed(self.images + other.images, self.seconds + other.seconds, self.processor_s + other.processor_s)

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    def __str__(self) -> str:
        return f"{self.rate:.1f} images/s, {1000 * self.processor_s / self.images:.0f} ms of processors an image"


def processor_s(process: int) -> float:
    """The processor's seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def detect(station: Path, images: Path, out: Path) -> Speed:
    """`oddlens detect` with maps, without its start: from its first line to its last."""
    shutil.rmtree(out, ignore_errors=True)
    command = [*ODDLENS, "detect", str(images), "--station", str(station), "--out", str(out), "--write", "maps"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = last = (0, 0.0, 0.0)
    while process.poll() is None:
        found = (out / "results.jsonl").read_bytes().count(b"\n") if (out / "results.jsonl").exists() else 0
        with suppress(OSError):
            if found > last[0]:
                last = found, time.perf_counter(), processor_s(process.pid)
                first = last if not first[0] else first
        time.sleep(0.01)
    return Speed(*(end - begin for begin, end in zip(first, last, strict=True)))  # type: ignore[arg-type]


def under_load(home: Path, clients: int, seconds: float, size: int) -> bool:
    """Three times `detect` and the load, by turns: what else the machine does is the same for both."""
    station, paths = make_station(home), make_images(home / "images", 100, size)
    images = [path.read_bytes() for path in paths]
    service = Service(home, station)
    print(f"started in {service.seconds_to_start:.2f} s; load of the machine {os.getloadavg()[0]:.1f}")
    asyncio.run(load(service, images, 4, 3.0, "warm"))
    tally, memory, theirs, ours = Tally(), list[float](), Speed(), Speed()
    for turn in range(TURNS):
        theirs += detect(station, home / "images", home / "out")
        before, begun = processor_s(service.process.pid), tally.codes[200]
        more = asyncio.run(load(service, images, clients, seconds / TURNS, f"load-{turn}", tally))
        memory += more
        ours += Speed(tally.codes[200] - begun, seconds / TURNS, processor_s(service.process.pid) - before)
    half, part = max(1, clients // 2), seconds / TURNS
    alone, beside = Tally(), Tally()
    for turn in range(TURNS):
        asyncio.run(load(service, images, half, part / 2, f"alone-{turn}", alone))
        endings = asyncio.run(beside_hostile_clients(service, images, half, part / 2, beside, f"beside-{turn}"))
    code = service.end()
    settled = memory[len(memory) // 4 :]
    growth = max(settled) / settled[0] - 1
    share = beside.codes[200] / alone.codes[200]
    print(f"detect: {theirs}")
    print(f"service: {ours}")
    print(f"{clients} clients, {seconds:g} s: {tally.line(seconds)}")
    print(f"memory: {settled[0]:.0f} MB after a quarter, {max(settled):.0f} MB at most")
    print(f"{half} clients: {alone.line(TURNS * part / 2)}")
    print(f"beside two hostile ones: {beside.line(TURNS * part / 2)}")
    for ending in endings:
        print(f"  {ending}")
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    return all(
        [
            holds("no error but 429", all(set(each.codes) <= set(NO_ERRORS) for each in (tally, alone, beside))),
            holds(f"memory flat within 10 % ({100 * growth:+.1f} %)", growth < 0.1),
            holds(
                f"throughput at least 0.9 of detect's ({ours.rate / theirs.rate:.2f})", ours.rate >= 0.9 * theirs.rate
            ),
            holds(f"hostile clients harm nobody ({share:.2f} of the throughput without them)", share >= 0.8),
            holds(f"SIGTERM ends it with 0 ({code})", code == 0),
        ]
    )


async def beside_hostile_clients(
    service: Service, images: list[bytes], clients: int, seconds: float, tally: Tally, prefix: str
) -> tuple[str, str]:
    _, slow, large = await asyncio.gather(
        load(service, images, clients, seconds, prefix, tally),
        drip(service, time.monotonic() + seconds),
        flood(service),
    )
    return f"a byte a second: {slow}", f"1 GB: {large}"


def killed(home: Path, kills: int, size: int) -> bool:
    """See the top of this file."""
    station, paths = make_station(home), make_images(home / "images", 60, size)
    images = [path.read_bytes() for path in paths]
    incoming = home / "incoming"
    incoming.mkdir()
    watched = make_images(home / "watched-images", 20 * kills, 64)
    rng = random.Random(0)
    tally, asked, starts, codes = Tally(), set[str](), list[float](), Counter[int | str]()
    for kill in range(kills + 1):
        service = Service(home, station, "--watch", f"{incoming}={STATION}")
        starts.append(service.seconds_to_start)
        for path in watched[20 * kill : 20 * kill + 20]:
            shutil.copy2(path, incoming / path.name)
        if kill == kills:
            break
        with killing(service, rng.uniform(0.3, 2.5)):
            names = (f"{kill}-{number}.jpg" for number in range(10**9))
            noted = _noted(names, asked)
            asyncio.run(_clients(service, images, tally, noted))
        codes.update(tally.codes)
        tally.codes.clear()
    retried = asyncio.run(_again(service, images, sorted(asked - tally.ids.keys())))
    before = dict(tally.ids)
    for name, number in retried.ids.items():
        tally.ids.setdefault(name, number)
    found = asyncio.run(_all_results(service, len(asked) + len(watched)))
    code = service.end()
    by_id = {item["id"]: item["source"] for item in found}
    counts = Counter(Path(str(item["source"])).name for item in found)
    expected = asked | {path.name for path in watched}
    print(f"{kills} kills; starts took {statistics.median(starts):.2f} s, {max(starts):.2f} s at most")
    print(
        f"{len(before)} answered before their kill, {len(asked) - len(before)} not; {len(watched)} in the watched folder"
    )
    print(f"answers: {dict(codes)}; load of the machine {os.getloadavg()[0]:.1f}")
    return all(
        [
            holds("none lost that was answered", all(by_id.get(number) == name for name, number in before.items())),
            holds("none twice", all(count == 1 for count in counts.values())),
            holds(f"all there in the end ({len(counts)} of {len(expected)})", counts.keys() == expected),
            holds(f"SIGTERM ends it with 0 ({code})", code == 0),
        ]
    )


def _noted(names: Iterator[str], asked: set[str]) -> Iterator[str]:
    for name in names:
        asked.add(name)
        yield name


async def _clients(service: Service, images: list[bytes], tally: Tally, names: Iterator[str]) -> None:
    until = time.monotonic() + 60
    await asyncio.gather(*(client(service, images, until, tally, names) for _ in range(8)))


async def _again(service: Service, images: list[bytes], names: list[str]) -> Tally:
    """Send what was not answered once more, under its key."""
    tally, connection = Tally(), Connection(service)
    for name in names:
        await send(connection, image_of(name, images), name, tally)
    await connection.close()
    return tally


async def _all_results(service: Service, count: int) -> list[dict[str, object]]:
    """All results, when the watched folder is done."""
    connection, found = Connection(service), list[dict[str, object]]()
    limit = time.monotonic() + 60
    while len(found) < count and time.monotonic() < limit:
        await asyncio.sleep(1.0)
        found, cursor = [], ""
        while True:
            _, answer, _ = await connection.ask("GET", f"/api/results?station={STATION}&limit=200{cursor}")
            page = json.loads(answer)
            found += page["items"]
            if page["next"] is None:
                break
            cursor = f"&cursor={quote(page['next'])}"
    await connection.close()
    return found


@contextmanager
def killing(service: Service, after: float) -> Iterator[None]:
    """SIGKILL after some seconds, while the block runs."""
    timer = threading.Timer(after, lambda: service.process.send_signal(signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        service.end(signal.SIGKILL)


def holds(what: str, it_does: bool) -> bool:
    print(f"{'holds' if it_does else 'FAILS'}: {what}")
    return it_does


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", type=int, default=512, help="the side of the images, in pixels")
    parser.add_argument("--kill", type=int, default=0, metavar="N")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        if given.kill:
            is_well = killed(Path(home), given.kill, given.size)
        else:
            is_well = under_load(Path(home), given.clients, given.seconds, given.size)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
