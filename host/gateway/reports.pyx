# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What the exchange says: sequenced OUCH 5.0 messages, recorded and decoded to reports.

After a login the missed messages come first, and nothing marks their end. So an account query is
sent with each login: its answer is sequenced behind everything that happened before, and with it
the session is up. Queries of earlier connections may have left answers among the missed messages;
as many more queries are sent, so that one answer too many can't be taken for the end. Source:
Nasdaq OUCH 5.0, revision 1.04, chapters 3 and 4.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from host.gateway.ids cimport *
from host.gateway.soupbintcp cimport SoupBinTCPClient
from host.interfaces cimport (SESSION_DOWN, SESSION_ENDED, SESSION_REPLAYING, SESSION_UP, Recorder,
                              ReportSink)
from host.journal.ids cimport (JOURNAL_INBOUND, JOURNAL_ORDER_UNSENT, JOURNAL_QUERY_SENT,
                               JOURNAL_SESSION)
from host.journal.journal_codec cimport *
from host.model cimport *
from nic.wire.check cimport CHECK_LENGTH, CHECK_OK
from nic.wire.ouch50_codec cimport *
from nic.wire.soupbintcp_codec cimport (
    SOUPBINTCP_UNSEQUENCED_DATA, SOUPBINTCP_UNSEQUENCED_DATA_LENGTH,
    SOUPBINTCP_UNSEQUENCED_DATA_PACKET_TYPE_OFFSET, soupbintcp_unsequenced_data_packet_type,
    soupbintcp_unsequenced_data_put_packet_length, soupbintcp_unsequenced_data_put_packet_type)

from host.gateway.enumerations import MESSAGE

cdef enum:
    MOST_QUERIES = 16            # answers awaited at once; more lost ones than that are forgotten
    QUERY_PACKET_BYTES = SOUPBINTCP_UNSEQUENCED_DATA_LENGTH + OUCH50_ACCOUNT_QUERY_REQUEST_LENGTH


