# SPDX-License-Identifier: Apache-2.0
"""The normalised feed: what the feed handler and the books found, for other processes to follow."""
