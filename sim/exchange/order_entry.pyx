# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""OUCH 5.0 order entry: what is checked and kept before and after a venue matches.

``OrderDesk`` reads the inbound messages of every session, keeps the live client orders, writes
the outbound messages, and knows nothing of books: it hands orders to a ``Venue`` (the matching
engine, or the replayed market) and hears of executions and cancels from it. So both answer in the
same bytes.

Choices where the document leaves room: sizes in Cancel and Modify count the whole chain, what was
executed included, as in Replace; a Replace whose size was executed already answers Replaced with
state D; invalid details in a Replace cancel the order with reason U; a Replace in a halted symbol
is Rejected and leaves the order alone. Orders other than limit orders in continuous trading are
Rejected under the reason the document has for it.

Source: Nasdaq OUCH 5.0, revision 1.04. Times are nanoseconds since midnight.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from host.book.index_map cimport (
    index_map_close, index_map_open, index_map_put, index_map_remove, index_map_seek)
from nic.wire.check cimport CHECK_LENGTH, CHECK_OK
from nic.wire.ouch50_codec cimport *
from sim.exchange.appendage cimport (
    OPTIONS_OK, Options, options_accepted, options_parse)
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.ids cimport *
from sim.exchange.order_checks cimport (
    BLANK_FIRM, book_side, refusal_of_enter, replace_is_valid, side_may_become)
from sim.exchange.reports cimport (
    report_accepted, report_account, report_broken, report_canceled, report_executed,
    report_mass_cancel, report_modified, report_order_entry, report_rejected, report_replaced,
    report_self_match_canceled, report_system_event)
from sim.exchange.sequenced cimport SequencedStore

from sim.exchange.enumerations import ORDER_ENTRY, REJECT_REASON

cdef uint64_t SECOND_NS = 1_000_000_000
cdef uint64_t NEVER = <uint64_t> -1
cdef uint64_t BLANK_SYMBOL = 0x2020202020202020
cdef uint8_t BLANK_ID[14]
memset(BLANK_ID, 0x20, sizeof(BLANK_ID))


cdef class Venue:
    """Where orders meet; the plain class knows no symbol."""

    cdef int64_t find_symbol(self, uint64_t symbol) noexcept nogil:
        """The symbol's index, -1 for none."""
        return -1

    cdef int symbol_state(self, uint32_t symbol_index) noexcept nogil:
        """VENUE_OPEN, VENUE_HALTED or VENUE_CLOSED."""
        return VENUE_CLOSED

    cdef uint64_t next_reference(self) noexcept nogil:
        """A new day-unique order reference number."""
        return 0

    cdef void enter(self, ClientOrder *order, uint64_t t_ns) noexcept nogil:
        """A new order, accepted: match it; let the rest rest, or cancel it."""

    cdef void replace(self, ClientOrder *order, const ClientOrder *previous,
                      uint64_t t_ns) noexcept nogil:
        """``order`` takes the place of what it was before."""

    cdef void reduce(self, ClientOrder *order, uint32_t shares, uint64_t t_ns) noexcept nogil:
        """Take shares off an order; its leaves are those from before."""


