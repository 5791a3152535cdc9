# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: property tests say how to reproduce them, and may be slow."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,  # a busy machine is no fault of the code
    print_blob=True,  # how to reproduce a failure, on any machine
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")
