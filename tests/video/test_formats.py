"""Only files that hold video themselves are opened, whatever their name says."""

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.errors import NotAVideoError
from vswin_cli.video.container import open_container
from vswin_cli.video.formats import ALLOWED_FORMATS
from vswin_cli.video.reader import VideoReader

SCRIPTS = {
    "concat": "ffconcat version 1.0\nfile other.mp4\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("suffix", [".mp4", ".txt"])
def test_scripts_that_name_other_files_are_refused(tmp_path, name, suffix):
    make_video(tmp_path / "other.mp4")
    path = tmp_path / f"list{suffix}"
    path.write_text(SCRIPTS[name])
    with pytest.raises(NotAVideoError, match=f"`{name}`") as caught:
        open_container(path)
    assert str(path) in caught.value.message
    assert "other files" in caught.value.message


def test_text_is_refused_by_the_name_of_its_format(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    with pytest.raises(NotAVideoError, match="`srt`"):
        open_container(path)


def test_other_files_are_refused_as_before(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(range(1, 200)) * 20)
    with pytest.raises(NotAVideoError, match="not a video that FFmpeg can open"):
        open_container(path)


def test_a_pattern_is_the_name_of_one_image(tmp_path):
    image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
    with av.open(str(tmp_path / "a%03d.png"), "w", format="image2") as output:
        stream = output.add_stream("png", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb24"
        for number in range(3):
            image.pts = number
            output.mux(stream.encode(image))
        output.mux(stream.encode(None))
    path = tmp_path / "a%03d.png"
    shutil.copy(tmp_path / "a001.png", path)
    with VideoReader(path) as reader:
        assert len(list(reader.frames())) == 1


def test_nothing_that_opens_other_files_devices_or_addresses_is_allowed():
    refused = {"concat", "dash", "lavfi", "sdp", "rtp", "rtsp", "imf", "fbdev", "x11grab", "vobsub"}
    assert not refused & ALLOWED_FORMATS
    assert not {"v4l2", "alsa", "webm_dash_manifest", "data", "tty"} & ALLOWED_FORMATS


RECIPES = {
    **dict.fromkeys(("3gp", "avi", "mkv", "mov", "mp4", "nut", "ts"), VideoRecipe(num_frames=10)),
    "flv": VideoRecipe(codec="flv", num_frames=10),
    "gif": VideoRecipe(codec="gif", pixel_format="rgb8", num_frames=10),
    "mxf": VideoRecipe(codec="mpeg2video", num_frames=10, rate=Fraction(25)),
    "webm": VideoRecipe(codec="libvpx", num_frames=10),
    "wmv": VideoRecipe(codec="wmv2", num_frames=10),
}


@pytest.mark.parametrize("suffix", RECIPES)
def test_common_containers_are_allowed(tmp_path, suffix):
    with open_container(make_video(tmp_path / f"a.{suffix}", RECIPES[suffix])) as container:
        assert container.streams.video
