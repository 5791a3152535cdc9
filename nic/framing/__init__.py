# SPDX-License-Identifier: Apache-2.0
"""A line taken apart as a card does it: message by message, as the bytes come."""
