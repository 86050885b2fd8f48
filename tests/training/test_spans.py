from vswin_cli.training.spans import cut_spans, unlabelled_spans


def test_overlapping_intervals_are_cut_where_the_labels_change():
    spans = cut_spans([(3, 6, "b"), (0, 4, "a"), (8, 9, "a"), (8.5, 8.5, "cut")])
    assert [(s.start_seconds, s.end_seconds, s.labels) for s in spans] == [
        (0, 3, ("a",)),
        (3, 4, ("a", "b")),
        (4, 6, ("b",)),
        (8, 9, ("a",)),
    ]


def test_boundaries_that_nearly_agree_make_no_part():
    spans = cut_spans([(0, 4.04, "a"), (4, 8, "b")])
    assert [s.labels for s in spans] == [("a",), ("b",)]


def test_background_keeps_its_distance_from_labels():
    spans = unlabelled_spans([(4, 6)], 20, margin_seconds=0.5, length_seconds=3)
    assert [(s.start_seconds, s.end_seconds) for s in spans] == [
        (0, 3.5),
        (6.5, 9.875),
        (9.875, 13.25),
        (13.25, 16.625),
        (16.625, 20),
    ]
    assert {s.labels for s in spans} == {()}
