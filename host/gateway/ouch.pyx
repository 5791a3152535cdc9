# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""OUCH 5.0 order entry over a SoupBinTCP session: check the seal, encode, record, send.

Each kind of message has a template that holds the journal's record and, behind its fields, the
packet as it goes out; what is the same for every order is written once. So the record and the
wire can't differ: they are the same bytes. Source: Nasdaq OUCH 5.0, revision 1.04, chapter 2.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from host.gateway.ids cimport *
from host.gateway.reports cimport OuchReports
from host.gateway.soupbintcp cimport SoupBinTCPClient
from host.interfaces cimport SESSION_UP, OrderChannel, Recorder, ReportSink
from host.journal.ids cimport JOURNAL_ORDER_SENT
from host.journal.journal_codec cimport *
from host.model cimport (ACTION_CANCEL, ACTION_NEW, ACTION_REPLACE, STAGE_SENT, OrderRequest,
                         PassedOrder)
from host.risk.seal cimport SealChecker
from nic.clock cimport rdtsc
from nic.wire.ouch50_codec cimport *
from nic.wire.soupbintcp_codec cimport (
    SOUPBINTCP_UNSEQUENCED_DATA, SOUPBINTCP_UNSEQUENCED_DATA_LENGTH,
    SOUPBINTCP_UNSEQUENCED_DATA_PACKET_TYPE_OFFSET, soupbintcp_unsequenced_data_put_packet_length,
    soupbintcp_unsequenced_data_put_packet_type)

from host.gateway.enumerations import GATEWAY

cdef enum:
    PACKET_AT = JOURNAL_ORDER_SENT_LENGTH
    MESSAGE_AT = PACKET_AT + SOUPBINTCP_UNSEQUENCED_DATA_LENGTH
    LONGEST_PACKET = (SOUPBINTCP_UNSEQUENCED_DATA_LENGTH + OUCH50_ENTER_ORDER_LENGTH
                      + OUCH50_TAG_FIRM_LENGTH + OUCH50_TAG_POST_ONLY_LENGTH)
    LONGEST_RECORD = JOURNAL_ORDER_SENT_LENGTH + LONGEST_PACKET
    NO_PACKET = 0xFFFF           # Trace.line of what no packet caused

if LONGEST_RECORD > TEMPLATE_BYTES:
    raise ImportError("host.gateway.ouch: a template has no room for the longest order")

cdef const char *HEXADECIMAL = "0123456789ABCDEF"


cdef inline void write_hexadecimal(uint8_t *text, uint32_t value, int digits) noexcept nogil:
    cdef int i
    for i in range(digits):
        text[digits - 1 - i] = <uint8_t> HEXADECIMAL[value & 15]
        value >>= 4


cdef inline void write_cl_ord_id(uint8_t *text, uint16_t strategy_id,
                                 uint32_t user_ref_num) noexcept nogil:
    """``TW``, strategy and number: what a person who reads the exchange's log needs."""
    text[0] = c'T'
    text[1] = c'W'
    write_hexadecimal(text + 2, strategy_id, 4)
    write_hexadecimal(text + 6, user_ref_num, 8)


cdef inline bint is_encodable(const OrderRequest *request, uint32_t user_ref_num) noexcept nogil:
    """Whether the fields of a request have values that OUCH can carry."""
    if request.action == ACTION_CANCEL:
        return request.user_ref_num != 0
    if user_ref_num == 0 or request.quantity == 0 or request.price <= 0:
        return False
    if request.action == ACTION_REPLACE:
        return request.user_ref_num != 0
    return request.action == ACTION_NEW


cdef inline void begin_template(uint8_t *record, uint16_t venue, uint8_t action) noexcept nogil:
    """Write what is the same in the records and packets of one action."""
    memset(record, 0, TEMPLATE_BYTES)
    journal_order_sent_put_venue(record, venue)
    journal_order_sent_put_action(record, action)
    journal_order_sent_put_trace_line(record, NO_PACKET)
    soupbintcp_unsequenced_data_put_packet_type(record + PACKET_AT, SOUPBINTCP_UNSEQUENCED_DATA)


