# SPDX-License-Identifier: Apache-2.0
"""Strategies of other processes and hosts: their orders in, the reports back."""
