# SPDX-License-Identifier: Apache-2.0
"""Counters of the simulated network."""

from nic.enumeration import enumeration

NETWORK = enumeration(
    "network",
    sent="datagrams that were sent",
    dropped="datagrams lost at random",
    cut="datagrams lost while the line was cut",
    duplicated="datagrams that arrived twice",
    reordered="datagrams that others overtook",
    corrupted="datagrams with a flipped bit",
    truncated="datagrams that lost a part of their end",
)

ENUMERATIONS = (NETWORK,)
