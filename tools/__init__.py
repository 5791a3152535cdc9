# SPDX-License-Identifier: Apache-2.0
"""What people type: the tickwire command and its verbs."""
