# SPDX-License-Identifier: Apache-2.0
"""The intervals between the stages of the way, and counters of the stage clock."""

from nic.enumeration import enumeration

INTERVAL = enumeration(
    "interval",
    decode="t0 to t1: from the burst to the message in order and decoded",
    book="t1 to t2: book update",
    strategy="t2 to t3: strategy and execution",
    risk="t3 to t4: risk verdict",
    send="t4 to t5: order management, encoding, hand-over to the port",
    total="t0 to t5: from the burst to the order at the port",
    following="t0 to t5 of further orders of the same packet, which waited for those before them",
)

STAGE_CLOCK = enumeration(
    "stage_clock",
    orders="orders recorded",
    missing="intervals left out because a stamp of theirs is zero",
    backwards="intervals left out because their stamps run backwards",
)

ENUMERATIONS = (INTERVAL, STAGE_CLOCK)
