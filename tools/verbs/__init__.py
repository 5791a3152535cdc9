# SPDX-License-Identifier: Apache-2.0
"""One module per verb of the tickwire command."""
