"""Inspect images with a running `oddlens serve`, with Python's own library only.

    python inspect_parts.py http://127.0.0.1:8000 line-3 parts/*.jpg

Prints score, verdict and path of each. The token of a service that asks for one is taken from $ODDLENS_TOKEN.
Exit code: 0, or 1 if an image has no verdict.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

TRIES = 5
PASSING = (429, 503, 504)
"""The service is busy, or not ready: send it again."""


def inspect(service: str, station: str, image: Path) -> dict:
    """The result of an image. Raises `OSError`, whose text is the service's sentence."""
    content = image.read_bytes()
    headers = {
        "Content-Type": "application/octet-stream",
        # The same image under the same name is inspected once, however often it is sent.
        "Idempotency-Key": hashlib.sha256(image.name.encode() + content).hexdigest(),
    }
    if token := os.environ.get("ODDLENS_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    url = f"{service.rstrip('/')}/api/stations/{quote(station, safe='')}/inspect?name={quote(image.name, safe='')}"
    for attempt in range(1, TRIES + 1):
        try:
            with urlopen(Request(url, content, headers), timeout=30) as answer:
                return json.load(answer)
        except HTTPError as error:
            sentence = json.load(error).get("error", error.reason)
            if error.code not in PASSING or attempt == TRIES:
                raise OSError(sentence) from None
            time.sleep(float(error.headers.get("Retry-After", 1)))
        except URLError as error:
            if attempt == TRIES:
                raise OSError(f"{service} does not answer: {error.reason}") from None
            time.sleep(attempt)
    raise AssertionError


def main() -> int:
    """The command line."""
    service, station, *images = sys.argv[1:]
    failed = 0
    for image in map(Path, images):
        try:
            result = inspect(service, station, image)
            print(f"{result['score']:.4f}\t{result['verdict']}\t{image}")
        except OSError as error:
            print(f"{image}: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
