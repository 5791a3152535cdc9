# SPDX-License-Identifier: Apache-2.0
"""Kinds of journal records; the body of each is the message of the same name in ``layout.py``."""

from nic.enumeration import enumeration

JOURNAL = enumeration(
    "journal",
    start=1,
    configuration="the configuration of the run, JSON text",
    session="an order-entry session changed its state",
    order_sent="an order passed the gate and is about to leave, with its packet",
    order_unsent="a recorded packet that did not leave, or not whole",
    query_sent="a packet without an order, such as an account query, is about to leave",
    inbound="a sequenced message of the exchange, byte for byte",
    risk_reject="the gate refused an order",
    command="somebody commanded the appliance, JSON text",
    counters="counters of every stage, JSON text",
    closed="the last record of a journal that was closed in order",
    card_difference="the card in the path is out of step with the host",
)

JOURNAL_COUNTER = enumeration(
    "journal_counter",
    records="records written to the ring",
    body_bytes="bytes of their bodies",
    refused_full="records refused because the ring was full",
    refused_too_long="records refused because they can never fit",
)

JOURNAL_WRITER = enumeration(
    "journal_writer",
    records="records written to the file",
    file_bytes="bytes written to the file",
    batches="write calls",
    syncs="times the file was forced to the disk",
    write_errors="write calls that failed",
    sync_errors="fdatasync calls that failed",
)

ENUMERATIONS = (JOURNAL, JOURNAL_COUNTER, JOURNAL_WRITER)