cdef class OrderDesk:
    """Order entry of all sessions of one venue.

    ``capacity`` live client orders at most; further ones are Rejected (processing error).
    ``tick`` is the price increment from 1.0000 up; below, every price is allowed.
    """

    def __cinit__(self, uint32_t capacity=1 << 16, int64_t tick=100):
        self.capacity = capacity
        self.tick = tick
        self.used = 1
        self.next_expiry_ns = NEVER
        self.kept = []
        self.pool = <ClientOrder *> calloc(capacity + 1, sizeof(ClientOrder))
        self.fills = <ClientFill *> calloc(FILLS_KEPT, sizeof(ClientFill))
        self.next_numbers = <uint64_t *> calloc(MAXIMUM_SESSIONS * CHANNELS, sizeof(uint64_t))
        if (not self.pool or not self.fills or not self.next_numbers
                or not index_map_open(&self.live, capacity + 1, False)):
            raise MemoryError()

    def __dealloc__(self):
        free(self.pool)
        free(self.fills)
        free(self.next_numbers)
        index_map_close(&self.live)

    def connect_venue(self, Venue venue not None):
        """Join the desk and the venue, once."""
        self.venue = venue
        venue.desk = self

    def add_session(self, str firm, SequencedStore store not None):
        """A session of ``firm`` (up to four letters) whose messages go to ``store``; its index."""
        cdef uint32_t session = self.session_count
        cdef uint32_t channel
        cdef bytes padded = firm.encode("ascii").ljust(4)
        if session == MAXIMUM_SESSIONS:
            raise ValueError(f"more than {MAXIMUM_SESSIONS} order-entry sessions")
        if len(padded) != 4:
            raise ValueError(f"firm {firm!r} is longer than 4 characters")
        memcpy(&self.firms[session], <const char *> padded, 4)
        self.stores[session] = &store.bytes_
        self.kept.append(store)
        for channel in range(CHANNELS):
            self.next_numbers[session * CHANNELS + channel] = 1
        self.session_count += 1
        return session

    cdef void on_message(self, uint32_t session, const uint8_t *m, uint32_t length,
                         uint64_t t_ns) noexcept nogil:
        """One inbound message of a session; what is no message is counted and ignored."""
        cdef int check = ouch50_inbound_check(m, length)
        if check != CHECK_OK:
            self.counts[ORDER_ENTRY_BAD_LENGTH if check == CHECK_LENGTH
                        else ORDER_ENTRY_UNKNOWN_TYPE] += 1
        elif m[0] == OUCH50_ENTER_ORDER:
            self._enter(session, m, length, t_ns)
        elif m[0] == OUCH50_REPLACE_ORDER_REQUEST:
            self._replace(session, m, length, t_ns)
        elif m[0] == OUCH50_CANCEL_ORDER_REQUEST:
            self._cancel(session, m, length, t_ns)
        elif m[0] == OUCH50_MODIFY_ORDER_REQUEST:
            self._modify(session, m, length, t_ns)
        elif m[0] == OUCH50_MASS_CANCEL_REQUEST:
            self._mass_cancel(session, m, length, t_ns)
        elif m[0] == OUCH50_DISABLE_ORDER_ENTRY_REQUEST:
            self._switch_order_entry(session, m, length, False, t_ns)
        elif m[0] == OUCH50_ENABLE_ORDER_ENTRY_REQUEST:
            self._switch_order_entry(session, m, length, True, t_ns)
        else:
            self._account_query(session, m, length, t_ns)

    cdef void _enter(self, uint32_t session, const uint8_t *m, uint32_t length,
                     uint64_t t_ns) noexcept nogil:
        cdef Options options
        cdef uint8_t appendage[256]
        cdef uint32_t appendage_length = 0
        cdef uint32_t number = ouch50_enter_order_user_ref_num(m)
        cdef int64_t symbol_index = self.venue.find_symbol(ouch50_enter_order_symbol(m))
        cdef uint16_t reason = 0
        cdef ClientOrder *order
        self.counts[ORDER_ENTRY_ENTER_ORDERS] += 1
        if not self._options(m, length, OUCH50_ENTER_ORDER_LENGTH, &options):
            reason = REJECT_REASON_OTHER
        if not self._consume(session, options.user_ref_idx, number):
            return
        if reason == 0:
            reason = self._refusal(session, m, &options, symbol_index)
        order = self._new_record() if reason == 0 else NULL
        if order is NULL:
            if reason == 0:
                reason = REJECT_REASON_PROCESSING_ERROR
                self.counts[ORDER_ENTRY_TABLE_FULL] += 1
            self._reject(session, number, options.user_ref_idx, reason,
                         ouch50_enter_order_cl_ord_id(m), t_ns)
            return
        order.session = <uint16_t> session
        order.user_ref_idx = options.user_ref_idx
        order.user_ref_num = number
        order.reference = self.venue.next_reference()
        order.symbol = ouch50_enter_order_symbol(m)
        order.symbol_index = <uint32_t> symbol_index
        order.price = <int64_t> ouch50_enter_order_price(m)
        order.leaves = ouch50_enter_order_quantity(m)
        order.side = ouch50_enter_order_side(m)
        order.book_side = book_side(order.side)
        order.time_in_force = ouch50_enter_order_time_in_force(m)
        order.display = ouch50_enter_order_display(m)
        order.capacity = ouch50_enter_order_capacity(m)
        order.inter_market_sweep_eligibility = ouch50_enter_order_inter_market_sweep_eligibility(m)
        order.cross_type = ouch50_enter_order_cross_type(m)
        order.post_only = options.post_only == b"P"
        order.min_quantity = options.min_quantity
        order.group_id = options.group_id
        order.firm = self.firms[session]
        memcpy(order.cl_ord_id, ouch50_enter_order_cl_ord_id(m), sizeof(order.cl_ord_id))
        self._set_expiry(order, options.expire_time_seconds, t_ns)
        self._insert(order)
        appendage_length = options_accepted(m + OUCH50_ENTER_ORDER_LENGTH,
                                            length - OUCH50_ENTER_ORDER_LENGTH, appendage,
                                            sizeof(appendage))
        self.counts[ORDER_ENTRY_ACCEPTED] += 1
        report_accepted(self.stores[session], order, b"L", appendage, appendage_length, t_ns)
        self.venue.enter(order, t_ns)

    cdef uint16_t _refusal(self, uint32_t session, const uint8_t *m, const Options *options,
                           int64_t symbol_index) noexcept nogil:
        """Reason to reject an Enter Order, 0 for none."""
        cdef uint16_t reason
        cdef int state
        if self.disabled[session] or (options.given >> OPTION_TAG_FIRM & 1
                                      and options.firm != BLANK_FIRM
                                      and options.firm != self.firms[session]):
            return REJECT_REASON_FIRM_NOT_AUTHORIZED
        if symbol_index < 0:
            return REJECT_REASON_INVALID_SYMBOL
        reason = refusal_of_enter(m, options, self.tick)
        if reason:
            return reason
        state = self.venue.symbol_state(<uint32_t> symbol_index)
        if state == VENUE_CLOSED:
            return REJECT_REASON_DESTINATION_CLOSED
        return REJECT_REASON_HALTED if state == VENUE_HALTED else 0

    cdef void _replace(self, uint32_t session, const uint8_t *m, uint32_t length,
                       uint64_t t_ns) noexcept nogil:
        cdef Options options
        cdef uint32_t original = ouch50_replace_order_request_orig_user_ref_num(m)
        cdef uint32_t number = ouch50_replace_order_request_user_ref_num(m)
        cdef uint32_t quantity = ouch50_replace_order_request_quantity(m)
        cdef bint valid
        cdef ClientOrder *order
        cdef ClientOrder previous
        self.counts[ORDER_ENTRY_REPLACES] += 1
        valid = self._options(m, length, OUCH50_REPLACE_ORDER_REQUEST_LENGTH, &options)
        order = self._find(session, options.user_ref_idx, original)
        if order is NULL:
            self.counts[ORDER_ENTRY_NOT_LIVE] += 1
            return
        if not self._is_new(session, options.user_ref_idx, number):
            self.counts[ORDER_ENTRY_OLD_USER_REF_NUM] += 1
            return
        if self.venue.symbol_state(order.symbol_index) != VENUE_OPEN:
            self._consume(session, options.user_ref_idx, number)
            self._reject(session, number, options.user_ref_idx,
                         REJECT_REASON_DESTINATION_CLOSED
                         if self.venue.symbol_state(order.symbol_index) == VENUE_CLOSED
                         else REJECT_REASON_HALTED,
                         ouch50_replace_order_request_cl_ord_id(m), t_ns)
            return
        if not valid or not replace_is_valid(m, &options, order.side, self.tick):
            self._cancel_live(order, order.leaves, CANCEL_REASON_USER_REQUESTED, t_ns)
            return
        self._consume(session, options.user_ref_idx, number)
        if quantity <= order.executed:
            self.venue.reduce(order, order.leaves, t_ns)
        memcpy(&previous, order, sizeof(previous))
        self._forget(order)
        order.user_ref_num = number
        order.reference = self.venue.next_reference()
        order.price = <int64_t> ouch50_replace_order_request_price(m)
        order.leaves = quantity - order.executed if quantity > order.executed else 0
        order.time_in_force = ouch50_replace_order_request_time_in_force(m)
        order.display = ouch50_replace_order_request_display(m)
        order.inter_market_sweep_eligibility = (
            ouch50_replace_order_request_inter_market_sweep_eligibility(m))
        order.min_quantity = options.min_quantity
        if options.side:
            order.side = options.side
        if options.post_only:
            order.post_only = options.post_only == b"P"
        memcpy(order.cl_ord_id, ouch50_replace_order_request_cl_ord_id(m),
               sizeof(order.cl_ord_id))
        self._set_expiry(order, options.expire_time_seconds, t_ns)
        self._insert(order)
        self.counts[ORDER_ENTRY_REPLACED] += 1
        if order.leaves == 0:
            # all that the client wants was executed already: replaced and dead
            report_replaced(self.stores[session], order, original, b"D", t_ns)
            self._release(order)
            return
        report_replaced(self.stores[session], order, original, b"L", t_ns)
        self.venue.replace(order, &previous, t_ns)

    cdef void _cancel(self, uint32_t session, const uint8_t *m, uint32_t length,
                      uint64_t t_ns) noexcept nogil:
        cdef Options options
        cdef uint32_t intended = ouch50_cancel_order_request_quantity(m)
        cdef ClientOrder *order
        self.counts[ORDER_ENTRY_CANCELS] += 1
        if not self._options(m, length, OUCH50_CANCEL_ORDER_REQUEST_LENGTH, &options):
            return
        order = self._find(session, options.user_ref_idx,
                           ouch50_cancel_order_request_user_ref_num(m))
        if order is NULL:
            self.counts[ORDER_ENTRY_NOT_LIVE] += 1
        elif intended >= order.executed + order.leaves:
            self.counts[ORDER_ENTRY_SUPERFLUOUS] += 1
        else:
            intended = intended - order.executed if intended > order.executed else 0
            self._cancel_live(order, order.leaves - intended, CANCEL_REASON_USER_REQUESTED, t_ns)

    cdef void _modify(self, uint32_t session, const uint8_t *m, uint32_t length,
                      uint64_t t_ns) noexcept nogil:
        cdef Options options
        cdef uint32_t intended = ouch50_modify_order_request_quantity(m)
        cdef uint8_t side = ouch50_modify_order_request_side(m)
        cdef ClientOrder *order
        self.counts[ORDER_ENTRY_MODIFIES] += 1
        if not self._options(m, length, OUCH50_MODIFY_ORDER_REQUEST_LENGTH, &options):
            return
        order = self._find(session, options.user_ref_idx,
                           ouch50_modify_order_request_user_ref_num(m))
        if order is NULL:
            self.counts[ORDER_ENTRY_NOT_LIVE] += 1
            return
        if not side_may_become(order.side, side):
            self.counts[ORDER_ENTRY_SUPERFLUOUS] += 1
            return
        order.side = side
        if intended <= order.executed:
            self._cancel_live(order, order.leaves, CANCEL_REASON_USER_REQUESTED, t_ns)
            return
        if intended < order.executed + order.leaves:
            self.venue.reduce(order, order.executed + order.leaves - intended, t_ns)
            order.leaves = intended - order.executed
        self.counts[ORDER_ENTRY_MODIFIED] += 1
        report_modified(self.stores[session], order, t_ns)

    cdef void _mass_cancel(self, uint32_t session, const uint8_t *m, uint32_t length,
                           uint64_t t_ns) noexcept nogil:
        cdef Options options
        cdef uint32_t number = ouch50_mass_cancel_request_user_ref_num(m)
        cdef uint32_t firm = ouch50_mass_cancel_request_firm(m)
        cdef uint64_t symbol = ouch50_mass_cancel_request_symbol(m)
        cdef uint32_t record
        cdef uint16_t reason = 0
        cdef ClientOrder *order
        self.counts[ORDER_ENTRY_MASS_CANCELS] += 1
        if not self._options(m, length, OUCH50_MASS_CANCEL_REQUEST_LENGTH, &options):
            reason = REJECT_REASON_OTHER
        if not self._consume(session, options.user_ref_idx, number):
            return
        if reason == 0 and firm != BLANK_FIRM and firm != self.firms[session]:
            reason = REJECT_REASON_FIRM_NOT_AUTHORIZED
        if reason == 0 and symbol != BLANK_SYMBOL and self.venue.find_symbol(symbol) < 0:
            reason = REJECT_REASON_INVALID_SYMBOL
        if reason:
            self._reject(session, number, options.user_ref_idx, reason, BLANK_ID, t_ns)
            return
        report_mass_cancel(self.stores[session], number, options.user_ref_idx, firm, symbol, t_ns)
        for record in range(1, self.used):
            order = &self.pool[record]
            if (order.live and order.session == session
                    and (symbol == BLANK_SYMBOL or symbol == order.symbol)
                    and (options.side == 0 or options.side == order.side)
                    and (options.group_id == 0 or options.group_id == order.group_id)):
                self._cancel_live(order, order.leaves, CANCEL_REASON_USER_REQUESTED, t_ns)

    cdef void _switch_order_entry(self, uint32_t session, const uint8_t *m, uint32_t length,
                                  bint enable, uint64_t t_ns) noexcept nogil:
        # Disable and Enable have one shape
        cdef Options options
        cdef uint32_t number = ouch50_disable_order_entry_request_user_ref_num(m)
        cdef uint32_t firm = ouch50_disable_order_entry_request_firm(m)
        cdef uint16_t reason = 0
        self.counts[ORDER_ENTRY_ENABLES if enable else ORDER_ENTRY_DISABLES] += 1
        if not self._options(m, length, OUCH50_DISABLE_ORDER_ENTRY_REQUEST_LENGTH, &options):
            reason = REJECT_REASON_OTHER
        if not self._consume(session, options.user_ref_idx, number):
            return
        if reason == 0 and firm != BLANK_FIRM and firm != self.firms[session]:
            reason = REJECT_REASON_FIRM_NOT_AUTHORIZED
        if reason:
            self._reject(session, number, options.user_ref_idx, reason, BLANK_ID, t_ns)
            return
        self.disabled[session] = not enable
        report_order_entry(self.stores[session], enable, number, options.user_ref_idx, firm, t_ns)

    cdef void _account_query(self, uint32_t session, const uint8_t *m, uint32_t length,
                             uint64_t t_ns) noexcept nogil:
        cdef Options options
        self.counts[ORDER_ENTRY_ACCOUNT_QUERIES] += 1
        if self._options(m, length, OUCH50_ACCOUNT_QUERY_REQUEST_LENGTH, &options):
            report_account(
                self.stores[session],
                <uint32_t> self.next_numbers[session * CHANNELS + options.user_ref_idx],
                options.user_ref_idx, t_ns)

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Cancel the orders whose time to live is over."""
        cdef uint32_t record
        cdef ClientOrder *order
        if t_ns < self.next_expiry_ns:
            return
        self.next_expiry_ns = NEVER
        for record in range(1, self.used):
            order = &self.pool[record]
            if not order.live or order.expire_ns == 0:
                continue
            if order.expire_ns <= t_ns:
                self.counts[ORDER_ENTRY_EXPIRED] += 1
                self._cancel_live(order, order.leaves, CANCEL_REASON_TIMEOUT, t_ns)
            elif order.expire_ns < self.next_expiry_ns:
                self.next_expiry_ns = order.expire_ns

    cdef void cancel_session(self, uint32_t session, uint8_t reason, uint64_t t_ns) noexcept nogil:
        """Cancel every order of a session."""
        cdef uint32_t record
        for record in range(1, self.used):
            if self.pool[record].live and self.pool[record].session == session:
                self._cancel_live(&self.pool[record], self.pool[record].leaves, reason, t_ns)

    cdef uint32_t record_of(self, const ClientOrder *order) noexcept nogil:
        """The record's number, 1 or more, by which a venue may remember it."""
        return <uint32_t> (order - self.pool)

    cdef void on_executed(self, ClientOrder *order, uint32_t shares, int64_t price,
                          uint8_t liquidity_flag, uint64_t match_number,
                          uint64_t t_ns) noexcept nogil:
        """The venue executed shares of an order; without open shares the record is free again."""
        cdef ClientFill *fill = &self.fills[self.fill_count % FILLS_KEPT]
        order.leaves -= shares
        order.executed += shares
        fill.match_number = match_number
        memcpy(&fill.order, order, sizeof(ClientOrder))
        self.fill_count += 1
        self.counts[ORDER_ENTRY_EXECUTIONS] += 1
        self.counts[ORDER_ENTRY_EXECUTED_SHARES] += shares
        report_executed(self.stores[order.session], order, shares, price, liquidity_flag,
                        match_number, t_ns)
        if order.leaves == 0:
            self._release(order)

    cdef void on_canceled(self, ClientOrder *order, uint32_t shares, uint8_t reason,
                          uint64_t t_ns) noexcept nogil:
        """Shares of an order are off; without open shares the record is free again."""
        order.leaves -= shares
        self.counts[ORDER_ENTRY_CANCELED] += 1
        report_canceled(self.stores[order.session], order, shares, reason, t_ns)
        if order.leaves == 0:
            self._release(order)

    cdef void on_self_match(self, ClientOrder *order, uint32_t prevented,
                            uint64_t t_ns) noexcept nogil:
        """A resting order met an order of its own session and is taken off whole."""
        cdef uint32_t shares = order.leaves
        order.leaves = 0
        self.counts[ORDER_ENTRY_SELF_MATCH_CANCELED] += 1
        report_self_match_canceled(self.stores[order.session], order, shares, prevented,
                                   order.price, b"A", t_ns)
        self._release(order)

    cdef uint32_t break_match(self, uint64_t match_number, uint8_t reason,
                              uint64_t t_ns) noexcept nogil:
        """Tell the client sides of a match that it is broken; how many were told."""
        cdef uint32_t at, told = 0
        for at in range(FILLS_KEPT):
            if self.fills[at].match_number == match_number:
                report_broken(self.stores[self.fills[at].order.session], &self.fills[at].order,
                              match_number, reason, t_ns)
                told += 1
        self.counts[ORDER_ENTRY_BROKEN] += told
        return told

    cdef bint _options(self, const uint8_t *m, uint32_t length, uint32_t fixed,
                       Options *options) noexcept nogil:
        """Read the option tags; a message may end before its appendage length."""
        cdef int result = options_parse(m + fixed, length - fixed if length > fixed else 0, m[0],
                                        options)
        self.counts[ORDER_ENTRY_UNKNOWN_TAGS] += options.unknown
        if result != OPTIONS_OK:
            self.counts[ORDER_ENTRY_BAD_APPENDAGE] += 1
        return result == OPTIONS_OK

    cdef bint _is_new(self, uint32_t session, uint8_t channel, uint32_t number) noexcept nogil:
        return number >= self.next_numbers[session * CHANNELS + channel]

    cdef bint _consume(self, uint32_t session, uint8_t channel, uint32_t number) noexcept nogil:
        """Take a UserRefNum; False, and counted, for one that is not higher than the last."""
        if not self._is_new(session, channel, number):
            self.counts[ORDER_ENTRY_OLD_USER_REF_NUM] += 1
            return False
        self.next_numbers[session * CHANNELS + channel] = <uint64_t> number + 1
        return True

    cdef void _set_expiry(self, ClientOrder *order, uint32_t seconds, uint64_t t_ns) noexcept nogil:
        if order.time_in_force != b"6":
            order.expire_ns = 0
            return
        order.expire_ns = t_ns + seconds * SECOND_NS
        if order.expire_ns < self.next_expiry_ns:
            self.next_expiry_ns = order.expire_ns

    cdef ClientOrder *_find(self, uint32_t session, uint8_t channel,
                            uint32_t number) noexcept nogil:
        cdef uint64_t key = <uint64_t> session << 40 | <uint64_t> channel << 32 | number
        cdef uint32_t at = index_map_seek(&self.live, key, self.pool, sizeof(ClientOrder))
        cdef uint32_t record = self.live.entries[at].value
        return &self.pool[record] if record else NULL

    cdef ClientOrder *_new_record(self) noexcept nogil:
        """A record without history, NULL when there is none."""
        cdef uint32_t record = self.free_head
        if record:
            self.free_head = self.pool[record].link
        elif self.used <= self.capacity:
            record = self.used
            self.used += 1
        else:
            return NULL
        memset(&self.pool[record], 0, sizeof(ClientOrder))
        return &self.pool[record]

    cdef void _insert(self, ClientOrder *order) noexcept nogil:
        order.key = (<uint64_t> order.session << 40 | <uint64_t> order.user_ref_idx << 32
                     | order.user_ref_num)
        order.live = 1
        self.live_count += 1
        index_map_put(&self.live, index_map_seek(&self.live, order.key, self.pool,
                                                 sizeof(ClientOrder)),
                      order.key, self.record_of(order))

    cdef void _forget(self, const ClientOrder *order) noexcept nogil:
        """Take an order's number out of the table of live orders."""
        self.live_count -= 1
        index_map_remove(&self.live, index_map_seek(&self.live, order.key, self.pool,
                                                    sizeof(ClientOrder)))

    cdef void _release(self, ClientOrder *order) noexcept nogil:
        self._forget(order)
        order.live = 0
        order.link = self.free_head
        self.free_head = self.record_of(order)

    cdef void _cancel_live(self, ClientOrder *order, uint32_t shares, uint8_t reason,
                           uint64_t t_ns) noexcept nogil:
        self.venue.reduce(order, shares, t_ns)
        self.on_canceled(order, shares, reason, t_ns)

    cdef void _reject(self, uint32_t session, uint32_t user_ref_num, uint8_t channel,
                      uint16_t reason, const uint8_t *cl_ord_id, uint64_t t_ns) noexcept nogil:
        self.counts[ORDER_ENTRY_REJECTED] += 1
        self.rejects[reason] += 1
        report_rejected(self.stores[session], user_ref_num, channel, reason, cl_ord_id, t_ns)

    def receive(self, uint32_t session, const uint8_t[::1] message, uint64_t t_ns):
        """One inbound message of a session at ``t_ns`` (nanoseconds since midnight)."""
        if session >= self.session_count:
            raise IndexError(f"no session {session}")
        if message.shape[0]:
            self.on_message(session, &message[0], <uint32_t> message.shape[0], t_ns)
        else:
            self.counts[ORDER_ENTRY_BAD_LENGTH] += 1

    def system_event(self, str event_code, uint64_t t_ns):
        """Tell every session: ``S`` start of day, ``E`` end of day."""
        cdef uint32_t session
        for session in range(self.session_count):
            report_system_event(self.stores[session], ord(event_code), t_ns)

    def cancel_all(self, uint32_t session, str reason, uint64_t t_ns):
        """Cancel every order of a session with a cancel reason letter."""
        if session >= self.session_count:
            raise IndexError(f"no session {session}")
        self.cancel_session(session, ord(reason), t_ns)

    def timer(self, uint64_t t_ns):
        """Cancel the orders whose time to live is over."""
        self.on_timer(t_ns)

    def open_orders(self):
        """Live orders: (session, channel, UserRefNum, reference, symbol, side, leaves, price)."""
        cdef uint32_t record
        cdef ClientOrder *order
        found = []
        for record in range(1, self.used):
            order = &self.pool[record]
            if order.live:
                found.append((order.session, order.user_ref_idx, order.user_ref_num,
                              order.reference, (<char *> &order.symbol)[:8], chr(order.side),
                              order.leaves, order.price))
        return found

    def counters(self):
        """The counters, by name."""
        self.counts[ORDER_ENTRY_STORE_FAILED] = sum(
            (<SequencedStore> store).bytes_.failed for store in self.kept)
        return ORDER_ENTRY.as_dict(self.counts)

    def rejects_by_reason(self):
        """Rejected messages, by the name of the reason."""
        return {entry.name: self.rejects[entry.value] for entry in REJECT_REASON.entries
                if self.rejects[entry.value]}
