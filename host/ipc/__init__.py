# SPDX-License-Identifier: Apache-2.0
"""Shared-memory rings between threads and processes."""
