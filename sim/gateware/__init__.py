# SPDX-License-Identifier: Apache-2.0
"""The gateware as a model that runs on this machine (see docs/gateware.md)."""
