# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Holds a card's verdicts against the host's, and stops everything when they differ."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from host.journal.ids cimport JOURNAL_CARD_DIFFERENCE
from host.journal.journal_codec cimport (
    JOURNAL_CARD_DIFFERENCE_LENGTH, journal_card_difference_encode)
from host.risk.ids cimport (
    CARD_FAILURE_NONE, CARD_FAILURE_NUMBER_DIFFERS, CARD_FAILURE_PASS_NUMBER_DIFFERS,
    CARD_FAILURE_VERDICT_DIFFERS, GATE_OFFLOAD_DIFFERENCES, GATE_OFFLOAD_PASSES,
    GATE_OFFLOAD_VERDICTS)
from nic.offload.ids cimport RISK_PASSED

from host.risk.enumerations import CARD_FAILURE
from nic.offload.enumerations import RISK


cdef class CardWatch:
    """Watches ``offload`` for a gate with these ``switches``; differences go to ``recorder``."""

    def __init__(self, GateOffload offload not None, Switches switches not None,
                 Recorder recorder):
        self.offload = offload
        self.switches = switches
        self.recorder = recorder

    cdef bint agrees(self, const CardVerdict *verdict, int reason, uint32_t user_ref_num,
                     uint64_t passes) noexcept nogil:
        cdef bint passed = reason == RISK_PASSED
        cdef int failure = CARD_FAILURE_NONE
        if verdict.reason != reason or verdict.passed != passed:
            failure = CARD_FAILURE_VERDICT_DIFFERS
        elif passed and verdict.pass_number != passes + 1:
            failure = CARD_FAILURE_PASS_NUMBER_DIFFERS
        elif passed and verdict.user_ref_num != user_ref_num:
            failure = CARD_FAILURE_NUMBER_DIFFERS
        self.offload.count(GATE_OFFLOAD_VERDICTS)
        if verdict.passed:
            self.offload.count(GATE_OFFLOAD_PASSES)
        if failure == CARD_FAILURE_NONE:
            return True
        self.offload.count(GATE_OFFLOAD_DIFFERENCES)
        self.fail(failure, verdict, reason, user_ref_num, passes, verdict.t_ns)
        return False

    cdef void fail(self, int failure, const CardVerdict *verdict, int reason,
                   uint32_t user_ref_num, uint64_t passes, uint64_t t_ns) noexcept nogil:
        cdef uint8_t body[JOURNAL_CARD_DIFFERENCE_LENGTH]
        if self.is_out:
            return
        self.is_out = True
        self.offload.fail(failure)
        self.switches.is_killed = True
        self.switches.is_armed = False
        memset(&self.found, 0, sizeof(self.found))
        self.found.failure = <uint16_t> failure
        self.found.host_reason = <uint16_t> reason
        self.found.host_user_ref_num = user_ref_num
        self.found.host_pass_number = passes + (verdict != NULL and reason == RISK_PASSED)
        if verdict != NULL:
            self.found.is_verdict = True
            self.found.card_reason = <uint16_t> verdict.reason
            self.found.card_user_ref_num = verdict.user_ref_num
            self.found.card_pass_number = verdict.pass_number
        if self.recorder is not None:
            journal_card_difference_encode(&self.found, body)
            self.recorder.record(JOURNAL_CARD_DIFFERENCE, t_ns, body,
                                 JOURNAL_CARD_DIFFERENCE_LENGTH)

    def put_out(self, failure, uint64_t t_ns=0):
        """The card is out of step for a reason found elsewhere, a name of ``CARD_FAILURE``."""
        self.fail(CARD_FAILURE.value(failure), NULL, RISK_PASSED, 0, 0, t_ns)

    def failure(self):
        """Why the card is out of the path, by names; ``None`` while it is in step."""
        if not self.is_out:
            return None
        found = {"failure": CARD_FAILURE.name_of(self.found.failure)}
        if self.found.is_verdict:
            found |= {
                "host_reason": RISK.name_of(self.found.host_reason),
                "card_reason": (RISK.name_of(self.found.card_reason)
                                if self.found.card_reason < RISK.count
                                else f"number {self.found.card_reason}"),
                "host_user_ref_num": self.found.host_user_ref_num,
                "card_user_ref_num": self.found.card_user_ref_num,
                "host_pass_number": self.found.host_pass_number,
                "card_pass_number": self.found.card_pass_number,
            }
        return found
