"""What goes to a host is compressed where that makes it shorter."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.transport.packing import Packer

LAYER = random.Random(0).randbytes(32_700)
SCRIPT = b"octossh_say 'all is well'\n" * 1_000


@given(st.lists(st.sampled_from([SCRIPT, LAYER, b"", b"x"]) | st.binary(), max_size=80))
def test_what_was_packed_is_read_packet_by_packet(packets):
    packer, reader = Packer(), zlib.decompressobj()
    assert [reader.decompress(packer(packet)) for packet in packets] == packets


def test_scripts_get_shorter():
    packer = Packer()
    assert all(len(packer(SCRIPT)) < 500 for _ in range(3))


@pytest.mark.parametrize("packet", [LAYER, SCRIPT])
def test_behind_what_does_not_get_shorter_packets_go_as_they_are_and_then_it_is_tried_again(packet):
    packer = Packer()
    packer(LAYER)
    assert all(len(packet) <= len(packer(packet)) < len(packet) + 50 for _ in range(31))
    assert len(packer(SCRIPT)) < 500


def test_a_small_packet_says_nothing_of_those_behind_it():
    packer = Packer()
    packer(LAYER[:1_000])
    assert len(packer(SCRIPT)) < 500
