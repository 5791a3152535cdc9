# SPDX-License-Identifier: Apache-2.0
"""The simulated network."""

import pytest

from sim.network import LossyNetwork

DATAGRAMS = [number.to_bytes(4, "big") * 5 for number in range(2_000)]


def carry(network, step_ns=10):
    out = []
    for number, datagram in enumerate(DATAGRAMS):
        out += network.send(datagram, number * step_ns)
    return out + network.flush(len(DATAGRAMS) * step_ns)


def test_clean_line_delays_only():
    out = carry(LossyNetwork(1, delay_ns=7))
    assert out == [(number * 10 + 7, datagram) for number, datagram in enumerate(DATAGRAMS)]


@pytest.mark.parametrize("seed", range(5))
def test_same_seed_same_network(seed):
    faults = {"drop": 0.1, "duplicate": 0.1, "reorder": 0.1, "corrupt": 0.1, "truncate": 0.1}
    first = carry(LossyNetwork(seed, **faults, jitter_ns=50))
    assert first == carry(LossyNetwork(seed, **faults, jitter_ns=50))
    assert first != carry(LossyNetwork(seed + 1, **faults, jitter_ns=50))
    times = [when for when, _ in first]
    assert times == sorted(times)


def test_each_fault_does_what_it_says():
    network = LossyNetwork(1, drop=0.2)
    out = [datagram for _, datagram in carry(network)]
    dropped = network.counters()["dropped"]
    assert 300 < dropped < 500
    assert len(out) == len(DATAGRAMS) - dropped
    assert out == [datagram for datagram in DATAGRAMS if datagram in set(out)]

    network = LossyNetwork(1, duplicate=0.2)
    out = [datagram for _, datagram in carry(network)]
    assert len(out) == len(DATAGRAMS) + network.counters()["duplicated"] > len(DATAGRAMS)
    assert list(dict.fromkeys(out)) == DATAGRAMS

    for name, counter in (("corrupt", "corrupted"), ("truncate", "truncated")):
        network = LossyNetwork(1, **{name: 0.2})
        out = [datagram for _, datagram in carry(network)]
        assert len(out) == len(DATAGRAMS)
        damaged = [(a, b) for a, b in zip(out, DATAGRAMS, strict=True) if a != b]
        assert len(damaged) == network.counters()[counter] > 300
        for got, sent in damaged:
            if name == "truncate":
                assert sent.startswith(got)
            else:
                bits = int.from_bytes(got, "big") ^ int.from_bytes(sent, "big")
                assert len(got) == len(sent)
                assert bits.bit_count() == 1


@pytest.mark.parametrize("depth", [1, 3, 10])
def test_reordering_is_bounded_by_its_depth(depth):
    network = LossyNetwork(1, reorder=0.1, reorder_depth=depth)
    out = [datagram for _, datagram in carry(network)]
    assert sorted(out) == DATAGRAMS
    assert network.counters()["reordered"] > 100
    place = {datagram: at for at, datagram in enumerate(out)}
    overtaken = [
        sum(place[later] < place[datagram] for later in DATAGRAMS[number + 1 : number + 30])
        for number, datagram in enumerate(DATAGRAMS)
    ]
    assert max(overtaken) <= depth
    assert sum(each > 0 for each in overtaken) > 100


def test_cut_loses_a_row_of_datagrams():
    network = LossyNetwork(1, cut_every=100, cut_length=7)
    out = {datagram for _, datagram in carry(network)}
    lost = [number for number, datagram in enumerate(DATAGRAMS) if datagram not in out]
    assert lost[:8] == [*range(100, 107), 207]
    assert len(lost) == network.counters()["cut"]


@pytest.mark.parametrize(
    "options",
    [
        {"drop": 1.5},
        {"corrupt": -0.1},
        {"delay_ns": -1},
        {"reorder": 0.1, "reorder_depth": 0},
        {"cut_every": 5, "cut_length": 0},
    ],
)
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValueError):
        LossyNetwork(1, **options)
