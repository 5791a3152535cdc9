# SPDX-License-Identifier: Apache-2.0
"""Blocks under cocotb and Verilator, cycle by cycle at their ports."""

from pathlib import Path

import pytest
from cocotb_support import run

from hw.line_parser import LineParser
from nic.framing.feed_format import NASDAQ


@pytest.mark.timeout(600)  # the first time the simulator is built
def test_line_parser_at_line_rate(tmp_path: Path) -> None:
    assert run(LineParser(NASDAQ), "line_parser", "cocotb_line_parser", tmp_path) == 4
