# SPDX-License-Identifier: Apache-2.0
"""The pre-trade risk gate: table of checks, reference, Cython gate."""
