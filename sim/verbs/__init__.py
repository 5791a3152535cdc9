# SPDX-License-Identifier: Apache-2.0
"""A verbs device that does not exist: queues in memory, for tests of what is built on verbs."""
