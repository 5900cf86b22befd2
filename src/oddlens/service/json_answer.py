"""Answers in JSON of whatever text there is: a file's name may be none in UTF-8, and is not a fault of who asks for it."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse


class JsonAnswer(JSONResponse):
    """An answer in JSON, in UTF-8. The bytes of undecodable names are escapes."""

    def render(self, content: object) -> bytes:
        """See `JSONResponse`."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")
