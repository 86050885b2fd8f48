"""A browser, and a video with scores and a gap, which tests of reports share."""

import pytest

from tests.support.browser import chromium
from tests.support.reports import make_report_video
from vswin_cli.timeline.scores import Gap


@pytest.fixture(scope="session")
def tagged(tmp_path_factory):
    return make_report_video(tmp_path_factory.mktemp("video"), gaps=(Gap(11.0, 13.5),))


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found
