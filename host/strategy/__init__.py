# SPDX-License-Identifier: Apache-2.0
"""The strategy interface and the example strategies."""
