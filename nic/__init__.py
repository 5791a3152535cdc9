# SPDX-License-Identifier: Apache-2.0
"""Bytes in and out of the machine: wire formats, ports, clocks and link facts."""
