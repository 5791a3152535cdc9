# SPDX-License-Identifier: Apache-2.0
"""Delegated sends: the kernel keeps the TCP connection, the hot path puts segments on the wire."""