cdef bint decode_report(const uint8_t *message, Report *report) noexcept nogil:
    """Decode a message whose length was checked; False for a type that is none.

    ``REPORT_OTHER`` has the message's type letter in ``reason``. An account query response
    has the next free number in ``user_ref_num``, a system event its code in ``liquidity_flag``.
    ``venue`` and ``sequence_number`` are left to the caller.
    """
    cdef uint8_t code = ouch50_system_event_message_type(message)
    memset(report, 0, sizeof(report[0]))
    # every outbound message has its time and, but for the system event, a number at the same place
    report.timestamp = ouch50_system_event_timestamp(message)
    if code == OUCH50_ORDER_ACCEPTED:
        report.kind = REPORT_ACCEPTED
        report.user_ref_num = ouch50_order_accepted_user_ref_num(message)
        report.side = ouch50_order_accepted_side(message)
        report.quantity = ouch50_order_accepted_quantity(message)
        report.price = <int64_t> ouch50_order_accepted_price(message)
        report.order_reference_number = ouch50_order_accepted_order_reference_number(message)
        report.order_state = ouch50_order_accepted_order_state(message)
    elif code == OUCH50_ORDER_EXECUTED:
        report.kind = REPORT_EXECUTED
        report.user_ref_num = ouch50_order_executed_user_ref_num(message)
        report.quantity = ouch50_order_executed_quantity(message)
        report.price = <int64_t> ouch50_order_executed_price(message)
        report.liquidity_flag = ouch50_order_executed_liquidity_flag(message)
        report.match_number = ouch50_order_executed_match_number(message)
    elif code == OUCH50_ORDER_CANCELED:
        report.kind = REPORT_CANCELED
        report.user_ref_num = ouch50_order_canceled_user_ref_num(message)
        report.quantity = ouch50_order_canceled_quantity(message)
        report.reason = ouch50_order_canceled_reason(message)
    elif code == OUCH50_ORDER_REPLACED:
        report.kind = REPORT_REPLACED
        report.original_user_ref_num = ouch50_order_replaced_orig_user_ref_num(message)
        report.user_ref_num = ouch50_order_replaced_user_ref_num(message)
        report.side = ouch50_order_replaced_side(message)
        report.quantity = ouch50_order_replaced_quantity(message)
        report.price = <int64_t> ouch50_order_replaced_price(message)
        report.order_reference_number = ouch50_order_replaced_order_reference_number(message)
        report.order_state = ouch50_order_replaced_order_state(message)
    elif code == OUCH50_REJECTED:
        report.kind = REPORT_REJECTED
        report.user_ref_num = ouch50_rejected_user_ref_num(message)
        report.reason = ouch50_rejected_reason(message)
    elif code == OUCH50_AIQ_CANCELED:
        report.kind = REPORT_CANCELED
        report.user_ref_num = ouch50_aiq_canceled_user_ref_num(message)
        report.quantity = ouch50_aiq_canceled_decrement_shares(message)
        report.reason = ouch50_aiq_canceled_reason(message)
        report.price = <int64_t> ouch50_aiq_canceled_execution_price(message)
        report.liquidity_flag = ouch50_aiq_canceled_liquidity_flag(message)
    elif code == OUCH50_BROKEN_TRADE:
        report.kind = REPORT_BROKEN
        report.user_ref_num = ouch50_broken_trade_user_ref_num(message)
        report.match_number = ouch50_broken_trade_match_number(message)
        report.reason = ouch50_broken_trade_reason(message)
    elif code == OUCH50_CANCEL_PENDING:
        report.kind = REPORT_CANCEL_PENDING
        report.user_ref_num = ouch50_cancel_pending_user_ref_num(message)
    elif code == OUCH50_CANCEL_REJECT:
        report.kind = REPORT_CANCEL_REJECT
        report.user_ref_num = ouch50_cancel_reject_user_ref_num(message)
    elif code == OUCH50_ORDER_PRIORITY_UPDATE:
        report.kind = REPORT_PRIORITY
        report.user_ref_num = ouch50_order_priority_update_user_ref_num(message)
        report.price = <int64_t> ouch50_order_priority_update_price(message)
        report.order_reference_number = ouch50_order_priority_update_order_reference_number(message)
    elif code == OUCH50_ORDER_MODIFIED:
        report.kind = REPORT_MODIFIED
        report.user_ref_num = ouch50_order_modified_user_ref_num(message)
        report.side = ouch50_order_modified_side(message)
        report.quantity = ouch50_order_modified_quantity(message)
    elif code == OUCH50_ORDER_RESTATED:
        report.kind = REPORT_RESTATED
        report.user_ref_num = ouch50_order_restated_user_ref_num(message)
        report.reason = ouch50_order_restated_reason(message)
    else:
        report.kind = REPORT_OTHER
        report.reason = code
        if code == OUCH50_ACCOUNT_QUERY_RESPONSE:
            report.user_ref_num = ouch50_account_query_response_next_user_ref_num(message)
        elif code == OUCH50_MASS_CANCEL_RESPONSE:
            report.user_ref_num = ouch50_mass_cancel_response_user_ref_num(message)
        elif code == OUCH50_DISABLE_ORDER_ENTRY_RESPONSE:
            report.user_ref_num = ouch50_disable_order_entry_response_user_ref_num(message)
        elif code == OUCH50_ENABLE_ORDER_ENTRY_RESPONSE:
            report.user_ref_num = ouch50_enable_order_entry_response_user_ref_num(message)
        elif code == OUCH50_SYSTEM_EVENT:
            report.liquidity_flag = ouch50_system_event_event_code(message)
        else:
            return False
    return True


cdef inline int message_index(uint8_t code) noexcept nogil:
    """Index of a type code in the table ``MESSAGE``, -1 for none."""
    if code == OUCH50_ORDER_ACCEPTED:
        return MESSAGE_ORDER_ACCEPTED
    if code == OUCH50_ORDER_EXECUTED:
        return MESSAGE_ORDER_EXECUTED
    if code == OUCH50_ORDER_CANCELED:
        return MESSAGE_ORDER_CANCELED
    if code == OUCH50_ORDER_REPLACED:
        return MESSAGE_ORDER_REPLACED
    if code == OUCH50_REJECTED:
        return MESSAGE_REJECTED
    if code == OUCH50_SYSTEM_EVENT:
        return MESSAGE_SYSTEM_EVENT
    if code == OUCH50_AIQ_CANCELED:
        return MESSAGE_AIQ_CANCELED
    if code == OUCH50_BROKEN_TRADE:
        return MESSAGE_BROKEN_TRADE
    if code == OUCH50_CANCEL_PENDING:
        return MESSAGE_CANCEL_PENDING
    if code == OUCH50_CANCEL_REJECT:
        return MESSAGE_CANCEL_REJECT
    if code == OUCH50_ORDER_PRIORITY_UPDATE:
        return MESSAGE_ORDER_PRIORITY_UPDATE
    if code == OUCH50_ORDER_MODIFIED:
        return MESSAGE_ORDER_MODIFIED
    if code == OUCH50_ORDER_RESTATED:
        return MESSAGE_ORDER_RESTATED
    if code == OUCH50_MASS_CANCEL_RESPONSE:
        return MESSAGE_MASS_CANCEL_RESPONSE
    if code == OUCH50_DISABLE_ORDER_ENTRY_RESPONSE:
        return MESSAGE_DISABLE_ORDER_ENTRY_RESPONSE
    if code == OUCH50_ENABLE_ORDER_ENTRY_RESPONSE:
        return MESSAGE_ENABLE_ORDER_ENTRY_RESPONSE
    if code == OUCH50_ACCOUNT_QUERY_RESPONSE:
        return MESSAGE_ACCOUNT_QUERY_RESPONSE
    return -1


