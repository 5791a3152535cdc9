# SPDX-License-Identifier: Apache-2.0
"""Numbers of the commands that a gate with a card passes on, and what it counts about the card."""

from nic.enumeration import Entry, Enumeration, enumeration
from nic.offload.records import COMMAND_TABLE

COMMAND = Enumeration(
    "command",
    tuple(Entry(entry.name, number, entry.meaning) for number, entry in enumerate(COMMAND_TABLE)),
)
"""Places in the table of commands of ``nic/offload/records.py``."""

CARD_FAILURE = enumeration(
    "card_failure",
    none="the card is in step",
    verdict_differs="it passes what the host refuses, or for another reason, or the reverse",
    number_differs="it gave an order another number",
    pass_number_differs="it counts other passes",
    request_differs="its verdict is about another request",
    no_answer="no verdict came",
    records="a record is missing, malformed, or there were too many",
    command_refused="it took a command neither now nor later",
    limits_refused="a set of limits was not put in force",
    numbers_behind="the exchange wants higher numbers than it gives",
    event_differs="a message of the feed differs",
    counters_differ="its counters differ at the end",
)
"""Why a card is out of the path: nothing new is sent from then on."""

GATE_OFFLOAD = enumeration(
    "gate_offload",
    verdicts="verdicts of the card that were held against the host's",
    passes="of them, passes",
    differences="of them, those that differ",
    not_asked="requests that the card was not asked for: they could not have left",
    unsent="orders that passed both and did not leave after all",
    commands="commands given, tells among them",
    waits="times a command found no room at first",
    outcomes="outcomes of the card's order builder",
    failures="times the card was found out of step: once, then it is out of the path",
)
"""What a gate with a card counts."""

ENUMERATIONS = (COMMAND, CARD_FAILURE, GATE_OFFLOAD)
