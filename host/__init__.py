# SPDX-License-Identifier: Apache-2.0
"""The trading pipeline: feed, book, strategy, execution, risk, orders, gateway, journal."""
