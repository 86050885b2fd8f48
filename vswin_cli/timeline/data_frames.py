"""Timelines and score tracks as pandas DataFrames; pandas is loaded when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.storage.extras import load_extra

if TYPE_CHECKING:
    from pandas import DataFrame

    from vswin_cli.timeline.record import Timeline
    from vswin_cli.timeline.scores import ScoreTrack

__all__ = ["score_frame", "segment_frame"]


def segment_frame(timeline: Timeline) -> DataFrame:
    """Make a frame with a row per segment, see `Timeline.to_pandas`.

    Raises:
        OptionError: pandas is not installed.
    """
    pandas = load_extra("pandas", "a DataFrame")
    named = [(one.model.id, part) for one in timeline.each_model() for part in one.segments]
    found = [part for _, part in named]
    seconds, scores, texts = np.float64, np.float64, object  # the types of columns without rows
    columns = {
        "video": ([timeline.video.uri] * len(found), texts),
        "start": ([one.start_seconds for one in found], seconds),
        "end": ([one.end_seconds for one in found], seconds),
        "duration": ([one.duration_seconds for one in found], seconds),
        "label": ([one.label for one in found], texts),
        "class_id": ([one.class_id for one in found], "Int64"),
        "score": ([one.score for one in found], scores),
        "score_max": ([one.score_max for one in found], scores),
        "peak": ([one.peak_seconds for one in found], seconds),
        "windows": ([one.num_clips for one in found], np.int64),
        "model": ([model for model, _ in named], texts),
    }
    frame: DataFrame = pandas.DataFrame(
        {name: pandas.Series(values, dtype=kind) for name, (values, kind) in columns.items()}
    )
    return frame


def score_frame(track: ScoreTrack) -> DataFrame:
    """Make a frame with a row per time step, see `ScoreTrack.to_pandas`.

    Raises:
        OptionError: pandas is not installed.
    """
    pandas = load_extra("pandas", "a DataFrame")
    starts, _ = track.edges_seconds
    index = pandas.Index(starts, name="start")
    frame: DataFrame = pandas.DataFrame(track.scores, index=index, columns=list(track.labels))
    return frame
