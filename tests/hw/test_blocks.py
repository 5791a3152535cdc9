# SPDX-License-Identifier: Apache-2.0
"""Every block of the table can be built, and the report says what was measured."""

from collections.abc import Callable

import pytest

from hw import verilog
from hw.blocks import BLOCKS
from sim.gateware import measure
from tools import hw_report


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_becomes_hardware(name: str) -> None:
    component = BLOCKS[name].make()
    text = verilog.rtlil_of(component, name)
    assert f"\\{name}" in text
    for port in verilog.ports_of(component):
        assert f"\\{port.name}\n" in text


@pytest.mark.parametrize(("measured", "count"), [(measure.line_parser, 4), (measure.both_lines, 2)])
def test_the_lines_keep_their_bounds(
    measured: Callable[[], list[measure.Measurement]], count: int
) -> None:
    found = measured()
    assert len(found) == count
    for one in found:
        assert one.ok, one
        assert one.value > 0


def test_a_bound_that_is_not_kept_is_seen() -> None:
    assert not measure.Measurement("a", 5, 4, "cycles", "").ok
    assert not measure.Measurement("a", 3, 4, "messages", "", is_floor=True).ok


def test_the_page_s_part_has_every_figure() -> None:
    size = {"lut": 1234, "ff": 56, "bram": 7, "dsp": 8}
    row = {
        "name": "one", "size": size, "worst_mhz": 160.04, "best_mhz": 181.0, "placer": "heap",
        "ok": True,
    }  # fmt: skip
    figure = {
        "name": "way", "value": 3, "limit": 4, "unit": "cycles", "how": "longest of 9", "ok": True,
    }  # fmt: skip
    report = {
        "device": "a device", "clock_mhz": 156.25, "seeds": 4, "tools": "yosys 1",
        "blocks": [
            row,
            row | {"name": "two", "worst_mhz": 99.0, "ok": False},
            row | {"name": "three", "worst_mhz": None, "best_mhz": None, "ok": False},
        ],
        "measurements": [figure], "ok": True,
    }  # fmt: skip
    text = hw_report.page_part(report)
    assert text.startswith(hw_report.BEGIN) and text.endswith(hw_report.END)
    assert "| `one` | 1,234 | 56 | 7 | 8 | 160.0 | 181.0 | yes | heap |" in text
    assert "| `two` | 1,234 | 56 | 7 | 8 | 99.0 | 181.0 | no | heap |" in text
    assert "| `three` | 1,234 | 56 | 7 | 8 | not routed | not routed | no | heap |" in text
    assert "| way | 3 cycles | 4 | longest of 9 |" in text
    for wants_path in (False, True):
        hw_report.show(report | {"blocks": [row | {"runs": []}]}, wants_path)
    page = hw_report.PAGE.read_text()
    assert page.count(hw_report.BEGIN) == page.count(hw_report.END) == 1
