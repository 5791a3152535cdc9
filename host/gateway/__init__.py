# SPDX-License-Identifier: Apache-2.0
"""Order-entry sessions: SoupBinTCP client, OUCH 5.0."""
