# SPDX-License-Identifier: Apache-2.0
"""Every protocol table of the house, by name."""

from nic.wire.binaryfile import BINARYFILE
from nic.wire.deep10 import DEEP10
from nic.wire.glimpse50 import GLIMPSE50
from nic.wire.iextp import IEXTP
from nic.wire.internet import INTERNET
from nic.wire.itch50 import ITCH50
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.ouch50 import OUCH50
from nic.wire.soupbintcp import SOUPBINTCP

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        INTERNET,
        MOLDUDP64,
        SOUPBINTCP,
        BINARYFILE,
        ITCH50,
        GLIMPSE50,
        OUCH50,
        IEXTP,
        DEEP10,
    )
}
