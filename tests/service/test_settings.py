"""What a service may be asked."""

from __future__ import annotations

import pytest

from oddlens.errors import UsageError
from oddlens.service.settings import Limits, ServeSettings


def test_what_cannot_be_is_refused() -> None:
    for wrong, sentence in (
        ({"port": 70_000}, "there is no port 70000"),
        ({"audit": 1.5}, "the share that is audited cannot be 1.5"),
        ({"token": "short"}, "the token is too easy to guess"),
    ):
        with pytest.raises(UsageError, match=sentence):
            ServeSettings(**wrong)
    for limit in ("max_bytes", "max_files", "queue", "deadline_s"):
        with pytest.raises(UsageError, match=f"{limit} cannot be 0"):
            Limits(**{limit: 0})
    with pytest.raises(UsageError, match="deadline_s cannot be inf"):
        Limits(deadline_s=float("inf"))


def test_where_things_lie_by_default() -> None:
    settings = ServeSettings()
    assert settings.database == "oddlens-service/history.sqlite"
    assert ServeSettings(history="postgresql://line/parts").database == "postgresql://line/parts"
    assert settings.is_local
    assert not ServeSettings(host="0.0.0.0").is_local
