"""Reject arguments in the wrong order or of the wrong type before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable

from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.quantities import wrong_type
from vswin_cli.storage.sources import VideoSource

__all__ = ["check_arguments", "check_source"]


def check_source(source: object) -> None:
    """Check that an argument is one video.

    Raises:
        OptionError: it is not.
    """
    if not isinstance(source, (VideoSource, str, os.PathLike)):
        hint = "analyze_videos takes several" if isinstance(source, Iterable) else None
        raise wrong_type("source", "a path, an address or a VideoSource", source, hint)


def check_arguments(engine: object, sampling: object, segments: object = None) -> None:
    """Check that arguments are an engine and options.

    Raises:
        OptionError: one is not.
    """
    if not hasattr(engine, "score"):  # `Scorer` is a protocol: the batch has a scorer of its own
        raise wrong_type("engine", "an Engine", engine, 'make one: Engine("camera-motion")')
    if not isinstance(sampling, SamplingOptions):
        is_swapped = isinstance(sampling, SegmentOptions)
        hint = "segments=SegmentOptions(...)" if is_swapped else "SamplingOptions(stride=0.5)"
        raise wrong_type("sampling", "SamplingOptions", sampling, f"write {hint}")
    if not (segments is None or isinstance(segments, SegmentOptions)):
        hint = "write SegmentOptions(onset=0.3)"
        raise wrong_type("segments", "SegmentOptions or None", segments, hint)
