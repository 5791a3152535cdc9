# SPDX-License-Identifier: Apache-2.0
"""The guest itself: what the RDMA tests stand on. Skipped where there is no RDMA device."""

import subprocess

import pytest

pyverbs = pytest.importorskip("pyverbs.device", reason="python3-pyverbs is not installed")


def devices():
    from pyverbs.pyverbs_error import PyverbsRDMAError

    try:
        return [device.name.decode() for device in pyverbs.get_device_list()]
    except PyverbsRDMAError:  # the kernel has no uverbs
        return []


pytestmark = pytest.mark.skipif(
    not devices(), reason="no RDMA device: tools/tickwire test --soft-roce"
)


def test_an_active_port():
    context = pyverbs.Context(name=devices()[0])
    assert context.query_port(1).state == 4  # IBV_PORT_ACTIVE
    assert context.query_gid_table(10)


def test_the_device_is_known_to_rdma():
    shown = subprocess.run(["rdma", "link"], capture_output=True, text=True, check=True).stdout
    assert "state ACTIVE" in shown
