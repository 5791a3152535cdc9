# SPDX-License-Identifier: Apache-2.0
"""Nasdaq TotalView-ITCH 5.0: code lists of trading action reasons and issue classifications.

Source: Nasdaq TotalView-ITCH 5.0 specification (2023-04-28), sections 1.2.1 and 1.2.2. A code that
is not listed is no error: the exchange adds codes without a new revision.
"""

TRADING_ACTION_REASONS = {
    "T1": "halt, news pending",
    "T2": "halt, news disseminated",
    "T5": "single-security trading pause",
    "T6": "halt, extraordinary market activity",
    "T8": "halt, exchange-traded fund",
    "T12": "halt, information requested",
    "H4": "halt, non-compliance",
    "H9": "halt, filings not current",
    "H10": "halt, SEC suspension",
    "H11": "halt, regulatory concern",
    "O1": "operations halt",
    "LUDP": "volatility pause",
    "LUDS": "volatility pause, straddle",
    "MWC1": "market-wide circuit breaker, level 1",
    "MWC2": "market-wide circuit breaker, level 2",
    "MWC3": "market-wide circuit breaker, level 3",
    "MWC0": "market-wide circuit breaker, carried over from the previous day",
    "IPO1": "IPO, not yet trading",
    "M1": "corporate action",
    "M2": "quotation not available",
    "T3": "resumption, news and resumption times",
    "T7": "pause, quotation only",
    "R4": "resumption",
    "R9": "resumption",
    "C3": "resumption",
    "C4": "resumption",
    "C9": "resumption",
    "C11": "resumption",
    "MWCQ": "market-wide circuit breaker, resumption",
    "R1": "new issue available",
    "R2": "issue available",
    "IPOQ": "IPO released for quotation",
    "IPOE": "IPO positioning window extension",
    "": "not available",
}

ISSUE_CLASSIFICATIONS = {
    "A": "American depositary share",
    "B": "bond",
    "C": "common stock",
    "F": "depository receipt",
    "I": "144A",
    "L": "limited partnership",
    "N": "notes",
    "O": "ordinary share",
    "P": "preferred stock",
    "Q": "other security",
    "R": "right",
    "S": "shares of beneficial interest",
    "T": "convertible debenture",
    "U": "unit",
    "V": "units of beneficial interest",
    "W": "warrant",
}
