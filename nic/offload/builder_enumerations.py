# SPDX-License-Identifier: Apache-2.0
"""What becomes of an order or payload at the order builder, and the kinds of its templates."""

from nic.enumeration import enumeration

BUILDER = enumeration(
    "builder",
    orders_sent="orders that left as a segment",
    payloads_sent="payloads of the host that left as a segment",
    not_connected="refused: the host has not handed over a connection",
    not_armed="orders refused: the session takes none (not logged in, or disarmed)",
    template_not_loaded="refused: the templates are not whole",
    other_venue="orders refused: they belong to another order-entry session",
    bad_action="orders refused: neither new, replace nor cancel",
    no_window="refused: the peer's window has no room",
    in_flight_limit="refused: more bytes would be unacknowledged than the host allows",
    builder_busy="orders refused: one is under way and one waits",
    payload_too_long="payloads of the host dropped: longer than the buffer",
    template_write_refused="template words refused: a connection is there",
    overwritten_unacknowledged="segments that left the replay ring before they were acknowledged",
    resends="segments sent again out of the replay ring",
    resend_refused="resends refused: the ring does not have the segment, or no connection",
)
"""Results of an order or a payload, and counters; one entry is both where it can be."""

TEMPLATE = enumeration(
    "template",
    enter="an enter order",
    enter_post_only="an enter order with the post-only tag",
    replace="a replace that is not post-only",
    replace_post_only="a replace that is post-only",
    cancel="a cancel",
)
"""Kinds of payload the host writes a template for."""
