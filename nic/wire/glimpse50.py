# SPDX-License-Identifier: Apache-2.0
"""Nasdaq GLIMPSE 5.0: the snapshot of all books, sent over SoupBinTCP.

Source: Nasdaq GLIMPSE 5.0 specification (2023-05-08). The snapshot is made of ITCH 5.0 messages
in their ITCH layouts and one message of its own at the end, which says where the live feed goes on.
Log in with requested sequence number 1.
"""

from nic.wire.itch50 import ITCH50
from nic.wire.table import Message, Protocol, text

GLIMPSE50 = Protocol(
    name="glimpse50",
    title="Nasdaq GLIMPSE 5.0",
    byte_order="big",
    source="Nasdaq GLIMPSE 5.0, 2023-05-08",
    messages=(
        ITCH50["system_event"],
        ITCH50["stock_directory"],
        ITCH50["stock_trading_action"],
        ITCH50["reg_sho_restriction"],
        ITCH50["operational_halt"],
        ITCH50["retail_price_improvement_indicator"],
        ITCH50["add_order"],
        ITCH50["add_order_with_mpid"],
        Message(
            "end_of_snapshot",
            ord("G"),
            "End of Snapshot",
            (
                text("message_type", 1, "type code"),
                text(
                    "sequence_number",
                    20,
                    "ITCH sequence number, ASCII digits: apply live messages beginning with it",
                ),
            ),
            "End of Snapshot",
        ),
    ),
)
