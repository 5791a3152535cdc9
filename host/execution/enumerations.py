# SPDX-License-Identifier: Apache-2.0
"""Counters of execution."""

from nic.enumeration import enumeration

EXECUTION = enumeration(
    "execution",
    intents="intents taken from strategies",
    direct="direct intents that were sent: orders, replaces and cancels",
    refused="direct intents that were not sent: the gate or the session refused",
    schedules_started="sliced intents accepted",
    schedules_done="sliced intents whose every slice was sent, or that were cancelled",
    schedules_full="sliced intents refused because every schedule was in use",
    slices_sent="slices that became orders",
    slices_refused="slices that the gate refused; their shares go to the following slices",
    bad_intents="intents that make no sense: no quantity, no slices or over a thousand, bad handle",
)

ENUMERATIONS = (EXECUTION,)
