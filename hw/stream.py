# SPDX-License-Identifier: Apache-2.0
"""Frames on 64 bits: what a line brings and what the transmit side takes, one beat per cycle.

Lane 0 is the lowest byte of ``data`` and the first on the wire. A frame begins at lane 0, without
preamble and without frame check sequence. 64 bits at 156.25 MHz are 10 Gb/s Ethernet.

Amaranth reads the annotations of structures and components as shapes: modules that have them do
without ``from __future__ import annotations``, which would make text of them.
"""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import Out

LANES = 8
CLOCK_HZ = 156_250_000


class Beat(data.Struct):
    """Eight bytes of a frame."""

    data: 64
    last: 1
    """The frame's last beat."""
    empty: 3
    """Lanes at the top of the last beat that hold nothing; 0 in every other beat."""
    error: 1
    """With ``last``: the MAC found the frame check sequence wrong, or the frame broke off."""


LineSignature = wiring.Signature({"valid": Out(1), "beat": Out(Beat)})
"""Beats from a MAC. There is no ``ready``: the wire does not wait."""

FrameSignature = stream.Signature(Beat)
"""Beats to a MAC, which may stall."""
