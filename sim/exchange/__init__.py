# SPDX-License-Identifier: Apache-2.0
"""The simulated exchange: matching, feed, re-request, order entry."""