cdef class OuchChannel(OrderChannel):
    """Orders of one venue onto the wire, and its answers to ``sink``.

    ``seal`` is the checker with the key of the risk gate. ``firm`` is added as an option tag
    where it is given; ``display``, ``capacity`` and ``cross_type`` are the letters of OUCH 5.0.
    Orders leave ``journal_reserve_bytes`` of the journal free for what the exchange answers.
    Raises ``ValueError`` for letters that can't be.
    """

    def __init__(self, client: SoupBinTCPClient, seal: SealChecker, recorder: Recorder,
                 sink: ReportSink, *, venue: int = 0, firm: str = "", display: str = "Y",
                 capacity: str = "P", cross_type: str = "N", query_timeout_ns: int = 1_000_000_000,
                 journal_reserve_bytes: int = 65536) -> None:
        if seal is None:
            raise TypeError("a channel needs the gate's seal")
        for name, text, letters in (("display", display, "YNA"), ("capacity", capacity, "APRO"),
                                    ("cross_type", cross_type, "NOCHSREA")):
            if len(text) != 1 or text not in letters:
                raise ValueError(f"{name} is {text!r}, must be one of {', '.join(letters)}")
        if not firm.isascii() or len(firm) > OUCH50_TAG_FIRM_SIZE:
            raise ValueError(f"firm must be ASCII text of at most {OUCH50_TAG_FIRM_SIZE} letters")
        self.reports = OuchReports(client, recorder, sink, venue=venue,
                                   query_timeout_ns=query_timeout_ns)
        self.client = client
        self.counts = client.counts
        self.seal = seal
        self.recorder = recorder
        self.venue = venue
        self.journal_reserve_bytes = journal_reserve_bytes
        self._write_templates(firm, ord(display), ord(capacity), ord(cross_type))

    def _write_templates(self, firm: str, uint8_t display, uint8_t capacity,
                         uint8_t cross_type) -> None:
        """Write what is the same for every order."""
        cdef uint32_t firm_value = 0
        cdef uint8_t *m
        begin_template(self.enter_template, self.venue, ACTION_NEW)
        m = self.enter_template + MESSAGE_AT
        ouch50_enter_order_put_message_type(m, OUCH50_ENTER_ORDER)
        ouch50_enter_order_put_display(m, display)
        ouch50_enter_order_put_capacity(m, capacity)
        ouch50_enter_order_put_inter_market_sweep_eligibility(m, c'N')
        ouch50_enter_order_put_cross_type(m, cross_type)
        if firm:
            padded = firm.ljust(OUCH50_TAG_FIRM_SIZE).encode()
            memcpy(&firm_value, <const char *> padded, OUCH50_TAG_FIRM_SIZE)
            self.firm_bytes = ouch50_put_tag_firm(m + OUCH50_ENTER_ORDER_LENGTH, firm_value)
        ouch50_put_tag_post_only(m + OUCH50_ENTER_ORDER_LENGTH + self.firm_bytes, c'P')
        begin_template(self.replace_template, self.venue, ACTION_REPLACE)
        m = self.replace_template + MESSAGE_AT
        ouch50_replace_order_request_put_message_type(m, OUCH50_REPLACE_ORDER_REQUEST)
        ouch50_replace_order_request_put_display(m, display)
        ouch50_replace_order_request_put_inter_market_sweep_eligibility(m, c'N')
        ouch50_replace_order_request_put_appendage_length(m, OUCH50_TAG_POST_ONLY_LENGTH)
        begin_template(self.cancel_template, self.venue, ACTION_CANCEL)
        m = self.cancel_template + MESSAGE_AT
        ouch50_cancel_order_request_put_message_type(m, OUCH50_CANCEL_ORDER_REQUEST)

    cdef uint32_t encode_enter(self, const OrderRequest *request, uint32_t user_ref_num,
                               uint64_t symbol) noexcept nogil:
        """Fill the template of an enter order; length of the message."""
        cdef uint8_t *m = self.enter_template + MESSAGE_AT
        cdef uint32_t tags = self.firm_bytes
        if request.post_only:
            tags += OUCH50_TAG_POST_ONLY_LENGTH
        ouch50_enter_order_put_user_ref_num(m, user_ref_num)
        ouch50_enter_order_put_side(m, request.side)
        ouch50_enter_order_put_quantity(m, request.quantity)
        ouch50_enter_order_put_symbol(m, symbol)
        ouch50_enter_order_put_price(m, <uint64_t> request.price)
        ouch50_enter_order_put_time_in_force(m, request.time_in_force)
        write_cl_ord_id(m + OUCH50_ENTER_ORDER_CL_ORD_ID_OFFSET, request.strategy_id, user_ref_num)
        ouch50_enter_order_put_appendage_length(m, <uint16_t> tags)
        return OUCH50_ENTER_ORDER_LENGTH + tags

    cdef uint32_t encode_replace(self, const OrderRequest *request,
                                 uint32_t user_ref_num) noexcept nogil:
        """Fill the template of a replace request; length of the message.

        The post-only tag is always there: without it the order would keep what it had.
        """
        cdef uint8_t *m = self.replace_template + MESSAGE_AT
        ouch50_replace_order_request_put_orig_user_ref_num(m, request.user_ref_num)
        ouch50_replace_order_request_put_user_ref_num(m, user_ref_num)
        ouch50_replace_order_request_put_quantity(m, request.quantity)
        ouch50_replace_order_request_put_price(m, <uint64_t> request.price)
        ouch50_replace_order_request_put_time_in_force(m, request.time_in_force)
        write_cl_ord_id(m + OUCH50_REPLACE_ORDER_REQUEST_CL_ORD_ID_OFFSET, request.strategy_id,
                        user_ref_num)
        ouch50_put_tag_post_only(m + OUCH50_REPLACE_ORDER_REQUEST_LENGTH,
                                 c'P' if request.post_only else c'N')
        return OUCH50_REPLACE_ORDER_REQUEST_LENGTH + OUCH50_TAG_POST_ONLY_LENGTH

    cdef uint32_t encode_cancel(self, const OrderRequest *request) noexcept nogil:
        """Fill the template of a cancel request; length of the message."""
        cdef uint8_t *m = self.cancel_template + MESSAGE_AT
        ouch50_cancel_order_request_put_user_ref_num(m, request.user_ref_num)
        ouch50_cancel_order_request_put_quantity(m, request.quantity)
        return OUCH50_CANCEL_ORDER_REQUEST_SHORTEST_LENGTH

    cdef bint ready(self) noexcept nogil:
        """Whether an order can be sent now: session up, journal and outbound buffer have room."""
        return (self.reports.session_state == SESSION_UP
                and self.client.state == CLIENT_LOGGED_IN
                and self.client.has_room(LONGEST_PACKET)
                and self.recorder.has_room(LONGEST_RECORD + self.journal_reserve_bytes))

    cdef int refuse(self, int reason, int counter) noexcept nogil:
        self.counts[counter] += 1
        return -reason

    cdef int send(self, const PassedOrder *passed, uint32_t user_ref_num, uint64_t symbol,
                  uint64_t t_ns) noexcept nogil:
        """Encode, record, transmit. 0 when sent, -REFUSED_* when nothing left.

        ``user_ref_num`` is the new number of an enter or replace; a cancel carries the number of
        the order it cancels, which stands in the request.
        """
        cdef const OrderRequest *request = &passed.request
        cdef uint8_t *record
        cdef uint32_t length
        if (self.reports.session_state != SESSION_UP
                or self.client.state != CLIENT_LOGGED_IN):
            return self.refuse(REFUSED_NOT_READY, GATEWAY_REFUSED_NOT_READY)
        if not self.seal.valid(passed):
            return self.refuse(REFUSED_SEAL, GATEWAY_REFUSED_SEAL)
        if not is_encodable(request, user_ref_num) or request.venue != self.venue:
            return self.refuse(REFUSED_BAD_ORDER, GATEWAY_REFUSED_BAD_ORDER)
        if not self.client.has_room(LONGEST_PACKET):
            return self.refuse(REFUSED_NO_ROOM, GATEWAY_REFUSED_NO_ROOM)
        if not self.recorder.has_room(LONGEST_RECORD + self.journal_reserve_bytes):
            return self.refuse(REFUSED_JOURNAL, GATEWAY_REFUSED_JOURNAL)
        if request.action == ACTION_NEW:
            record = self.enter_template
            length = self.encode_enter(request, user_ref_num, symbol)
        elif request.action == ACTION_REPLACE:
            record = self.replace_template
            length = self.encode_replace(request, user_ref_num)
        else:
            record = self.cancel_template
            length = self.encode_cancel(request)
            user_ref_num = request.user_ref_num
        length += SOUPBINTCP_UNSEQUENCED_DATA_LENGTH
        soupbintcp_unsequenced_data_put_packet_length(
            record + PACKET_AT,
            <uint16_t> (length - SOUPBINTCP_UNSEQUENCED_DATA_PACKET_TYPE_OFFSET))
        journal_order_sent_put_pass_number(record, passed.pass_number)
        journal_order_sent_put_user_ref_num(record, user_ref_num)
        journal_order_sent_put_strategy_id(record, request.strategy_id)
        if self.trace != NULL:
            journal_order_sent_put_trace_sequence_number(record, self.trace.sequence_number)
            journal_order_sent_put_trace_line(record, self.trace.line)
            journal_order_sent_put_trace_message_index(record, self.trace.message_index)
        if not self.recorder.record(JOURNAL_ORDER_SENT, t_ns, record, PACKET_AT + length):
            return self.refuse(REFUSED_JOURNAL, GATEWAY_REFUSED_JOURNAL)
        if self.client.transmit(record + PACKET_AT, length, t_ns) < 0:
            self.reports.on_unsent(record + PACKET_AT, length, 0, t_ns)
            return self.refuse(REFUSED_CLOSED, GATEWAY_REFUSED_CLOSED)
        if self.trace != NULL:
            self.trace.stamps[STAGE_SENT] = rdtsc()
        if request.action == ACTION_NEW:
            self.counts[GATEWAY_ORDERS_ENTERED] += 1
        elif request.action == ACTION_REPLACE:
            self.counts[GATEWAY_ORDERS_REPLACED] += 1
        else:
            self.counts[GATEWAY_ORDERS_CANCELLED] += 1
        return 0

    cdef void poll(self, uint64_t t_ns) noexcept nogil:
        """Take what came from the exchange."""
        self.client.poll(t_ns)

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Heartbeats, timeouts, repeated queries; to be called several times a second."""
        self.client.on_timer(t_ns)
        self.reports.on_timer(t_ns)

    cdef bint needs_driver(self, uint64_t t_ns) noexcept nogil:
        """Whether :meth:`drive` has something to do."""
        return self.client.needs_driver(t_ns)

    cdef void logout(self, uint64_t t_ns) noexcept nogil:
        """Log out; what the exchange still sends is taken until it closes."""
        self.client.logout(t_ns)

    def drive(self, uint64_t t_ns) -> None:
        """Close a stream that was dropped; make a connection when it is time to."""
        self.client.drive(t_ns)

    def step(self, uint64_t t_ns) -> None:
        """Everything at once, for callers that are not in a hurry: drive, poll, timer."""
        self.client.drive(t_ns)
        self.poll(t_ns)
        self.on_timer(t_ns)

    def request_logout(self, uint64_t t_ns) -> None:
        """Log out; the client's ``state_name`` is ``stopped`` when it is done."""
        self.logout(t_ns)

    def is_ready(self) -> bool:
        """Whether an order can be sent now."""
        return self.ready()

    def send_passed(self, passed: bytes, uint32_t user_ref_num, symbol: str, uint64_t t_ns) -> int:
        """Send an order the gate sealed, given as the bytes of the struct ``PassedOrder``.

        0 when sent, else minus a number of the table ``REFUSED``. Raises ``ValueError`` for bytes
        of another size or a symbol that is not 1 to 8 ASCII characters.
        """
        cdef PassedOrder order
        cdef uint64_t letters
        if len(passed) != sizeof(order):
            raise ValueError(f"a passed order has {sizeof(order)} bytes, not {len(passed)}")
        if not symbol.isascii() or not 1 <= len(symbol) <= sizeof(letters):
            raise ValueError(f"{symbol!r} is no symbol of 1 to {sizeof(letters)} ASCII characters")
        padded = symbol.ljust(sizeof(letters)).encode()
        memcpy(&letters, <const char *> padded, sizeof(letters))
        memcpy(&order, <const char *> passed, sizeof(order))
        return self.send(&order, user_ref_num, letters, t_ns)

    def counters(self) -> dict[str, int]:
        """Counters of session and channel by the names of ``GATEWAY``, then messages by type."""
        found = GATEWAY.as_dict([self.client.counts[i] for i in range(GATEWAY_COUNT)])
        found.update({f"message_{k}": v for k, v in self.reports.messages().items()})
        return found
