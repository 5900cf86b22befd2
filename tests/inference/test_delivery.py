"""Results on their way: nothing waits for them, none is lost in silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from oddlens.inference.delivery import DELAYS, Delivery, Event, NeverError, NotNowError


class Receiver:
    """Takes events, or fails. fails: what the next attempts raise; open: while it is not set, it hangs."""

    def __init__(self) -> None:
        self.taken: list[Event] = []
        self.fails: list[Exception] = []
        self.attempts = 0
        self.open = threading.Event()
        self.open.set()
        self.said: list[tuple[bool, str]] = []

    def __call__(self, event: Event) -> None:
        self.attempts += 1
        self.open.wait(10)
        if self.fails:
            raise self.fails.pop(0)
        self.taken.append(event)

    def say(self, is_ok: bool, sentence: str) -> None:
        self.said.append((is_ok, sentence))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def until(is_so: Callable[[], object]) -> None:
    limit = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.002)


def numbered(count: int) -> list[Event]:
    return [{"number": number} for number in range(count)]


def test_events_come_in_their_order_and_the_end_waits_for_them(receiver: Receiver) -> None:
    delivery = Delivery("it", receiver, receiver.say)
    for event in numbered(20):
        delivery.send(event)
    delivery.close()
    assert receiver.taken == numbered(20)
    assert not receiver.said


def test_what_fails_is_tried_again_and_said_once(receiver: Receiver) -> None:
    receiver.fails = [NotNowError("no route")] * 3
    delivery = Delivery("the webhook", receiver, receiver.say, delays=(0.0,))
    for event in numbered(2):
        delivery.send(event)
    delivery.close()
    assert receiver.taken == numbered(2)
    assert receiver.said == [
        (False, "the webhook cannot be reached (no route): it is tried again"),
        (True, "the webhook takes results again"),
    ]


def test_the_delays_grow() -> None:
    assert DELAYS == (1, 2, 4, 8, 16, 30, 60)


def test_what_is_refused_for_good_does_not_hold_up_the_others(receiver: Receiver) -> None:
    receiver.fails = [NeverError("it answered 400")]
    delivery = Delivery("it", receiver, receiver.say)
    for event in numbered(2):
        delivery.send(event)
    delivery.close()
    assert receiver.taken == numbered(2)[1:]
    assert receiver.said[0] == (False, "it does not take a result (it answered 400): it is left out")


def test_a_fault_that_nobody_foresaw_costs_one_result(receiver: Receiver) -> None:
    receiver.fails = [ValueError("geheim")]
    delivery = Delivery("it", receiver, receiver.say)
    for event in numbered(2):
        delivery.send(event)
    delivery.close()
    assert receiver.taken == numbered(2)[1:]
    assert receiver.said[0] == (False, "it does not take a result (ValueError): it is left out")


def test_nobody_waits_for_a_receiver_that_hangs_and_what_is_dropped_is_said(receiver: Receiver) -> None:
    receiver.open.clear()
    delivery = Delivery("it", receiver, receiver.say, most=5)
    delivery.send({"number": 0})
    until(lambda: receiver.attempts)
    for event in numbered(9)[1:]:
        delivery.send(event)
    assert receiver.said == [(False, "it takes results too slowly: the oldest of 5 that wait are dropped")]
    receiver.open.set()
    delivery.close()
    assert [event["number"] for event in receiver.taken] == [0, 4, 5, 6, 7, 8]
    assert receiver.said[1:] == [(True, "it takes results again; 3 results were dropped")]


def test_the_end_waits_for_a_while_only_and_says_what_is_lost(receiver: Receiver) -> None:
    receiver.open.clear()
    delivery = Delivery("it", receiver, receiver.say, patience_s=0.05)
    for event in numbered(3):
        delivery.send(event)
    delivery.close()
    assert receiver.said == [(False, "it did not get 3 results")]
    receiver.open.set()