cdef class OuchReports(PacketSink):
    """Records and decodes the sequenced messages of one session for ``sink``.

    ``query_timeout_ns`` is how long an account query may stay without an answer before it is
    repeated.
    """

    def __init__(self, client: SoupBinTCPClient, recorder: Recorder, sink: ReportSink, *,
                 venue: int = 0, query_timeout_ns: int = 1_000_000_000) -> None:
        if client is None or recorder is None or sink is None:
            raise TypeError("reports need a client, a recorder and a sink")
        self.client = client
        self.counts = client.counts
        self.recorder = recorder
        self.sink = sink
        self.venue = venue
        self.query_timeout_ns = query_timeout_ns
        self.session_state = SESSION_DOWN
        self.record_buffer = <uint8_t *> malloc(JOURNAL_INBOUND_LENGTH
                                                + client.maximum_packet_bytes)
        if self.record_buffer == NULL:
            raise MemoryError("no memory for a record")
        client.sink = self

    def __dealloc__(self):
        free(self.record_buffer)

    cdef void change(self, int state, int reason, uint64_t t_ns) noexcept nogil:
        """Record the state of the session and tell the sink."""
        cdef JournalSession body
        cdef uint8_t record[JOURNAL_SESSION_LENGTH]
        self.session_state = state
        body.venue = self.venue
        body.state = <uint8_t> state
        body.reason = <uint8_t> reason
        memcpy(body.session, self.client.session, sizeof(body.session))
        body.next_sequence_number = self.client.next_sequence_number
        journal_session_encode(&body, record)
        if not self.recorder.record(JOURNAL_SESSION, t_ns, record, JOURNAL_SESSION_LENGTH):
            self.counts[GATEWAY_UNRECORDED_STATES] += 1
        self.sink.on_session(self.venue, state, t_ns)

    cdef void on_login(self, uint64_t next_sequence_number, uint64_t t_ns) noexcept nogil:
        """Begin to replay: ask for the account as often as answers may be under way, and once."""
        cdef uint32_t wanted = self.queries_unanswered + 1
        self.answers_awaited = wanted
        self.change(SESSION_REPLAYING, DOWN_NONE, t_ns)
        while wanted > 0 and self.send_query(t_ns):
            wanted -= 1

    cdef bint send_query(self, uint64_t t_ns) noexcept nogil:
        """Send one account query; False when it could not be recorded or sent."""
        cdef uint8_t body[JOURNAL_QUERY_SENT_LENGTH + QUERY_PACKET_BYTES]
        cdef uint8_t *packet = body + JOURNAL_QUERY_SENT_LENGTH
        cdef uint8_t *message = packet + SOUPBINTCP_UNSEQUENCED_DATA_LENGTH
        self.query_sent_ns = t_ns
        if not self.client.has_room(QUERY_PACKET_BYTES):
            return False
        journal_query_sent_put_venue(body, self.venue)
        soupbintcp_unsequenced_data_put_packet_length(
            packet, QUERY_PACKET_BYTES - SOUPBINTCP_UNSEQUENCED_DATA_PACKET_TYPE_OFFSET)
        soupbintcp_unsequenced_data_put_packet_type(packet, SOUPBINTCP_UNSEQUENCED_DATA)
        ouch50_account_query_request_put_message_type(message, OUCH50_ACCOUNT_QUERY_REQUEST)
        ouch50_account_query_request_put_appendage_length(message, 0)
        if not self.recorder.record(JOURNAL_QUERY_SENT, t_ns, body, sizeof(body)):
            self.counts[GATEWAY_REFUSED_JOURNAL] += 1
            return False
        if self.client.transmit(packet, QUERY_PACKET_BYTES, t_ns) < 0:
            self.on_unsent(packet, QUERY_PACKET_BYTES, 0, t_ns)
            return False
        self.counts[GATEWAY_QUERIES_SENT] += 1
        self.queries_unanswered = min(self.queries_unanswered + 1, <uint32_t> MOST_QUERIES)
        return True

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Repeat the query when its answer is overdue."""
        if (self.session_state == SESSION_REPLAYING
                and <int64_t> (t_ns - self.query_sent_ns) >= <int64_t> self.query_timeout_ns):
            self.counts[GATEWAY_QUERY_RETRIES] += 1
            self.send_query(t_ns)

    cdef void take_answer(self, uint64_t t_ns) noexcept nogil:
        """An account query response came: the last one that is awaited ends the replay."""
        if self.queries_unanswered > 0:
            self.queries_unanswered -= 1
        if self.session_state == SESSION_REPLAYING:
            self.answers_awaited -= 1
            if self.answers_awaited == 0:
                self.change(SESSION_UP, DOWN_NONE, t_ns)

    cdef void record_inbound(self, const uint8_t *message, uint32_t length,
                             uint64_t sequence_number, uint64_t t_ns) noexcept nogil:
        """Record a message as it came."""
        journal_inbound_put_venue(self.record_buffer, self.venue)
        journal_inbound_put_sequence_number(self.record_buffer, sequence_number)
        memcpy(self.record_buffer + JOURNAL_INBOUND_LENGTH, message, length)
        if not self.recorder.record(JOURNAL_INBOUND, t_ns, self.record_buffer,
                                    JOURNAL_INBOUND_LENGTH + length):
            self.counts[GATEWAY_UNRECORDED_MESSAGES] += 1

    cdef void on_sequenced(self, const uint8_t *message, uint32_t length,
                           uint64_t sequence_number, uint64_t t_ns) noexcept nogil:
        """Record, decode, report."""
        cdef Report report
        cdef int check = ouch50_outbound_check(message, length)
        self.record_inbound(message, length, sequence_number, t_ns)
        if check == CHECK_LENGTH:
            self.counts[GATEWAY_MESSAGE_BAD_LENGTH] += 1
            return
        if check != CHECK_OK or not decode_report(message, &report):
            self.counts[GATEWAY_MESSAGE_UNKNOWN_TYPE] += 1
            return
        self.message_counts[message_index(message[0])] += 1
        report.venue = self.venue
        report.sequence_number = sequence_number
        if message[0] == OUCH50_ACCOUNT_QUERY_RESPONSE:
            self.next_user_ref_num = report.user_ref_num
        self.sink.on_report(&report, t_ns)
        if message[0] == OUCH50_ACCOUNT_QUERY_RESPONSE:
            self.take_answer(t_ns)

    cdef void on_unsent(self, const uint8_t *packet, uint32_t length, uint32_t sent_bytes,
                        uint64_t t_ns) noexcept nogil:
        """Record that a recorded packet did not leave, or not whole."""
        if soupbintcp_unsequenced_data_packet_type(packet) != SOUPBINTCP_UNSEQUENCED_DATA:
            return
        journal_order_unsent_put_venue(self.record_buffer, self.venue)
        journal_order_unsent_put_sent_bytes(self.record_buffer, sent_bytes)
        memcpy(self.record_buffer + JOURNAL_ORDER_UNSENT_LENGTH, packet, length)
        if not self.recorder.record(JOURNAL_ORDER_UNSENT, t_ns, self.record_buffer,
                                    JOURNAL_ORDER_UNSENT_LENGTH + length):
            self.counts[GATEWAY_UNRECORDED_STATES] += 1

    cdef void on_down(self, int reason, uint64_t t_ns) noexcept nogil:
        """The session is down, or it ended for good."""
        if reason == DOWN_END_OF_SESSION:
            self.change(SESSION_ENDED, reason, t_ns)
        elif self.session_state != SESSION_DOWN:
            self.change(SESSION_DOWN, reason, t_ns)

    @property
    def session_state_name(self) -> str:
        """``down``, ``up``, ``replaying`` or ``ended``."""
        return ("down", "up", "replaying", "ended")[self.session_state]

    def messages(self) -> dict[str, int]:
        """Decoded messages by the names of ``MESSAGE``."""
        return MESSAGE.as_dict([self.message_counts[i] for i in range(MESSAGE_COUNT)])
