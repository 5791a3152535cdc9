# SPDX-License-Identifier: Apache-2.0
"""Order-level and price-level books."""
