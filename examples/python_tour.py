"""Tour of vswin in Python: tag a video, look at it, change thresholds, compare, export.

Written in cells (`# %%`), which VS Code, PyCharm and Jupytext show as a notebook. It runs offline
on a CPU in about ten seconds, and needs pandas and matplotlib:

    python examples/python_tour.py [FOLDER]

FOLDER, by default `tour`, gets the results.
"""

# %% Tag a video with the model that ships with the package
import sys
from pathlib import Path

import pandas
from matplotlib import pyplot

from vswin_cli import (
    Engine,
    SamplingOptions,
    SegmentOptions,
    analyze_video,
    evaluate_timelines,
    export_timelines,
    load_scores,
    load_timelines,
    segment_scores,
    tag_batch,
)

here = Path(__file__).parent
video = here / "camera.mp4"
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tour")
folder.mkdir(exist_ok=True)

engine = Engine("camera-motion")
timeline = analyze_video(video, engine, save_scores=folder / "scores.npz")
print(timeline)  # in a notebook, `timeline` alone draws it

# %% The segments: records, or a DataFrame
for segment in timeline.segments:
    print(f"{segment.start_seconds:6.2f} to {segment.end_seconds:6.2f} s  {segment.label}")

table = timeline.to_pandas()
print(table.groupby("label").duration.sum().sort_values(ascending=False))

# %% The scores behind them: (N, K), a row per time step, a column per label
with load_scores(folder / "scores.npz") as track:
    print(track.scores.shape, "time steps and labels,", track.step_seconds, "seconds per step")
    frame = track.to_pandas()
print(frame.loc[2.0:3.0, ["static", "pan-right"]].round(2))
frame[["static", "pan-right", "cut"]].plot(xlabel="seconds", ylabel="score")
pyplot.savefig(folder / "scores.pdf")

# %% Other thresholds, without the video and the model
calm = segment_scores(
    folder / "scores.npz",
    SegmentOptions(onset=0.8, min_duration_seconds=2, exclude=("cut",)),
)
print([segment.label for segment in calm.segments])

# %% Other clips: half a clip apart, of the second quarter
part = analyze_video(
    video, engine, SamplingOptions(stride=0.5, start_seconds=5.0, end_seconds=10.0)
)
print(part.segments)

# %% How good is it? Compare with the truth: a table of video, start, end and label
truth = pandas.read_json(here / "camera.truth.json").assign(video="camera.mp4")
report = evaluate_timelines(timeline, truth, moments="cut", collar_seconds=0.5)
print(report)
for figures in report.events.labels:
    print(f"{figures.group:10} F1 {figures.f1:.2f}")

# %% Images and files for other programs
timeline.plot()
pyplot.savefig(folder / "timeline.pdf")
for name in ("timeline.json", "timeline.svg", "timeline.srt", "timeline.otio"):
    export_timelines(timeline, folder / name)
print(load_timelines(folder / "timeline.json"))

# %% A whole folder, resumable; `vswin batch` goes on with the same files
batch = tag_batch(video, folder / "results.csv", engine)
print(batch)
print(pandas.read_csv(folder / "results.csv")[["start", "end", "label"]].head(3))
