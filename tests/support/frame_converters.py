"""Converters of frames that software decoded, in the place of those on a GPU."""

import numpy as np

from tests.support.triton_device import TRITON_DEVICE
from vswin_cli.video.nv12 import ChromaSite, Nv12Converter


class Nv12InMemory:
    """Converts frames of software decoders, once they are NV12 as NVDEC gives them."""

    def __init__(self, site=ChromaSite.LEFT):
        self.inner = Nv12Converter(TRITON_DEVICE, site)
        self.launches = []

    def convert(self, frames, height, width):
        self.launches.append(len(frames))
        moved = [frame.reformat(format="nv12") for frame in frames]
        return self.inner.convert(moved, height, width)


class Plain:
    """The same by swscale, which is faster."""

    def convert(self, frames, height, width):
        return np.stack([f.reformat(width, height, "rgb24").to_ndarray() for f in frames])


class Darker(Plain):
    """A converter whose images are wrong."""

    def __init__(self, site=None):
        pass

    def convert(self, frames, height, width):
        return super().convert(frames, height, width) // 2
