"""Addresses as they are shown: without what nobody may see."""

import pytest

from oddlens.io.addresses import shown_address


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
