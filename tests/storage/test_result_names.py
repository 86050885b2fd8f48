from vswin_cli.storage.result_names import unique_names


def test_names_are_the_stems_without_folder_and_query():
    uris = ["a/clip 1.mp4", "https://example.org/b.mp4?token=x", "s3://bucket/day/c.mov"]
    assert unique_names(uris) == ["clip 1", "b", "c"]


def test_equal_names_are_numbered_whatever_the_case():
    assert unique_names(["a/x.mp4", "b/X.mp4", "c/x.mkv"]) == ["x", "X-2", "x-3"]


def test_long_names_leave_room_for_number_and_ending():
    names = unique_names([f"{folder}/{'ä' * 200}.mp4" for folder in "ab"], ".json")
    assert len(set(names)) == 2
    assert all(len(f"{name}.json".encode()) <= 255 for name in names)
