"""vswin: find what happens in a video, and when.

    from vswin_cli import Engine, analyze_video

    timeline = analyze_video("movie.mp4", Engine("camera-motion"))
    timeline.to_pandas()

    tag        analyze_video, analyze_videos, tag_batch (many, resumable; BatchReport),
               analyze_video_with_models (several models, one decoding)
    model      Engine, load_model; EngineOptions, SamplingOptions, SegmentOptions, Stride, LabelMap
    result     Timeline, Segment: to_pandas, plot, to_dict, to_json_text; load_timelines
    write      export_timelines (any format), cut_segments (clips)
    scores     load_scores, ScoreTrack; segment_scores finds segments again
    features   analyze_features, load_features, FeatureTrack, FeatureFile
    compare    evaluate_timelines, Evaluation
    train      read_examples, add_background, train_head, train_full, load_initial,
               HeadOptions, FullOptions
    videos     VideoSource, expand_sources
    errors     VswinError, with `hint` and `exit_code`

Times are seconds from the first frame, intervals are half-open, scores lie in 0..1. The names load
on first use, so that importing the package is fast; `help(NAME)` describes each.
"""

import sys

# `python -m vswin_cli` has the current folder first on the path, unless Python 3.11 was told `-P`:
# modules beside a video would be loaded instead of Python's own. Nothing that is not loaded yet may
# be imported before this. A checkout that is run in its own folder is still found, last.
if (
    sys.argv[:1] == ["-m"]
    and __name__ in sys.orig_argv
    and not getattr(sys.flags, "safe_path", sys.flags.isolated)
):
    sys.path.append(sys.path.pop(0))
    if __path__[0].removeprefix(sys.path[-1])[1:] != __name__:
        del sys.path[-1]

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vswin_cli._version import __version__

if TYPE_CHECKING:
    from vswin_cli.batch.in_process import tag_batch
    from vswin_cli.batch.run import BatchReport
    from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions, Stride
    from vswin_cli.cutting.run import cut_segments
    from vswin_cli.errors import VswinError
    from vswin_cli.evaluation.timelines import Evaluation, evaluate_timelines
    from vswin_cli.export import export_timelines
    from vswin_cli.inference.engine import Engine
    from vswin_cli.inference.pipeline import analyze_features, analyze_video
    from vswin_cli.inference.several_models import analyze_video_with_models
    from vswin_cli.inference.several_videos import analyze_videos
    from vswin_cli.models.labels import LabelMap
    from vswin_cli.models.weights.loading import load_model
    from vswin_cli.storage.sources import VideoSource, expand_sources
    from vswin_cli.timeline.feature_files import FeatureFile, load_features
    from vswin_cli.timeline.features import FeatureTrack
    from vswin_cli.timeline.files import load_timelines
    from vswin_cli.timeline.record import Timeline
    from vswin_cli.timeline.score_files import load_scores, segment_scores
    from vswin_cli.timeline.scores import ScoreTrack
    from vswin_cli.timeline.segments import Segment
    from vswin_cli.training.background import add_background
    from vswin_cli.training.examples import read_examples
    from vswin_cli.training.full import train_full
    from vswin_cli.training.full_options import FullOptions
    from vswin_cli.training.head import train_head
    from vswin_cli.training.head_fit import HeadOptions
    from vswin_cli.training.initial import load_initial

_HOMES = {
    "BatchReport": "batch.run",
    "Engine": "inference.engine",
    "EngineOptions": "config",
    "Evaluation": "evaluation.timelines",
    "FeatureFile": "timeline.feature_files",
    "FeatureTrack": "timeline.features",
    "FullOptions": "training.full_options",
    "HeadOptions": "training.head_fit",
    "LabelMap": "models.labels",
    "SamplingOptions": "config",
    "ScoreTrack": "timeline.scores",
    "Segment": "timeline.segments",
    "SegmentOptions": "config",
    "Stride": "config",
    "Timeline": "timeline.record",
    "VideoSource": "storage.sources",
    "VswinError": "errors",
    "add_background": "training.background",
    "analyze_features": "inference.pipeline",
    "analyze_video": "inference.pipeline",
    "analyze_video_with_models": "inference.several_models",
    "analyze_videos": "inference.several_videos",
    "cut_segments": "cutting.run",
    "evaluate_timelines": "evaluation.timelines",
    "expand_sources": "storage.sources",
    "export_timelines": "export",
    "load_features": "timeline.feature_files",
    "load_initial": "training.initial",
    "load_model": "models.weights.loading",
    "load_scores": "timeline.score_files",
    "load_timelines": "timeline.files",
    "read_examples": "training.examples",
    "segment_scores": "timeline.score_files",
    "tag_batch": "batch.in_process",
    "train_full": "training.full",
    "train_head": "training.head",
}

__all__ = [
    "BatchReport",
    "Engine",
    "EngineOptions",
    "Evaluation",
    "FeatureFile",
    "FeatureTrack",
    "FullOptions",
    "HeadOptions",
    "LabelMap",
    "SamplingOptions",
    "ScoreTrack",
    "Segment",
    "SegmentOptions",
    "Stride",
    "Timeline",
    "VideoSource",
    "VswinError",
    "__version__",
    "add_background",
    "analyze_features",
    "analyze_video",
    "analyze_video_with_models",
    "analyze_videos",
    "cut_segments",
    "evaluate_timelines",
    "expand_sources",
    "export_timelines",
    "load_features",
    "load_initial",
    "load_model",
    "load_scores",
    "load_timelines",
    "read_examples",
    "segment_scores",
    "tag_batch",
    "train_full",
    "train_head",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"vswin_cli.{_HOMES[name]}"), name)
    import_module("vswin_cli.field_docs").with_field_docs(found)
    return found


def __dir__() -> list[str]:
    """List the public names, also those that are not loaded yet, for completion."""
    return sorted({*globals(), *__all__})
