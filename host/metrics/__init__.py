# SPDX-License-Identifier: Apache-2.0
"""Latency histograms and counters for reports."""
