"""Which packets gave no frame, from the timestamps of packets and frames."""

from fractions import Fraction

from vswin_cli.video.outstanding import OutstandingPackets

TICK = Fraction(1, 10)


def sent(*stamps):
    packets = OutstandingPackets(TICK)
    for number, pts in enumerate(stamps):
        packets.add(pts, 100 * (number + 1))
    return packets


def test_a_frame_removes_the_packets_that_were_to_be_shown_before_it():
    packets = sent(0, 3, 1, 2)
    packets.remove(0)
    packets.remove(2)
    assert (len(packets), packets.latest_pts, packets.decoded_bytes) == (1, 3, 400)
    packets.remove(3)
    assert (len(packets), packets.latest_pts) == (0, None)


def test_packets_after_a_reset_stay_although_their_timestamps_are_earlier():
    packets = sent(98, 99, 100, 0, 1, 2)
    packets.remove(100)
    assert (len(packets), packets.latest_pts) == (3, 2)
    packets.remove(0)
    packets.remove(2)
    assert len(packets) == 0


def test_a_frame_of_the_first_part_does_not_belong_to_a_packet_of_the_second():
    packets = sent(98, 99, 100, 98, 99, 100)
    packets.remove(100)
    assert packets.decoded_bytes == 300
    packets.remove(99)  # a decoder that is flushed, out of order
    assert packets.decoded_bytes == 300


def test_a_frame_whose_packet_has_no_timestamp_counts_as_the_one_before():
    packets = sent(98, 99, 0, 1)
    packets.remove(100)
    assert (len(packets), packets.latest_pts) == (2, 1)


def test_a_seek_clears_all_packets():
    packets = sent(98, 99)
    packets.remove(98)
    packets.clear()
    packets.add(96, 50)
    packets.remove(96)
    assert len(packets) == 0
