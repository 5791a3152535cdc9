# SPDX-License-Identifier: Apache-2.0
"""Orders, positions, profit and loss."""
