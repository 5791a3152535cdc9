# SPDX-License-Identifier: Apache-2.0
"""The feed parser and the risk gate as gateware (see docs/architecture.md)."""
