"""Rates, shares and differences of networks."""

import pytest
import torch

from vswin_cli.bench.networks import measure_networks, measure_precisions


@pytest.mark.slow
def test_float32_agrees_with_itself_and_bfloat16_nearly(engines, bench_video):
    twice = {"float32": engines["float32"], "again": engines["float32"]}
    (same,) = measure_precisions(twice, bench_video.first_clips)
    assert (same.largest_difference, same.agreement, same.step_agreement) == (0.0, 1.0, 1.0)
    (rough,) = measure_precisions(engines, bench_video.first_clips)
    assert rough.precision == "bfloat16"
    assert 0 < rough.largest_difference < 0.3 < rough.largest_logit
    assert rough.clips == bench_video.clips


@pytest.mark.slow
def test_rates_shares_and_ratios_belong_together(engines, bench_video):
    peers = {"twin": {name: engine.model.network for name, engine in engines.items()}}
    report = measure_networks(engines, bench_video.first_clips, peers, batch_size=2, passes=2)
    assert [(row.name, row.precision) for row in report.rows] == [
        ("vswin", "float32"),
        ("twin", "float32"),
        ("vswin", "bfloat16"),
        ("twin", "bfloat16"),
    ]
    ceilings = {ceiling.precision: ceiling for ceiling in report.ceilings}
    best = min(row.timing.fastest_seconds for row in report.rows if row.name == "vswin")
    for row in report.rows:
        assert row.clips_per_second == pytest.approx(1 / row.timing.fastest_seconds)
        assert row.clips_at_once == 2 * (torch.get_num_threads() if row.one_pass_per_thread else 1)
        assert (row.other_way_seconds is None) == (torch.get_num_threads() == 1)
        assert row.other_way_seconds is None or row.other_way_seconds >= 1 / row.clips_per_second
        assert row.share == pytest.approx(row.gflops / ceilings[row.precision].gflops)
        assert row.slower_than_best == pytest.approx(row.timing.fastest_seconds / best)
        assert row.difference == (None if row.name == "vswin" else 0.0)
    assert {row.slower for row in report.rows if row.name == "vswin"} == {1.0}


@pytest.mark.slow
def test_on_a_cpu_both_ways_of_using_threads_are_tried(engines, bench_video):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        exact = {"float32": engines["float32"]}
        (row,) = measure_networks(exact, bench_video.first_clips, {}, batch_size=1, passes=1).rows
    finally:
        torch.set_num_threads(before)
    assert row.clips_at_once == (2 if row.one_pass_per_thread else 1)
    assert row.other_way_seconds >= row.timing.fastest_seconds


@pytest.mark.slow
def test_compiling_that_fails_is_noted_and_costs_nothing_else(engines, bench_video, monkeypatch):
    def refuse(network):
        def run(_):
            raise RuntimeError("no compiler\nat all")

        return run

    monkeypatch.setattr(torch, "compile", refuse)
    exact = {"float32": engines["float32"]}
    report = measure_networks(
        exact, bench_video.first_clips, {}, batch_size=1, passes=1, compiled=True
    )
    assert report.notes == ("torch.compile failed on vswin in float32: no compiler",)
    assert len(report.rows) == 1
