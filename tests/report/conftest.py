"""A video with scores and a gap, which tests of reports share and do not change."""

import pytest

from tests.support.reports import make_report_video
from vswin_cli.timeline.scores import Gap


@pytest.fixture(scope="session")
def tagged(tmp_path_factory):
    return make_report_video(tmp_path_factory.mktemp("video"), gaps=(Gap(11.0, 13.5),))
