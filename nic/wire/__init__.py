# SPDX-License-Identifier: Apache-2.0
"""Wire formats, each written once as a table; codecs, layers and pages are derived from it."""
