"""The stream of events: numbers, replay, reset, and clients that go away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from threading import Thread
from typing import Any, cast

from oddlens.inference.event_hub import EventHub


def listen(hub: EventHub, last: int | None = None, station: str | None = None) -> AsyncGenerator[str]:
    return cast("AsyncGenerator[str]", hub.stream(last, station))


def read(text: str) -> list[dict[str, Any]]:
    """The events in what was sent."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def test_events_come_from_any_thread_with_growing_numbers() -> None:
    async def story() -> None:
        hub = EventHub()
        async with aclosing(listen(hub)) as stream:
            assert await anext(stream) == "retry: 2000\n\n"
            threads = [Thread(target=hub.publish, args=("result", "a", {"n": n})) for n in range(20)]
            for thread in threads:
                thread.start()
            found: list[dict[str, Any]] = []
            while len(found) < 20:
                found += read(await anext(stream))
        assert sorted(each["data"]["n"] for each in found) == list(range(20))
        numbers = [each["id"] for each in found]
        assert numbers == list(range(numbers[0], numbers[0] + 20))
        assert {each["kind"] for each in found} == {"result"}
        assert {each["station"] for each in found} == {"a"}

    asyncio.run(story())


def test_who_comes_back_gets_what_was_missed() -> None:
    async def story() -> None:
        hub = EventHub()
        for number in range(5):
            hub.publish("result", "a", {"n": number})
        async with aclosing(listen(hub)) as stream:
            await anext(stream)
            hub.publish("result", "a", {"n": 5})
            (last,) = read(await anext(stream))
        async with aclosing(listen(hub, last["id"] - 3)) as stream:
            assert read(await anext(stream)) == []
            assert [each["data"]["n"] for each in read(await anext(stream))] == [3, 4, 5]

    asyncio.run(story())


def test_a_client_that_knows_the_last_number_misses_nothing() -> None:
    async def story() -> None:
        hub = EventHub()
        hub.publish("result", "a", {"n": 0})
        last = hub.last
        hub.publish("result", "a", {"n": 1})
        async with aclosing(listen(hub, last)) as stream:
            await anext(stream)
            found = read(await anext(stream))
        assert [(each["data"]["n"], each["id"]) for each in found] == [(1, last + 1)]
        assert hub.last == last + 1

    asyncio.run(story())


def test_what_is_gone_is_said() -> None:
    async def story() -> None:
        hub = EventHub(kept=3)
        async with aclosing(listen(hub)) as stream:
            await anext(stream)
            hub.publish("result", "a", {})
            (first,) = read(await anext(stream))
            for _ in range(10):  # more than is kept, while the client is busy
                hub.publish("result", "a", {})
            (reset,) = read(await anext(stream))
            assert reset["kind"] == "reset"
            assert reset["id"] == first["id"] + 10
        for last in (first["id"], 17, first["id"] + 10_000):  # too old, of an earlier run, of nowhere
            async with aclosing(listen(hub, last)) as stream:
                await anext(stream)
                assert [each["kind"] for each in read(await anext(stream))] == ["reset"]

    asyncio.run(story())


def test_one_station_alone_can_be_listened_to() -> None:
    async def story() -> None:
        hub = EventHub()
        async with aclosing(listen(hub, station="a")) as stream:
            await anext(stream)
            for name in ("b", "a", None):
                hub.publish("station", name, {})
            hub.publish("station", "a", {"last": True})
            found = read(await anext(stream))
            while not found[-1]["data"]:
                found += read(await anext(stream))
        assert [each["station"] for each in found] == ["a", "a"]

    asyncio.run(story())


def test_a_silent_stream_shows_that_it_lives_and_ends_with_the_service() -> None:
    async def story() -> None:
        hub = EventHub(heartbeat_s=0.01)
        async with aclosing(listen(hub)) as stream:
            await anext(stream)
            assert (await anext(stream)).startswith(":")
            assert hub.listener_count == 1
            hub.close()
            assert [each async for each in stream if not each.startswith(":")] == []
        assert hub.listener_count == 0

    asyncio.run(story())


def test_hostile_text_stays_on_its_line() -> None:
    async def story() -> None:
        hub = EventHub()
        async with aclosing(listen(hub)) as stream:
            await anext(stream)
            hub.publish("result", "a\n\ndata: {}", {"source": "x\r\nid: 7\n\n\u2028</script>"})
            sent = await anext(stream)
            assert sent.count("\n") == 3
            assert sent.isascii()
            assert read(sent)[0]["data"]["source"] == "x\r\nid: 7\n\n\u2028</script>"

    asyncio.run(story())
