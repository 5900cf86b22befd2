"""Addresses as they are shown: without what nobody may see."""

import pytest

from oddlens.io.addresses import is_loopback, name_of, shown_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://a:b@cam/stream", "rtsp://cam/stream"),
        ("rtsp://a:b@c@10.0.0.8:554/stream", "rtsp://10.0.0.8:554/stream"),
        ("rtsp://[fe80::1]:554/x", "rtsp://[fe80::1]:554/x"),
        ("rtsp://cam:554/user=admin_password=x_channel=1.sdp", "rtsp://cam:554"),
        ("http://cam/video?pwd=x#y", "http://cam/video"),
        ("1", "1"),
    ],
)
def test_addresses_as_they_are_shown(address: str, shown: str) -> None:
    assert shown_address(address) == shown


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST", "a.localhost"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "localhost.example.com", "line-3", ""])
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("line-pc", "line-pc"),
        ("line-pc:8000", "line-pc"),
        ("10.0.0.8:80", "10.0.0.8"),
        ("[::1]", "[::1]"),
        ("[fe80::1]:8000", "[fe80::1]"),
        ("", ""),
    ],
)
def test_a_name_without_its_port(host: str, name: str) -> None:
    assert name_of(host) == name
