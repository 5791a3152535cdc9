# SPDX-License-Identifier: Apache-2.0
"""Turns intents into orders: direct and sliced."""
