"""An index is files and folders of features of one model; anything else is named."""

import numpy as np
import pytest

from tests.support.features import feature_file, feature_record, smooth_rows
from tests.timeline.test_feature_files import clip
from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.search.index import check_same_model, load_index
from vswin_cli.timeline.feature_files import save_features
from vswin_cli.timeline.features import FeatureBuilder


def save(path, model="m", clips=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    builder = FeatureBuilder(5, 0.25)
    for i in range(clips):
        builder.add(clip(i, 0.5 * i, float(i)))
    cells = builder.average(3.0)
    with builder.finish(cells, (), feature_record(path.stem, model)) as track:
        save_features(track, path)
    return path


def test_folders_are_searched_in_depth_and_no_file_counts_twice(tmp_path):
    paths = [save(tmp_path / name) for name in ("a.npz", "b/c.npz", "b/d/e.npz")]
    (tmp_path / ".half.npz").write_bytes(b"")
    files, problems = load_index([tmp_path, paths[0], tmp_path / "b"])
    assert [file.path for file in files] == paths
    assert problems == []


def test_other_files_of_a_folder_are_left_out_and_named(tmp_path):
    save(tmp_path / "a.npz")
    np.savez(tmp_path / "scores.npz", scores=np.zeros(3))
    files, problems = load_index([tmp_path])
    assert len(files) == 1
    assert "scores.npz does not hold features" in problems[0].message


def test_a_named_file_without_features_fails(tmp_path):
    np.savez(tmp_path / "scores.npz", scores=np.zeros(3))
    with pytest.raises(SourceError, match="does not hold features") as error:
        load_index([tmp_path / "scores.npz"])
    assert "vswin features" in error.value.hint


def test_a_missing_file_fails(tmp_path):
    with pytest.raises(SourceNotFoundError, match="cannot read"):
        load_index([tmp_path / "none"])


@pytest.mark.parametrize("clips", [None, 0])
def test_an_empty_index_fails(tmp_path, clips):
    if clips is not None:
        save(tmp_path / "a.npz", clips=clips)
    with pytest.raises(SourceError, match="there are no features in") as error:
        load_index([tmp_path])
    assert "vswin features VIDEO" in error.value.hint


def test_features_of_several_models_fail(tmp_path):
    save(tmp_path / "a.npz")
    save(tmp_path / "b.npz", model="other")
    with pytest.raises(
        OptionError, match=r"features of 2 models: m \(.*a.npz\), other \("
    ) as error:
        load_index([tmp_path])
    assert "a folder per model" in error.value.hint


def test_a_query_of_another_model_fails():
    file = feature_file(smooth_rows(8))
    check_same_model("m", feature_record(model="m").weights_identity, file)
    with pytest.raises(OptionError, match="features of other, and the index of m") as error:
        check_same_model("other", "other", file)
    assert "--model m" in error.value.hint
