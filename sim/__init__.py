# SPDX-License-Identifier: Apache-2.0
"""The world outside: the simulated exchange, the network that misbehaves, order flow."""
