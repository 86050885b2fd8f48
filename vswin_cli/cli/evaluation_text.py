"""Render the reports of `vswin evaluate` as text; all of them are a head and titled tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from vswin_cli.cli import console
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import clean_json, to_json

if TYPE_CHECKING:
    from vswin_cli.evaluation.accuracy import Failure, Rate
    from vswin_cli.evaluation.comparison import ComparisonReport, Difference, VideoComparison
    from vswin_cli.evaluation.detection import DetectionReport
    from vswin_cli.evaluation.events import F1Report
    from vswin_cli.evaluation.segmental import F1Figures, SegmentalReport
    from vswin_cli.evaluation.topk import TopkReport
    from vswin_cli.evaluation.windows import ScoredWindow, WindowReport

__all__ = [
    "comparison_text",
    "detection_text",
    "f1_text",
    "topk_text",
    "windows_text",
    "write_report",
]

_BARS = "▁▂▃▄▅▆▇█"
_MOST_LINES = 20

Report = TypeVar("Report")
_Table = tuple[str, Sequence[str]]
"""Title and rows."""


def write_report(kind: str, report: Report, text: Callable[[Report], str], *, json: bool) -> None:
    """Print a report as JSON with its schema, or as text.

    Args:
        kind: last part of the schema's name, such as `map`.
        report: a record.
        text: renders it.
        json: whether to print JSON.
    """
    if json:
        body = {"schema": f"vswin.evaluation.{kind}/1", **to_json(report)}
        console.write(clean_json(body, indent=2))
    else:
        console.write(text(report))


def _page(head: Sequence[str], *tables: _Table) -> str:
    """Join a head and tables; empty tables are left out and long ones cut."""
    lines = list(head)
    for title, rows in tables:
        if rows:
            lines += ["", title, *(f"  {row}" for row in rows[:_MOST_LINES])]
        if len(rows) > _MOST_LINES:
            lines.append(f"  and {len(rows) - _MOST_LINES} more; --json has all")
    return "\n".join(lines)


def _percent(share: float) -> str:
    """Format a share so that columns of them align."""
    return f"{100 * share:6.2f} %"


def _problems(title: str, failures: Sequence[Failure]) -> _Table:
    return f"{title}: {len(failures)}", [
        f"{failure.video}: {failure.problem}" for failure in failures
    ]


def topk_text(report: TopkReport) -> str:
    """Render accuracy with its protocol, confusions and failures."""
    head = [
        f"{report.model}: {report.top1.total:,} of {counted(report.num_videos, 'video')}",
        f"protocol    {report.protocol}: {report.description}; {report.precision}",
        *(f"{f'top-{k}':11} {rate}" for k, rate in _top_rates(report)),
        f"per class   {100 * report.mean_class_accuracy:.2f} % top-1, mean over classes",
        *_ranking(report),
        *_published(report.model),
    ]
    mistakes = [
        f"{confusion.count} of {confusion.of}  {confusion.truth} taken for {confusion.predicted}"
        for confusion in report.confusions
    ]
    classes = [
        f"{_percent(one.rate.share)}  {one.label} ({one.rate.hits} of {one.rate.total})"
        for one in sorted(report.classes, key=lambda one: (one.rate.share, one.label))
    ]
    return _page(
        head,
        ("top-1 by class, lowest first", classes),
        ("commonest mistakes", mistakes),
        _problems("damaged, but scored", report.damaged),
        _problems("failed and left out", report.failures),
    )


def _top_rates(report: TopkReport) -> Iterator[tuple[int, Rate]]:
    """Yield k and accuracy, of the report's own k or else of 1 and 5."""
    yield from ((one.k, one.rate) for one in report.top)
    if not report.top:
        yield from ((1, report.top1), (5, report.top5))


def _ranking(report: TopkReport) -> Iterator[str]:
    """Yield average precision and calibration error, as far as they are known."""
    if report.mean_average_precision is not None:
        mean = f"{100 * report.mean_average_precision:.2f} %"
        yield f"ranking     {mean} average precision, mean over classes"
    if report.reliability:
        yield f"reliability {100 * report.calibration_error:.2f} % expected calibration error (ECE)"


def _published(model: str) -> list[str]:
    """List the accuracies that were published for these weights."""
    from vswin_cli.models.weights.registry import all_specs

    results = next((spec.accuracy for spec in all_specs() if spec.name == model), ())
    return [
        f"published   {result.top1} / {result.top5} ({result.by}, {result.protocol})"
        for result in results
    ]


def detection_text(report: DetectionReport) -> str:
    """Render mean average precision by threshold and by label."""
    head = [
        f"{counted(report.num_videos, 'video')}, {report.num_truth} true and "
        f"{counted(report.num_predictions, 'predicted segment')}",
        "",
        *(
            f"mAP @ tIoU {limit:<6g} {_percent(value)}"
            for limit, value in zip(report.thresholds, report.by_threshold, strict=True)
        ),
        f"mean              {_percent(report.average)}",
    ]
    labels = [
        f"{_percent(row.average)}  {row.label} ({row.num_truth} true, "
        f"{row.num_predictions} predicted)"
        for row in sorted(report.labels, key=lambda row: (-row.average, row.label))
    ]
    return _page(head, ("average precision by label", labels))


