# SPDX-License-Identifier: Apache-2.0
"""RDMA verbs: a raw-packet port, and rings of fixed slots in another host's memory."""
