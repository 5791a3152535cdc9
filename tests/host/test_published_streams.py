# SPDX-License-Identifier: Apache-2.0
"""The streams a configuration publishes on, and a line's verbs port: what is refused, and how."""

import os

import pytest
from pydantic import ValidationError

from host.config import ConfigError, FeedPublish, Line
from host.ipc.broadcast import BroadcastReader, BroadcastWriter
from host.ipc.event_tee import EventTee
from host.line_port import open_line
from host.publish.streams import PublishedStreams, read_secret
from nic.port import PortError

RDMA = {"device": "absent0", "address": "127.0.0.1", "port": 26500}


def test_a_secret_is_read_and_kept_private(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"a secret of the house\n")
    path.chmod(0o600)
    assert read_secret(path) == b"a secret of the house"
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"others may read the secret: chmod 600"):
        read_secret(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_secret(tmp_path / "absent")


def test_a_device_that_is_not_there_leaves_nothing_behind(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"a secret of the house")
    secret.chmod(0o600)
    ring = tmp_path / "ring"
    settings = FeedPublish(path=ring, slots=64, rdma={**RDMA, "secret_file": secret})
    with pytest.raises(PortError, match=r"absent0|rdma was not built") as caught:
        PublishedStreams(settings)
    assert "\n" not in str(caught.value)
    assert not ring.exists()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "neither a path nor rdma"),
        ({"path": "/x", "slots": 100}, "power of two"),
        ({"slots": 1 << 25, "rdma": {**RDMA, "secret_file": "s"}}, "16,777,216"),
        ({"rdma": RDMA}, "secret_file"),
    ],
)
def test_settings_that_cannot_be(values, text):
    with pytest.raises(ValidationError, match=text):
        FeedPublish(**values)


def test_two_streams_get_the_same_events(tmp_path):
    paths = [tmp_path / "left", tmp_path / "right"]
    left, right = (BroadcastWriter(path, slots=64) for path in paths)
    tee = EventTee(left, right)
    readers = [BroadcastReader(path) for path in paths]
    for number in range(40):
        assert tee.publish_event(os.urandom(56))
        assert tee.published == number + 1
    tee.beat(77)
    assert readers[0].read(64) == readers[1].read(64)
    assert [reader.heard() for reader in readers] == [77, 77]
    tee.close()
    assert not tee.publish_event(bytes(56))
    for reader in readers:
        with pytest.raises(EOFError):
            reader.read()
        reader.close()


def test_streams_that_differ_are_no_pair(tmp_path):
    left = BroadcastWriter(tmp_path / "left", slots=64, slot_bytes=64)
    right = BroadcastWriter(tmp_path / "right", slots=64, slot_bytes=128)
    with left, right, pytest.raises(ValueError, match="different events"):
        EventTee(left, right)


LINE = {"name": "A", "group": "239.1.1.1", "port": 5000, "interface": "feed0"}


def test_a_verbs_line_names_its_device():
    with pytest.raises(ValidationError, match="a device is for"):
        Line(**LINE, path="verbs")
    with pytest.raises(ValidationError, match="a device is for"):
        Line(**LINE, path="udp", device="mlx5_0")
    with pytest.raises(PortError, match=r"absent0|not built") as caught:
        open_line(Line(**LINE, path="verbs", device="absent0"))
    assert "\n" not in str(caught.value)