def f1_text(report: F1Report) -> str:
    """Render segmental measures, unless there are only moments, then events."""
    whole = report.events.overall
    head = [
        *([] if report.segments is None else _segmental_lines(report.segments)),
        f"event F1     {_percent(whole.f1)}  (precision {100 * whole.precision:.2f}, recall "
        f"{100 * whole.recall:.2f}; start within {report.events.collar_seconds:g} s, end within "
        f"that or {report.events.collar_share:.0%} of the length)",
    ]
    videos = report.events.videos if len(report.events.videos) > 1 else ()
    return _page(
        head,
        ("event F1 by label", _event_rows(report.events.labels)),
        ("event F1 by video", _event_rows(videos)),
    )


def _event_rows(groups: Iterable[F1Figures[str]]) -> list[str]:
    return [
        f"{_percent(figures.f1)}  {figures.group} ({figures.true_positives} found, "
        f"{figures.false_negatives} missed, {figures.false_positives} wrong)"
        for figures in groups
    ]


def _segmental_lines(segments: SegmentalReport) -> list[str]:
    return [
        f"{counted(segments.num_videos, 'video')}, {segments.seconds:.1f} s",
        "",
        *(
            f"F1@{100 * figures.group:<9g} {_percent(figures.f1)}  "
            f"(precision {100 * figures.precision:.2f}, recall {100 * figures.recall:.2f})"
            for figures in segments.f1
        ),
        f"edit score   {_percent(segments.edit)}",
        f"accuracy     {_percent(segments.accuracy)}  (of all time, background included)",
    ]


def windows_text(report: WindowReport) -> str:
    """Render how often the right label scores highest, false alarms, labels and mistakes."""
    windows, videos = counted(report.num_windows, "window"), counted(report.num_videos, "video")
    head = [f"{report.model}: {windows} of {videos}"]
    if report.num_unsure or report.num_excluded:
        head.append(
            f"left out    {report.num_unsure} unsure, {report.num_excluded} of other labels"
        )
    if report.right.total:
        head += [
            f"right       {report.right} of {report.right.total}",
            f"some true   {report.some_true} (of several that hold)",
        ]
    if report.background_right.total:
        head += [
            f"{report.background}: {report.background_right} of {report.background_right.total}",
            f"false alarm {report.background_alarms} of these",
        ]
    labels = [
        f"{row.num_windows:5} {row.right:6} {row.some_true:10} {row.false_alarms:12}  {row.label}"
        for row in report.labels
    ]
    return _page(
        head,
        ("windows  right  some true  false alarm  label", labels),
        ("mistakes", [_mistake_row(window) for window in report.mistakes]),
        _problems("failed and left out", report.failures),
    )


def _mistake_row(window: ScoredWindow) -> str:
    names = "+".join((window.label, *window.others))
    alarm = f"; {window.false_alarm} would be reported" if window.false_alarm else ""
    return (
        f"{window.video} {window.start_seconds:g}-{window.end_seconds:g} s: "
        f"{names} ({window.score:.2f}), got {window.predicted} "
        f"({window.predicted_score:.2f}){alarm}"
    )


def comparison_text(report: ComparisonReport) -> str:
    """Render agreement, its course over time, and the differences."""
    head = [
        f"A  {report.a}",
        f"B  {report.b}",
        f"the same on {100 * report.agreement:.1f} % of {report.seconds:.1f} s",
    ]
    for side, names in (("A", report.only_in_a), ("B", report.only_in_b)):
        if names:
            head.append(f"only in {side}: {', '.join(names)}")
    return "\n\n".join([_page(head), *(_video_page(video) for video in report.videos)])


def _video_page(video: VideoComparison) -> str:
    bars = "".join(
        "·" if share is None else _BARS[round(share * (len(_BARS) - 1))]
        for share in video.over_time
    )
    head = [
        f"{video.video}: the same on {100 * video.agreement:.1f} % of {video.seconds:.1f} s",
        f"  {bars}  {video.part_seconds:.1f} s each; █ agree, ▁ differ, · not analysed",
    ]
    labels = [
        f"{row.seconds_a:8.1f} {row.seconds_b:8.1f} {row.seconds_both:8.1f}  "
        f"{100 * row.agreement:5.1f} %  {row.label}"
        for row in video.labels
    ]
    return _page(
        head,
        ("       A s      B s   both s    same  label", labels),
        ("where they differ", [_difference_row(difference) for difference in video.differences]),
    )


def _difference_row(difference: Difference) -> str:
    sides = (("A", difference.only_a), ("B", difference.only_b), ("both", difference.both))
    labels = "; ".join(f"{side}: {', '.join(names)}" for side, names in sides if names)
    return f"{difference.start_seconds:9.2f} to {difference.end_seconds:9.2f} s  {labels}"
