# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: property tests may be slow and say how to reproduce them; Ctrl-C."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,  # a busy machine is no fault of the code
    print_blob=True,  # how to reproduce a failure, on any machine
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

# A shell starts what it puts into the background with SIGINT ignored, and whatever the tests start
# would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
