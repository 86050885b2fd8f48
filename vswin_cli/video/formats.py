"""Formats that may be opened: one file, nothing but data.

FFmpeg also reads scripts that name other files or addresses, sequences of files, and devices. A
file with a harmless name may turn out to be any of them, because FFmpeg goes by the content.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from vswin_cli.errors import NotAVideoError

__all__ = ["ALLOWED_FORMATS", "refused_format"]

_CONTAINERS = """
    mov matroska avi mpegts mpegtsraw mpeg flv live_flv kux asf asf_o ogg nut mxf gxf lxf rm swf
    wtv ty nsv nuv dv dhav ivf av1 mpjpeg smjpeg vc1test yuv4mpegpipe pva pmp psp amv xmv mtv
    mgsts lmlm4 vividas vivo ifv iv8 ivr mlv r3d cine ser simbiosis_imx hls
"""  # `hls` after a check of what it names
_STREAMS = """
    apv avs2 avs3 bitpacked cavsvideo dirac dnxhd evc h261 h263 h264 hevc ingenient ipu m4v
    mjpeg mjpeg_2000 mpegvideo obu rawvideo v210 v210x vc1 vvc
"""  # without a container
_IMAGES = """
    apng gif gif_pipe webp webp_pipe jpegxl_anim image2 image2pipe fits ico bmp_pipe cri_pipe
    dds_pipe dpx_pipe exr_pipe gem_pipe hdr_pipe j2k_pipe jpeg_pipe jpegls_pipe jpegxl_pipe
    jpegxs_pipe pam_pipe pbm_pipe pcx_pipe pfm_pipe pgm_pipe pgmyuv_pipe pgx_pipe phm_pipe
    photocd_pipe pictor_pipe png_pipe ppm_pipe psd_pipe qdraw_pipe qoi_pipe sgi_pipe
    sunrast_pipe tiff_pipe vbn_pipe xbm_pipe xpm_pipe xwd_pipe
"""  # `image2` reads one file, given `pattern_type=none`
_OLD = """
    3dostr 4xm alias_pix anm avs bethsoftvid bfi bink bmv brender_pix c93 cdxl dfa dsicin dxa ea
    ea_cdata film_cpk filmstrip flic frm gdv hnm idcin iff ipmovie iss jv luodat lvf mm mods
    moflex msnwctcp mv mvi mxg nc nsp paf psxstr rl2 roq rpl sdr2 sga siff smk smush thp
    tiertexseq tmv txd usm vmd wc3movie wsvqa yop
"""  # videos of games and old programs
_SOUND = """
    aac ac3 ac4 aiff amr amrnb amrwb ape au caf dsf dts dtshd eac3 flac mp3 mpc mpc8 oma spdif
    tak truehd tta voc w64 wav wv xwma
"""  # for the error that there is no video
ALLOWED_FORMATS = frozenset((_CONTAINERS + _STREAMS + _IMAGES + _OLD + _SOUND).split())
"""FFmpeg's names of the formats that are opened, also inside playlists."""

_MARKS = {
    "concat": b"ffconcat version",
    "dash": b"<MPD",
    "imf": b"<CompositionPlaylist",
    "sdp": b"v=0",
}
"""What scripts begin with that cannot be opened to learn their format, or that need a package."""
_HEAD_BYTES = 1 << 16


def refused_format(path: Path) -> NotAVideoError | None:
    """Return the error for a file that FFmpeg refused because of its format.

    Returns:
        The error names the format; `None` if that was not the reason.
    """
    name = _format_of(path)
    if name is None or ALLOWED_FORMATS & set(name.split(",")):
        return None
    is_script = name in _MARKS
    return NotAVideoError(
        f"FFmpeg takes {path} for the format `{name}`, which is not opened: "
        f"{'it names other files' if is_script else 'it holds no video'}",
        hint="name the video files themselves, or join them first: "
        "`ffmpeg -f concat -i LIST -c copy JOINED.mkv`"
        if is_script
        else "check that it is a video file and that it was copied completely",
    )


def _format_of(path: Path) -> str | None:
    """Find the format by the first bytes alone, without opening whatever else they name."""
    import av

    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for name, mark in _MARKS.items():
        if start.startswith(mark) or (mark.startswith(b"<") and mark in head[:4096]):
            return name
    try:
        with av.open(BytesIO(head), mode="r", options={"protocol_whitelist": "none"}) as container:
            return str(container.format.name)
    except (av.error.FFmpegError, OSError, ValueError):
        return None
