"""Names, repositories and paths become folders in our format, from real servers and files."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

import vswin_cli
from tests.support.golden import golden_input, golden_network, golden_state, write_tf_bundle
from tests.support.hub_server import HubServer, Repo, hub_environment, sha256
from vswin_cli.errors import (
    CheckpointError,
    DownloadError,
    IntegrityError,
    LabelsError,
    OfflineError,
    OptionError,
    UnknownModelError,
)
from vswin_cli.models.architecture import InputSpec
from vswin_cli.models.labels import LabelMap
from vswin_cli.models.weights.catalogue import installed_folder, installed_models, labels_of
from vswin_cli.models.weights.loading import ensure_weights, load_model, plan_download
from vswin_cli.models.weights.spec import (
    Accuracy,
    FileHash,
    RemoteFile,
    WeightsSource,
    WeightsSpec,
    parameter_count,
)
from vswin_cli.models.weights.store import record_path
from vswin_cli.storage.download import DiskFullError
from vswin_cli.storage.user_config import cache_folder

NETWORK = golden_network("w877")
PARAMETERS = parameter_count(NETWORK.architecture, NETWORK.num_classes)
LABELS = tuple(f"action {number}" for number in range(NETWORK.num_classes))
BUNDLE = "T/variables/variables"


@pytest.fixture(scope="session")
def official() -> bytes:
    """The golden weights as the authors release theirs."""
    state = {
        name.replace("head.", "cls_head.fc_cls.")
        if name.startswith("head.")
        else f"backbone.{name}": tensor
        for name, tensor in golden_state("w877").items()
    }
    file = io.BytesIO()
    torch.save({"state_dict": state}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The golden TensorFlow weights as files of a repository."""
    folder = write_tf_bundle(tmp_path_factory.mktemp("tf")).parent
    return {f"T/variables/{path.name}": path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server(monkeypatch, tmp_path, bundle, official):
    with HubServer() as server, hub_environment(monkeypatch, tmp_path, server.endpoint):
        server.repos["user/tf"] = Repo(bundle)
        server.serve_plain("w.pth", official)
        server.serve_plain("other.pth", official)
        yield server


@pytest.fixture
def spec(monkeypatch, tmp_path, server, official) -> WeightsSpec:
    """The only named weights: first from the Hub, then from a plain URL."""
    labels = tmp_path / "data" / "labels"
    shutil.copytree(Path(vswin_cli.__file__).parent / "data" / "labels", labels)
    text = "".join(f"{label}\n" for label in LABELS).encode()
    (labels / "ten.txt").write_bytes(text)
    digest = hashlib.sha256(text).hexdigest()
    monkeypatch.setitem(sys.modules["vswin_cli.models.labels"]._BUNDLED, "ten", ("ten.txt", digest))
    monkeypatch.setattr("vswin_cli.models.labels.files", lambda _package: tmp_path)
    base = f"{server.store}/plain/"
    spec = WeightsSpec(
        name="swin-x-ten",
        dataset="ten-actions",
        labels="ten",
        num_classes=NETWORK.num_classes,
        architecture=replace(NETWORK.architecture, name="swin3d_x"),
        input=InputSpec(num_frames=16),
        sources=(
            WeightsSource(
                "hub",
                (
                    RemoteFile(f"{BUNDLE}.index"),
                    RemoteFile(
                        f"{BUNDLE}.data-00000-of-00001",
                        tensor_bytes=4 * PARAMETERS,
                        extra_bytes=1_000_000,
                    ),
                ),
                repo="user/tf",
                licence="MIT",
            ),
            WeightsSource(
                "authors",
                (
                    RemoteFile(
                        "w.pth",
                        size_bytes=len(official),
                        sha256=FileHash(sha256(official), "confirmed"),
                    ),
                ),
                base_url=base,
                licence="Apache-2.0",
            ),
            WeightsSource(
                "again", (RemoteFile("other.pth"),), base_url=base, other_training="trained anew"
            ),
        ),
        parameters=PARAMETERS,
        pretrained_on="nothing",
        accuracy=(Accuracy(50.0, 90.0, "1 clip", "the tests"),),
    )
    monkeypatch.setattr("vswin_cli.models.weights.registry.TABLE", (spec,))
    monkeypatch.setattr("vswin_cli.models.weights.new_card.all_specs", lambda: (spec,))
    return spec


def card_of(folder: Path) -> dict[str, object]:
    content = json.loads((folder / "config.json").read_text())
    assert isinstance(content, dict)
    return content


def source_of(folder: Path) -> str:
    return str(installed_models()[0].card.provenance.source)


@pytest.mark.usefixtures("spec")
class TestNames:
    @pytest.mark.slow
    def test_first_source_is_converted_with_everything_known_about_it(self, server, tmp_path):
        folder = ensure_weights("swin-x-ten")
        assert folder == tmp_path / "vswin" / "models" / "swin-x-ten"
        (model,) = installed_models()
        commit = server.repos["user/tf"].commit
        assert model.folder == folder
        assert model.card.id == "swin-x-ten"
        assert model.card.labels == LABELS
        assert model.card.dataset == "ten-actions"
        assert model.card.licence == "MIT"
        assert model.card.input.num_frames == 16
        assert model.card.provenance.source == (
            f"hf://user/tf@{commit}/{BUNDLE}.data-00000-of-00001"
        )
        data = server.repos["user/tf"].files[f"{BUNDLE}.data-00000-of-00001"]
        assert model.card.provenance.source_sha256 == sha256(data)
        assert model.card.provenance.layout == "tensorflow"

    def test_converted_weights_compute_what_tensorflow_did(self):
        model = load_model("swin-x-ten")
        (case,) = golden_network("tf").cheapest(1)
        with torch.inference_mode():
            logits = model.network(golden_input(case.size))
        assert (logits.flatten() - case.logits.flatten()).abs().max() < 1e-4
        assert model.card.labels == LABELS

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
    def test_a_changed_byte_in_converted_weights_is_found(self, server, name):
        folder = ensure_weights("swin-x-ten")
        load_model("swin-x-ten")
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(CheckpointError, match="has changed since") as caught:
            load_model("swin-x-ten")
        assert "--force" in str(caught.value.hint)
        ensure_weights("swin-x-ten", force=True)
        load_model("swin-x-ten")

    @pytest.mark.slow
    def test_converted_weights_without_hashes_are_still_used(self, server):
        ensure_weights("swin-x-ten")
        shutil.rmtree(cache_folder() / "hashes")
        assert load_model("swin-x-ten").card.id == "swin-x-ten"

    @pytest.mark.slow
    def test_converted_weights_may_move_with_their_cache(self, server, monkeypatch, tmp_path):
        ensure_weights("swin-x-ten")
        cache_folder().rename(tmp_path / "moved")
        monkeypatch.setenv("VSWIN_CACHE", str(tmp_path / "moved"))
        assert load_model("swin-x-ten").card.id == "swin-x-ten"

    def test_second_use_asks_no_network(self, server):
        ensure_weights("swin-x-ten")
        server.log.clear()
        ensure_weights("swin-x-ten")
        load_model("swin-x-ten")
        assert plan_download("swin-x-ten").installed
        assert server.log == []

    @pytest.mark.slow
    def test_installed_weights_work_offline(self, server, monkeypatch, tmp_path):
        ensure_weights("swin-x-ten")
        with hub_environment(monkeypatch, tmp_path, server.endpoint, HF_HUB_OFFLINE="1"):
            assert load_model("swin-x-ten").card.id == "swin-x-ten"

    def test_offline_and_not_here_fails_as_such(self, server, monkeypatch, tmp_path):
        with (
            hub_environment(monkeypatch, tmp_path, server.endpoint, HF_HUB_OFFLINE="1"),
            pytest.raises(OfflineError, match="HF_HUB_OFFLINE"),
        ):
            ensure_weights("swin-x-ten")

    def test_missing_repository_falls_back_to_the_next_source(self, server):
        del server.repos["user/tf"]
        notes: list[str] = []
        folder = ensure_weights("swin-x-ten", on_note=notes.append)
        assert source_of(folder).endswith("/plain/w.pth")
        assert notes == [
            "source 'hub' failed, trying 'authors': "
            "user/tf: no such Hub repository, or a private one",
        ]

    def test_checkpoint_that_does_not_read_strictly_falls_back(self, server):
        broken = dict(server.repos["user/tf"].files)
        broken[f"{BUNDLE}.index"] = b"no table" * 100
        server.repos["user/tf"] = Repo(broken)
        notes: list[str] = []
        folder = ensure_weights("swin-x-ten", on_note=notes.append)
        assert source_of(folder).endswith("/plain/w.pth")
        assert "variables.index" in notes[-1]

    def test_headless_bundle_is_refused_before_it_is_fetched(self, server):
        short = dict(server.repos["user/tf"].files)
        short[f"{BUNDLE}.data-00000-of-00001"] = bytes(4 * PARAMETERS - 4)
        server.repos["user/tf"] = Repo(short)
        notes: list[str] = []
        ensure_weights("swin-x-ten", on_note=notes.append)
        assert "tensors alone take" in notes[-1]
        assert max(request.sent_bytes for request in server.bodies() if "blob" in request.path) < (
            100_000
        )

    def test_when_all_sources_fail_each_has_its_reason(self, server):
        del server.repos["user/tf"]
        server.plain.clear()
        with pytest.raises(DownloadError, match="no source delivered swin-x-ten") as caught:
            ensure_weights("swin-x-ten")
        assert ": hub: user/tf: no such Hub repository" in caught.value.message
        assert "; authors: http" in caught.value.message
        assert "\n" not in caught.value.message  # the terminal would show it as an escape
        assert "(404)" in caught.value.message
        assert installed_folder("swin-x-ten") is None

    def test_pinned_source_is_the_only_one_tried(self, server):
        server.plain.clear()
        with pytest.raises(DownloadError, match="not found"):
            ensure_weights("swin-x-ten", source="authors")
        assert [request.origin for request in server.log] == ["store"]

    @pytest.mark.slow
    def test_pinned_source_replaces_what_came_from_another(self):
        ensure_weights("swin-x-ten")
        folder = ensure_weights("swin-x-ten", source="authors")
        assert source_of(folder).endswith("/plain/w.pth")
        assert plan_download("swin-x-ten", source="authors").installed
        assert not plan_download("swin-x-ten", source="hub").installed

    def test_other_training_is_used_only_when_pinned(self, server):
        server.repos.clear()
        server.plain.pop("w.pth")
        with pytest.raises(DownloadError):
            ensure_weights("swin-x-ten")
        folder = ensure_weights("swin-x-ten", source="again")
        assert card_of(folder)["notes"] == ["trained anew"]

    def test_unknown_source_fails(self):
        with pytest.raises(OptionError, match="no source 'mars'"):
            ensure_weights("swin-x-ten", source="mars")

    @pytest.mark.slow
    def test_force_fetches_and_converts_again(self, server):
        folder = ensure_weights("swin-x-ten")
        (folder / "model.safetensors").write_bytes(b"damaged")
        server.log.clear()
        ensure_weights("swin-x-ten", force=True)
        assert load_model("swin-x-ten").card.labels == LABELS
        assert sum(request.sent_bytes for request in server.bodies()) > 4 * PARAMETERS

    @pytest.mark.slow
    def test_damaged_installed_weights_are_noticed(self):
        folder = ensure_weights("swin-x-ten")
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(content[:-100])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            load_model("swin-x-ten")

    def test_plain_url_leaves_only_the_converted_copy(self):
        ensure_weights("swin-x-ten", source="authors")
        assert not list((cache_folder() / "downloads").rglob("*.pth"))

    def test_wrong_hash_at_a_plain_url_fails(self, server):
        content = server.plain["w.pth"]
        server.fault(content).content = content[:-8] + bytes(8)
        with pytest.raises(IntegrityError, match="expected"):
            ensure_weights("swin-x-ten", source="authors")
        assert installed_folder("swin-x-ten") is None

    def test_another_network_under_the_name_is_refused(self, server, official, spec, monkeypatch):
        smaller = replace(spec, architecture=replace(spec.architecture, mlp_ratio=2.0))
        monkeypatch.setattr("vswin_cli.models.weights.registry.TABLE", (smaller,))
        with pytest.raises(CheckpointError, match="not the network of swin-x-ten"):
            ensure_weights("swin-x-ten", source="authors")

    @pytest.mark.slow
    def test_first_hash_seen_is_kept_and_a_change_refused(self, server, official):
        ensure_weights("swin-x-ten", source="again")
        changed = changed_checkpoint(official)
        server.serve_plain("other.pth", changed)
        with pytest.raises(IntegrityError, match="but on 20") as caught:
            ensure_weights("swin-x-ten", source="again", force=True)
        record = record_path(f"{server.store}/plain/other.pth")
        assert str(record) in str(caught.value.hint)
        assert json.loads(record.read_text())["sha256"] == sha256(official)
        record.unlink()
        ensure_weights("swin-x-ten", source="again", force=True)

    def test_unreadable_record_is_not_ignored(self, server):
        ensure_weights("swin-x-ten", source="again")
        record_path(f"{server.store}/plain/other.pth").write_text("{")
        with pytest.raises(DownloadError, match="cannot be read"):
            ensure_weights("swin-x-ten", source="again", force=True)

    def test_full_disk_ends_the_search(self, server, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(9, 9, 0))
        with pytest.raises(DiskFullError, match="the disk is full"):
            ensure_weights("swin-x-ten")
        assert not any("w.pth" in request.path for request in server.log)

    def test_plan_tells_size_and_source_without_the_network(self, server):
        plan = plan_download("swin-x-ten")
        assert (plan.installed, plan.download_bytes) == (False, 4 * PARAMETERS)
        assert plan.source_uri == f"hf://user/tf/{BUNDLE}.data-00000-of-00001"
        assert server.log == []
        ensure_weights("swin-x-ten")
        assert plan_download("swin-x-ten").download_bytes == 0
        assert not plan_download("swin-x-ten", force=True).installed

    def test_progress_reaches_the_end(self):
        steps: list[tuple[int, int | None]] = []
        ensure_weights("swin-x-ten", on_bytes=lambda done, total: steps.append((done, total)))
        assert steps[-1][0] == steps[-1][1]

    def test_labels_can_be_replaced_if_they_fit(self):
        other = LabelMap("mine", tuple("abcdefghij"))
        assert load_model("swin-x-ten", labels=other).card.labels == other.names
        with pytest.raises(LabelsError, match="got 2 labels, expected 10"):
            load_model("swin-x-ten", labels=LabelMap("mine", ("a", "b")))

    def test_misspelt_name_suggests_and_fetches_nothing(self, server):
        with pytest.raises(UnknownModelError) as caught:
            ensure_weights("swin-x-tem")
        assert "swin-x-ten" in str(caught.value.hint)
        assert server.log == []


def changed_checkpoint(official: bytes) -> bytes:
    content = torch.load(io.BytesIO(official), weights_only=True)
    content["state_dict"]["cls_head.fc_cls.bias"] += 1
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.usefixtures("spec")
class TestRepositories:
    @pytest.mark.slow
    def test_branch_becomes_its_commit(self, server):
        folder = ensure_weights("user/tf")
        commit = server.repos["user/tf"].commit
        assert folder.name == f"user--tf@{commit}"
        assert f"@{commit}/" in source_of(folder)
        assert installed_folder("user/tf") == folder

    @pytest.mark.slow
    def test_shape_of_published_weights_lends_labels_and_input(self):
        ensure_weights("user/tf")
        (model,) = installed_models()
        assert model.card.labels == LABELS
        assert model.card.input.num_frames == 16
        assert "swin-x-ten" in model.card.notes[0]
        assert model.card.licence is None

    @pytest.mark.slow
    def test_unknown_shape_stays_unnamed(self, monkeypatch):
        monkeypatch.setattr("vswin_cli.models.weights.new_card.all_specs", tuple)
        ensure_weights("user/tf")
        (model,) = installed_models()
        assert model.card.labels == ()
        with pytest.raises(LabelsError, match="have no names"):
            labels_of("user/tf")

    @pytest.mark.slow
    def test_own_format_keeps_its_card_and_gains_its_commit(self, server):
        folder = ensure_weights("swin-x-ten", source="authors")
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        server.repos["user/ours"] = Repo(files | {"README.md": b"hello"})
        copy = ensure_weights("user/ours")
        card = next(model.card for model in installed_models() if model.folder == copy)
        assert card.id == "swin-x-ten"
        assert card.provenance.source == (
            f"hf://user/ours@{server.repos['user/ours'].commit}/model.safetensors"
        )
        assert load_model("user/ours").weights_sha256 == load_model("swin-x-ten").weights_sha256

    @pytest.mark.slow
    def test_use_keeps_the_installed_commit_and_download_follows_the_branch(self, server, bundle):
        first = ensure_weights("user/tf")
        server.repos["user/tf"] = Repo(bundle | {"README.md": b"new"})
        assert ensure_weights("user/tf") == first
        second = ensure_weights("user/tf", refresh=True)
        assert second.name == f"user--tf@{server.repos['user/tf'].commit}"
        assert installed_folder("user/tf") == second

    @pytest.mark.slow
    def test_refresh_without_a_connection_keeps_what_is_here(self, server, monkeypatch, tmp_path):
        folder = ensure_weights("user/tf")
        with hub_environment(monkeypatch, tmp_path, server.endpoint, HF_HUB_OFFLINE="1"):
            assert ensure_weights("user/tf", refresh=True) == folder
            with pytest.raises(OfflineError):
                ensure_weights("user/tf", refresh=True, force=True)

    @pytest.mark.slow
    def test_several_checkpoints_need_a_path(self, server, bundle, official):
        server.repos["user/two"] = Repo(bundle | {"w.pth": official})
        with pytest.raises(CheckpointError, match="2 checkpoints in it") as caught:
            ensure_weights("user/two")
        assert "hf://user/two/T/variables/variables.index" in str(caught.value.hint)
        folder = ensure_weights("hf://user/two/w.pth")
        assert folder.name.endswith("--w.pth")

    def test_repository_without_weights_says_what_is_expected(self, server):
        server.repos["user/text"] = Repo({"README.md": b"hello"})
        with pytest.raises(CheckpointError, match="contains no checkpoint"):
            ensure_weights("user/text")

    def test_plan_looks_the_size_up(self, server, bundle):
        plan = plan_download("user/tf")
        assert plan.download_bytes == sum(map(len, bundle.values()))
        assert server.bodies() == []

    def test_other_source_makes_no_sense(self):
        with pytest.raises(OptionError, match="no source 'authors'"):
            ensure_weights("user/tf", source="authors")


class TestHuggingFaceRepositories:
    """Repositories that `save_pretrained` filled, with shards and labels."""

    NAMES = tuple(f"class {letter}" for letter in "abcdefghij")

    @pytest.fixture
    def sharded(self, server) -> str:
        state = {f"net.{name}": tensor for name, tensor in golden_state("w877").items()}
        names = sorted(state)
        files, weight_map = {}, dict[str, str]()
        for number, part in enumerate((names[:50], names[50:]), 1):
            file = f"model-{number:05d}-of-00002.safetensors"
            files[file] = save({name: state[name].contiguous() for name in part})
            weight_map |= dict.fromkeys(part, file)
        id2label = {str(index): name for index, name in enumerate(self.NAMES)}
        files["model.safetensors.index.json"] = json.dumps({"weight_map": weight_map}).encode()
        files["config.json"] = json.dumps({"model_type": "x", "id2label": id2label}).encode()
        server.repos["user/hf"] = Repo(files)
        return "user/hf"

    def test_shards_and_labels_arrive(self, sharded):
        assert load_model(sharded).card.labels == self.NAMES

    @pytest.mark.slow
    def test_what_another_program_downloaded_is_used_offline(
        self, server, sharded, monkeypatch, tmp_path
    ):
        ensure_weights(sharded)
        shutil.rmtree(cache_folder())  # only the Hub's own cache is left
        server.log.clear()
        with hub_environment(monkeypatch, tmp_path, server.endpoint, HF_HUB_OFFLINE="1"):
            assert load_model(sharded).card.labels == self.NAMES
        assert server.log == []


class TestPaths:
    def test_checkpoint_of_any_layout_is_used_where_it_lies(self, tmp_path, official):
        path = tmp_path / "mine.pth"
        path.write_bytes(official)
        model = load_model(path, labels=LabelMap("mine", LABELS))
        assert model.card.id == "mine"
        assert model.card.labels == LABELS
        assert model.card.provenance.source == str(path)
        assert model.card.provenance.source_sha256 == sha256(official)
        assert model.card.provenance.layout == "official"

    def test_without_labels_the_classes_stay_unnamed(self, tmp_path, official):
        path = tmp_path / "mine.pth"
        path.write_bytes(official)
        assert load_model(path).card.labels == ()

    @pytest.mark.usefixtures("spec")
    def test_note_tells_what_was_borrowed_from_published_weights(self, tmp_path, official):
        path = tmp_path / "mine.pth"
        path.write_bytes(official)
        assert load_model(path).card.labels == LABELS
        assert load_model(path).card.notes[0].startswith("Labels and input are those of swin-x-ten")
        named = load_model(path, labels=LabelMap("mine", tuple("abcdefghij"))).card
        assert named.labels[0] == "a"
        assert named.notes[0].startswith("Input is that of swin-x-ten")

    def test_path_needs_no_download(self, tmp_path):
        with pytest.raises(OptionError, match="a path needs no download"):
            ensure_weights(str(tmp_path / "w.pth"))
        with pytest.raises(OptionError, match="is a folder, and no model is in it"):
            ensure_weights(str(tmp_path))

    def test_missing_file_is_named(self, tmp_path):
        with pytest.raises(CheckpointError, match=r"absent\.pth"):
            load_model(tmp_path / "absent.pth")


@pytest.mark.usefixtures("spec")
class TestLabels:
    @pytest.mark.slow
    def test_labels_of_names_lists_files_and_installed_weights(self, tmp_path):
        assert labels_of("swin-x-ten").names == LABELS
        assert labels_of("ten").names == LABELS
        (tmp_path / "l.csv").write_text("id,name\n0,a\n1,b\n")
        assert labels_of(str(tmp_path / "l.csv")).names == ("a", "b")
        with pytest.raises(LabelsError, match="its labels are unknown"):
            labels_of("user/tf")
        folder = ensure_weights("user/tf")
        assert labels_of("user/tf").names == LABELS
        assert labels_of(str(folder)).names == LABELS


@pytest.mark.slow
def test_two_processes_install_one_copy(server, tmp_path):
    """The real table's names need the real network, so the processes share a repository."""
    code = """
        from vswin_cli.models.weights.loading import ensure_weights
        print(ensure_weights("user/tf"))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outs = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    (folder,) = outs
    assert sorted(path.name for path in Path(folder).iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert [path.name for path in Path(folder).parent.iterdir()] == [Path(folder).name]
    data = server.repos["user/tf"].files[f"{BUNDLE}.data-00000-of-00001"]
    fetched = [request for request in server.bodies() if sha256(data) in request.path]
    assert sum(request.sent_bytes for request in fetched) == len(data)
