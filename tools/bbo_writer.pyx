# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Writes a line each time a symbol's best bid or offer changed."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from host.book.book cimport Book
from host.engine cimport BookObserver
from host.model cimport Top

cdef enum:
    BUFFER_BYTES = 1 << 20
    LONGEST_LINE_BYTES = 128   # six numbers of at most 20 digits would be 126 with commas


cdef class BboWriter(BookObserver):
    """Appends ``timestamp,symbol,bid_price,bid_size,ask_price,ask_size`` lines to a binary file.

    Raw integers as on the wire, 0 for an empty side. Lines wait in a buffer of a megabyte; call
    :meth:`close` at the end. An error of the file is raised there, and nothing more is written
    after it.
    """

    cdef object file
    cdef char *buffer
    cdef size_t used
    cdef readonly uint64_t lines
    cdef object error

    def __cinit__(self, file not None):
        self.file = file
        self.buffer = <char *> malloc(BUFFER_BYTES)
        if self.buffer == NULL:
            raise MemoryError("no memory for the lines of best bids and offers")

    def __dealloc__(self):
        free(self.buffer)

    cdef void put_number(self, uint64_t value) noexcept nogil:
        cdef char digits[20]
        cdef int count = 0
        while True:
            digits[count] = <char> (48 + value % 10)
            count += 1
            value //= 10
            if value == 0:
                break
        while count:
            count -= 1
            self.buffer[self.used] = digits[count]
            self.used += 1

    cdef void put_field(self, int64_t value) noexcept nogil:
        self.buffer[self.used] = 44  # a comma
        self.used += 1
        if value < 0:
            self.buffer[self.used] = 45  # a minus sign
            self.used += 1
            self.put_number(<uint64_t> -value)
        else:
            self.put_number(<uint64_t> value)

    cdef void on_bbo(self, Book book, uint32_t symbol_index) noexcept nogil:
        cdef const Top *top = &book.tops[symbol_index]
        cdef const char *symbol = <const char *> &top.symbol
        cdef int length = 8
        cdef int i
        if self.used + LONGEST_LINE_BYTES > BUFFER_BYTES:
            self.empty()
        self.put_number(top.timestamp)
        self.buffer[self.used] = 44
        self.used += 1
        while length > 0 and symbol[length - 1] == 32:
            length -= 1
        for i in range(length):
            self.buffer[self.used] = symbol[i]
            self.used += 1
        self.put_field(top.bid_price)
        self.put_field(top.bid_shares)
        self.put_field(top.ask_price)
        self.put_field(top.ask_shares)
        self.buffer[self.used] = 10
        self.used += 1
        self.lines += 1

    cdef void empty(self) noexcept nogil:
        with gil:
            if self.error is None:
                try:
                    self.file.write(self.buffer[:self.used])
                except Exception as error:  # raised in close: nobody can take it here
                    self.error = error
        self.used = 0

    def close(self):
        """Write what is left and close the file; raises the error of a write that failed."""
        self.empty()
        self.file.close()
        if self.error is not None:
            raise self.error
