# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzz targets: ``python fuzz_driver.py [--seed N] [--cases N] [--target NAME]``.

Case ``i`` of a target follows from ``seed`` and ``i`` alone. ``--last`` names a file that always
holds the target and the number of the case under way, so that a crash says which one it was:
``--only i`` runs that case alone.
"""

import argparse
import mmap
from pathlib import Path
from random import Random

from fuzz_targets import TARGETS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Feed spoiled bytes to everything that takes bytes."
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1000, help="for each target")
    parser.add_argument("--target", choices=[target.name for target in TARGETS])
    parser.add_argument("--only", type=int, help="one case")
    parser.add_argument("--last", type=Path, default=Path("fuzz_last_case"))
    return parser.parse_args()


def main() -> None:
    given = arguments()
    given.last.write_bytes(bytes(256))
    with given.last.open("r+b") as file, mmap.mmap(file.fileno(), 256) as last:
        for target in TARGETS:
            if given.target not in (None, target.name):
                continue
            cases = range(given.cases // target.cost) if given.only is None else [given.only]
            for case in cases:
                note = f"--seed {given.seed} --target {target.name} --only {case}"
                last[:] = note.encode().ljust(256)
                target.feed(Random(f"{given.seed} {case}"))
            print(f"{target.name}: {len(cases)} cases of seed {given.seed}")


if __name__ == "__main__":
    main()
