# SPDX-License-Identifier: Apache-2.0
"""The hooks between the host and a card: registers, event records in, order requests out."""
