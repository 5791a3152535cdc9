# SPDX-License-Identifier: Apache-2.0
"""The yardstick of the AF_XDP port: a minimal C program on the same rings, compiled when asked for.

Its loops are those of :mod:`tools.ping_pong`; the XDP program in front of it is that of the port.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from nic import link
from nic.frame import address_number
from nic.port import PortError
from nic.xdp_program import XdpProgram

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O3", "-march=native", "-fno-plt", "-fno-semantic-interposition", "-fPIC", "-shared")
"""Those of the compiled modules (tools/build_backend.py)."""

PAYLOAD_BYTES = 32


def compile_minimal(folder: Path) -> Path:
    """The shared object, made in ``folder``; raises :class:`~nic.port.PortError` in one line."""
    made = folder / "minimal_xdp.so"
    if shutil.which("gcc") is None:
        raise PortError("gcc is missing: it compiles the program to compare with")
    done = subprocess.run(
        ["gcc", *FLAGS, str(SOURCE), "-o", str(made)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or "gcc failed").splitlines()[0]
        raise PortError(f"{SOURCE.name} could not be compiled: {said}")
    return made


def load(path: Path) -> ctypes.CDLL:
    """The program with the types of its functions."""
    library = ctypes.CDLL(str(path))
    word, half = ctypes.c_uint32, ctypes.c_uint16
    ticks = np.ctypeslib.ndpointer(dtype=np.uint64, flags="C_CONTIGUOUS")
    library.minimal_open.restype = ctypes.c_void_p
    library.minimal_open.argtypes = [
        *(ctypes.c_int, word, word, ctypes.c_char_p, ctypes.c_char_p),
        *(word, half, word, half, word, ctypes.POINTER(ctypes.c_int)),
    ]
    library.minimal_answer.restype = ctypes.c_uint64
    library.minimal_answer.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    library.minimal_ask.restype = ctypes.c_uint64
    library.minimal_ask.argtypes = [ctypes.c_void_p, ticks, ctypes.c_uint64, ctypes.c_uint64]
    for function in (library.minimal_descriptor, library.minimal_end, library.minimal_close):
        function.argtypes = [ctypes.c_void_p]
    return library


class MinimalSide:
    """One side of the round trip; the interface of :class:`tools.ping_pong.Side`, and ``close``.

    Raises :class:`~nic.port.PortError`.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        interface: str,
        source: tuple[str, int],
        destination: tuple[str, int],
        *,
        source_hardware: bytes,
        destination_hardware: bytes,
        receive_frames: int,
        transmit_frames: int,
    ) -> None:
        self._library = library
        error = ctypes.c_int()
        self._side = library.minimal_open(
            *(link.index_of(interface), receive_frames, transmit_frames),
            *(source_hardware, destination_hardware),
            *(address_number(source[0]), source[1]),
            *(address_number(destination[0]), destination[1]),
            *(PAYLOAD_BYTES, ctypes.byref(error)),
        )
        if not self._side:
            raise PortError(f"minimal program on {interface}: {os.strerror(error.value)}")
        self._program: XdpProgram | None = None
        try:
            self._program = XdpProgram(interface, [source], stamps=False)
            self._program.attach()
            self._program.insert(0, library.minimal_descriptor(self._side))
        except PortError:
            self.close()
            raise

    def answer(self, idle_seconds: float, ns_per_tick: float) -> int:
        """Send every packet back, until the end mark or a long silence; how many those were."""
        idle = int(idle_seconds * 1e9 / ns_per_tick)
        return int(self._library.minimal_answer(self._side, idle))

    def ask(self, ticks: Any, lost_seconds: float, ns_per_tick: float) -> int:
        """Fill ``ticks`` with round trips, 0 where an answer did not come; how many did not."""
        patience = int(lost_seconds * 1e9 / ns_per_tick)
        return int(self._library.minimal_ask(self._side, ticks, len(ticks), patience))

    def end(self) -> None:
        """Tell the other side that this was all."""
        self._library.minimal_end(self._side)

    def mode(self) -> dict[str, Any]:
        """What it runs on."""
        driver_mode = self._program.driver_mode if self._program is not None else "none"
        return {"kind": "minimal C program", "driver_mode": driver_mode}

    def close(self) -> None:
        """Take the XDP program off and close the socket."""
        if self._program is not None:
            self._program.close()
            self._program = None
        if self._side:
            self._library.minimal_close(self._side)
            self._side = None


def compiled_minimal() -> ctypes.CDLL:
    """The program, compiled and loaded; the file is gone again when this returns."""
    with tempfile.TemporaryDirectory(prefix="tickwire-minimal-") as folder:
        return load(compile_minimal(Path(folder)))
