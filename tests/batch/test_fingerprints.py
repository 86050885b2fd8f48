"""The settings that a batch's results are compared by."""

from vswin_cli.batch.fingerprints import sampling_values
from vswin_cli.config import SamplingOptions


def test_rate_of_raw_streams_counts_only_where_it_is_given():
    usual = sampling_values(SamplingOptions())
    assert "input_frame_rate" not in usual  # or every journal of earlier versions would be invalid
    assert sampling_values(SamplingOptions(input_frame_rate=40.0)) == {
        **usual,
        "input_frame_rate": 40.0,
    }
