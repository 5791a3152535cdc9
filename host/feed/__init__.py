# SPDX-License-Identifier: Apache-2.0
"""Feed handler: line arbitration, gap recovery, in-order delivery."""
