"""The page of a video with several models in a real browser."""

import json
from dataclasses import replace

import pytest

from tests.support.report_pages import open_page, saved, set_value, until
from tests.support.reports import content_of, make_report_video
from vswin_cli.config import SegmentOptions
from vswin_cli.export import render_timelines
from vswin_cli.report import ReportSource, write_report
from vswin_cli.timeline.files import read_timelines
from vswin_cli.timeline.record import ModelRecord, Notice
from vswin_cli.timeline.score_files import segment_scores

pytestmark = pytest.mark.slow

MOVES = ("pan", "tilt", "zoom", "archery")  # the last one is a label of the other model, too


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Results of two models with their scores."""
    folder = tmp_path_factory.mktemp("videos")
    first = make_report_video(folder, "a.webm", seed=3)
    second = make_report_video(folder, "b.webm", seed=5, with_video=False, labels=MOVES)
    warning = (Notice("NO_SEGMENTS", "almost nothing"),)
    moves = replace(second.timeline, model=ModelRecord(id="moves"), warnings=warning)
    return first, replace(second, timeline=moves)


@pytest.fixture(scope="module")
def source(models):
    first, second = models
    both = first.timeline.with_tracks([second.timeline])
    return ReportSource(both, first.scores, first.video, (second.scores,))


@pytest.fixture
def page(browser, source):
    path = source.scores.parent / "page.html"
    write_report([source], path, thumbnails=False)
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text))
    open_page(opened, path.as_uri())
    yield opened
    context.close()
    assert errors == []


def lanes(page) -> list[str]:
    """Names of models and labels in the order of the rows."""
    found = page.evaluate(
        """[...document.querySelectorAll('#lanes > *')].map((one) =>
             one.matches('.model') ? `= ${one.querySelector('button').textContent}`
                                   : one.querySelector('b').textContent)"""
    )
    return list(found)


def records(timeline) -> list[dict[str, object]]:
    """Segments with the digits of files."""
    return list(timeline.to_dict()["segments"])


def test_lanes_and_cards_are_grouped_by_model(page, models):
    names = [row.label for one in models for row in one.timeline.summary]
    first = len(models[0].timeline.summary)
    assert lanes(page) == ["= swin-t-k400", *names[:first], "= moves", *names[first:]]
    heads = page.locator("#rows .model").all_text_contents()
    assert heads == ["swin-t-k400", "moves"]
    cards = page.locator("#rows .item").count()
    assert cards == sum(len(one.timeline.segments) for one in models)
    assert "swin-t-k400, moves" in page.locator(".facts").text_content()
    assert page.locator("header .notice").all_text_contents() == ["moves: almost nothing"]
    page.select_option("#grouping", "label")
    groups = page.locator("#rows .group").count()
    assert groups == len(names)  # a label of both models has a group in each


def test_thresholds_are_those_of_the_chosen_model(page, models, tmp_path):
    before = lanes(page)
    page.select_option("#model", "1")
    set_value(page, "onset", 0.6)
    found = segment_scores(models[1].scores, SegmentOptions(onset=0.6))
    assert "of moves" in page.locator("#count").text_content()
    assert "vswin segment SCORES.moves.npz --onset 0.6" in page.locator("#command").text_content()
    (timeline,) = read_timelines(saved(page, "json", tmp_path))
    first, second = timeline.each_model()
    assert records(first) == records(models[0].timeline)
    assert [(one.label, one.start_seconds) for one in second.segments] == [
        (one.label, one.start_seconds) for one in found.segments
    ]
    assert second.postprocess.onset == 0.6
    page.click("#reset")
    assert lanes(page) == before
    page.locator("#lanes .model button").first.click()
    assert page.input_value("#model") == "0"
    assert page.input_value("#onset") == str(models[0].timeline.postprocess.onset)


def test_downloads_hold_all_models_and_subtitles_the_chosen_one(page, source, models, tmp_path):
    (timeline,) = read_timelines(saved(page, "json", tmp_path))
    assert list(map(records, timeline.each_model())) == [records(one.timeline) for one in models]
    assert timeline.created == source.timeline.created
    assert saved(page, "csv", tmp_path).read_bytes() == render_timelines([source.timeline], "csv")
    page.select_option("#model", "1")
    video = models[0].timeline.video
    moves = replace(models[1].timeline, video=video)
    assert saved(page, "srt", tmp_path).read_bytes() == render_timelines([moves], "srt")


def test_a_segment_of_another_model_can_be_selected_and_corrected(page, models, tmp_path):
    count = len(models[0].timeline.segments)
    page.locator("#rows .item").nth(count).click()  # the first card of the second model
    assert page.input_value("#model") == "1"
    assert page.locator("#lanes .segment.selected").get_attribute("data-model") == "1"
    page.click("#mark-wrong")
    assert "1 wrong" in page.locator("#corrected-text").text_content()
    found = saved(page, "json", tmp_path)
    assert found.name == "a.corrected.json"
    first, second = read_timelines(found)[0].each_model()
    assert records(first) == records(models[0].timeline)
    assert len(second.segments) == len(models[1].timeline.segments) - 1
    page.wait_for_timeout(500)  # the browser passes stored values on to the next page with a delay
    page.reload()
    until(page, "document.body.dataset.ready")
    assert page.locator("#lanes .segment.wrong").get_attribute("data-model") == "1"
    page.select_option("#model", "1")
    page.click("#discard")
    assert page.locator("#lanes .segment.wrong").count() == 0


def test_one_model_has_no_headings_and_no_choice(browser, models, tmp_path):
    write_report([models[0].source()], tmp_path / "page.html", thumbnails=False)
    context = browser.new_context()
    opened = context.new_page()
    opened.goto((tmp_path / "page.html").as_uri())
    until(opened, "document.body.dataset.ready")
    assert opened.locator(".model").count() == 0
    assert not opened.locator("#model-choice").is_visible()
    context.close()


def test_a_page_without_javascript_lists_the_segments_of_each_model(source, models, tmp_path):
    write_report([replace(source, scores=None, further_scores=())], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    plain = text.partition("<noscript>")[2].partition("</noscript>")[0]
    assert plain.index("<h3>swin-t-k400</h3>") < plain.index("<h3>moves</h3>")
    assert plain.count("<tr><td") == sum(len(one.timeline.segments) for one in models)
    assert [one["record"]["model"]["id"] for one in content_of(text)["models"]] == ["moves"]
    assert json.dumps(content_of(text)).count('"track": null') == 2
