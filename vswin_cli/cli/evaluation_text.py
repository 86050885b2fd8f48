"""Results of `vswin evaluate` in words and columns, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from vswin_cli.evaluation.comparison import ComparisonReport, Difference, VideoComparison
    from vswin_cli.evaluation.detection import DetectionReport
    from vswin_cli.evaluation.events import EventReport, LabelEvents, VideoEvents
    from vswin_cli.evaluation.segmental import SegmentalReport
    from vswin_cli.evaluation.topk import TopkReport
    from vswin_cli.evaluation.windows import ScoredWindow, WindowReport
    from vswin_cli.models.weights.spec import Accuracy

__all__ = ["comparison_text", "detection_text", "f1_text", "topk_text", "windows_text"]

_BARS = "▁▂▃▄▅▆▇█"
_MOST_LINES = 20


def topk_text(report: TopkReport) -> str:
    """Accuracy with its protocol, mistakes and failures."""
    scored = report.top1.total
    lines = [
        f"{report.model}: {scored:,} of {counted(report.num_videos, 'video')}",
        f"protocol    {report.protocol}: {report.description}; {report.precision}",
        f"top-1       {report.top1}",
        f"top-5       {report.top5}",
        f"per class   {100 * report.mean_class_accuracy:.2f} % top-1, mean over classes",
        *_published(report.model),
    ]
    mistakes = [
        f"  {one.count} of {one.of}  {one.truth} taken for {one.predicted}"
        for one in report.confusions
    ]
    damaged = [f"  {one.video}: {one.problem}" for one in report.damaged]
    failures = [f"  {one.video}: {one.problem}" for one in report.failures]
    lines += _section("commonest mistakes", mistakes)
    lines += _section(f"damaged, but scored: {len(damaged)}", damaged)
    lines += _section(f"failed and left out: {len(failures)}", failures)
    return "\n".join(lines)


def _published(model: str) -> list[str]:
    """What others measured with these weights."""
    from vswin_cli.models.weights.registry import all_specs

    results: Iterable[Accuracy] = next(
        (spec.accuracy for spec in all_specs() if spec.name == model), ()
    )
    return [f"published   {one.top1} / {one.top5} ({one.by}, {one.protocol})" for one in results]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = len(lines) - _MOST_LINES
    rest = [f"  and {more} more; --json has all"] if more > 0 else []
    return ["", title, *lines[:_MOST_LINES], *rest]


def detection_text(report: DetectionReport) -> str:
    """Mean average precision by threshold, then the labels."""
    lines = [
        f"{counted(report.num_videos, 'video')}, {report.num_truth} true and "
        f"{counted(report.num_predictions, 'predicted segment')}",
        "",
        *(
            f"mAP @ tIoU {limit:<6g} {100 * value:6.2f} %"
            for limit, value in zip(report.thresholds, report.by_threshold, strict=True)
        ),
        f"mean              {100 * report.average:6.2f} %",
    ]
    rows = sorted(report.labels, key=lambda one: (-one.average, one.label))
    labels = [
        f"  {100 * one.average:6.2f} %  {one.label} ({one.num_truth} true, "
        f"{one.num_predictions} predicted)"
        for one in rows
    ]
    return "\n".join([*lines, *_section("average precision by label", labels)])


def f1_text(segments: SegmentalReport | None, events: EventReport) -> str:
    """Segmental measures, unless there are only moments, then events."""
    lines = [] if segments is None else _segmental_lines(segments)
    whole = events.overall
    lines.append(
        f"event F1     {100 * whole.f1:6.2f} %  (precision {100 * whole.precision:.2f}, recall "
        f"{100 * whole.recall:.2f}; start within {events.collar_seconds:g} s, end within that or "
        f"{events.collar_share:.0%} of the length)"
    )
    lines += _section("event F1 by label", [_event_line(one.label, one) for one in events.labels])
    if len(events.videos) > 1:
        rows = [_event_line(one.video, one) for one in events.videos]
        lines += _section("event F1 by video", rows)
    return "\n".join(lines)


def _event_line(name: str, one: LabelEvents | VideoEvents) -> str:
    return (
        f"  {100 * one.f1:6.2f} %  {name} ({one.true_positives} found, "
        f"{one.false_negatives} missed, {one.false_positives} wrong)"
    )


def _segmental_lines(segments: SegmentalReport) -> list[str]:
    return [
        f"{counted(segments.num_videos, 'video')}, {segments.seconds:.1f} s",
        "",
        *(
            f"F1@{100 * one.overlap:<9g} {100 * one.f1:6.2f} %  "
            f"(precision {100 * one.precision:.2f}, recall {100 * one.recall:.2f})"
            for one in segments.f1
        ),
        f"edit score   {100 * segments.edit:6.2f} %",
        f"accuracy     {100 * segments.accuracy:6.2f} %  (of all time, background included)",
    ]


def windows_text(report: WindowReport) -> str:
    """How often the right label leads, and false alarms; then labels and mistakes."""
    windows, videos = counted(report.num_windows, "window"), counted(report.num_videos, "video")
    lines = [f"{report.model}: {windows} of {videos}"]
    if report.num_unsure or report.num_excluded:
        lines.append(
            f"left out    {report.num_unsure} unsure, {report.num_excluded} of other labels"
        )
    if report.right.total:
        lines += [
            f"right       {report.right} of {report.right.total}",
            f"some true   {report.some_true} (of several that hold)",
        ]
    if report.background_right.total:
        lines += [
            f"{report.background}: {report.background_right} of {report.background_right.total}",
            f"false alarm {report.background_alarms} of these",
        ]
    labels = [
        f"  {one.num_windows:5} {one.right:6} {one.some_true:10} {one.false_alarms:12}  {one.label}"
        for one in report.labels
    ]
    lines += _section("windows  right  some true  false alarm  label", labels)
    lines += _section("mistakes", [_mistake_line(one) for one in report.mistakes])
    failures = [f"  {one.video}: {one.problem}" for one in report.failures]
    return "\n".join([*lines, *_section(f"failed and left out: {len(failures)}", failures)])


def _mistake_line(one: ScoredWindow) -> str:
    names = "+".join((one.label, *one.others))
    alarm = f"; {one.false_alarm} would be reported" if one.false_alarm else ""
    return (
        f"  {one.video} {one.start_seconds:g}-{one.end_seconds:g} s: {names} ({one.score:.2f}), "
        f"got {one.predicted} ({one.predicted_score:.2f}){alarm}"
    )


def comparison_text(report: ComparisonReport) -> str:
    """Agreement, a strip over time, and the differences."""
    lines = [
        f"A  {report.a}",
        f"B  {report.b}",
        f"the same on {100 * report.agreement:.1f} % of {report.seconds:.1f} s",
    ]
    for side, names in (("A", report.only_in_a), ("B", report.only_in_b)):
        if names:
            lines.append(f"only in {side}: {', '.join(names)}")
    for video in report.videos:
        lines += ["", *_video_lines(video)]
    return "\n".join(lines)


def _video_lines(video: VideoComparison) -> list[str]:
    strip = "".join(
        "·" if share is None else _BARS[round(share * (len(_BARS) - 1))]
        for share in video.over_time
    )
    lines = [
        f"{video.video}: the same on {100 * video.agreement:.1f} % of {video.seconds:.1f} s",
        f"  {strip}  {video.part_seconds:.1f} s each; █ agree, ▁ differ, · not analysed",
    ]
    labels = [
        f"  {one.seconds_a:8.1f} {one.seconds_b:8.1f} {one.seconds_both:8.1f}  "
        f"{100 * one.agreement:5.1f} %  {one.label}"
        for one in video.labels
    ]
    lines += _section("       A s      B s   both s    same  label", labels)
    lines += _section("where they differ", [_difference_line(one) for one in video.differences])
    return lines


def _difference_line(one: Difference) -> str:
    sides = (("A", one.only_a), ("B", one.only_b), ("both", one.both))
    said = "; ".join(f"{side}: {', '.join(names)}" for side, names in sides if names)
    return f"  {one.start_seconds:9.2f} to {one.end_seconds:9.2f} s  {said}"
