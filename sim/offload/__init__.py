# SPDX-License-Identifier: Apache-2.0
"""The compiled gateware in the path of a running host: its lines as ports, its gate before ours."""
