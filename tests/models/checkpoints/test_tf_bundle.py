import gzip
import math

import pytest
import torch

from tests.support.golden import TF_DATA, golden_network, parameter_shapes, write_tf_bundle
from tests.support.layout_files import tf_table
from vswin_cli.errors import CheckpointError
from vswin_cli.models.checkpoints.tf_bundle import find_bundle_index, graph_names, read_bundle
from vswin_cli.models.checkpoints.tf_index import BundleIndex
from vswin_cli.models.weights.registry import get_spec

DATA_FILE = "variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tf_bundle(tmp_path_factory.mktemp("model") / "variables")


@pytest.fixture
def copy(bundle, tmp_path):
    """A bundle of one's own to damage."""
    for file in bundle.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def load_graph(stem: str) -> bytes:
    return gzip.decompress((TF_DATA / f"{stem}.object_graph.pb.gz").read_bytes())


def test_reads_every_tensor_under_our_names_with_output_channels_first(bundle):
    state = read_bundle(bundle)
    network = golden_network("tf")
    expected = parameter_shapes(network.architecture, network.num_classes)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == expected
    assert all(
        tensor.dtype == torch.float32 and tensor.is_contiguous() for tensor in state.values()
    )


@pytest.mark.parametrize("name", ["", "variables", "variables/variables.index", DATA_FILE])
def test_finds_the_index_from_a_folder_an_index_or_a_data_file(bundle, name):
    model = bundle.parent.parent
    path = bundle.parent / name if name == DATA_FILE else model / name
    assert find_bundle_index(path) == bundle


def test_other_paths_are_no_bundle(tmp_path):
    assert find_bundle_index(tmp_path) is None
    assert find_bundle_index(tmp_path / "weights.pth") is None
    assert find_bundle_index(tmp_path / "gone.index") is None


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("TFVideoSwinT_K400_IN1K_P244_W877_32x224", "swin-t-k400"),
        ("TFVideoSwinS_K400_IN1K_P244_W877_32x224", "swin-s-k400"),
        ("TFVideoSwinB_K400_IN22K_P244_W877_32x224", "swin-b-k400"),
        ("TFVideoSwinB_K600_IN22K_P244_W877_32x224", "swin-b-k600"),
    ],
)
def test_index_of_real_size_has_the_published_network_s_parameters(stem, name):
    index = BundleIndex.read(TF_DATA / f"{stem}.index")
    spec = get_spec(name)
    shapes = parameter_shapes(spec.architecture, spec.num_classes)
    assert index.parameter_count == sum(math.prod(shape) for shape in shapes.values())
    assert len(index.variables) == len(shapes)


@pytest.mark.parametrize(
    ("stem", "data_bytes"),
    [
        ("TFVideoSwinT_K400_IN1K_P244_W877_32x224", 112_771_161),
        ("TFVideoSwinB_K600_IN22K_P244_W877_32x224", 353_279_154),
    ],
)
def test_length_of_the_data_file_follows_from_the_index(stem, data_bytes):
    index = BundleIndex.read(TF_DATA / f"{stem}.index")
    graph = next(entry for entry in index.entries.values() if entry.is_string)
    assert index.data_bytes() == data_bytes == 4 * index.parameter_count + graph.num_bytes


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("TFVideoSwinT_K400_IN1K_P244_W877_32x224", "swin-t-k400"),
        ("TFVideoSwinB_K600_IN22K_P244_W877_32x224", "swin-b-k600"),
    ],
)
def test_object_graph_of_real_size_names_every_variable_with_its_shape(stem, name):
    spec = get_spec(name)
    entries = BundleIndex.read(TF_DATA / f"{stem}.index").variables
    names = graph_names(load_graph(stem), stem)
    expected = parameter_shapes(spec.architecture, spec.num_classes)
    assert set(names) == set(expected)
    assert sorted(names.values()) == sorted(entries)
    for ours, key in names.items():
        assert sorted(entries[key].shape) == sorted(expected[ours])


def test_a_changed_byte_in_any_tensor_is_found(copy):
    data = bytearray((copy / DATA_FILE).read_bytes())
    data[1_000_000] ^= 1
    (copy / DATA_FILE).write_bytes(data)
    with pytest.raises(CheckpointError, match=r"damaged \(checksum of variables/\d+/"):
        read_bundle(copy / "variables.index")


def test_a_changed_byte_in_the_object_graph_is_found(copy):
    data = bytearray((copy / DATA_FILE).read_bytes())
    data[-5000] ^= 1
    (copy / DATA_FILE).write_bytes(data)
    with pytest.raises(CheckpointError, match="object graph"):
        read_bundle(copy / "variables.index")


def test_a_changed_byte_in_the_index_is_found(copy):
    index = bytearray((copy / "variables.index").read_bytes())
    index[300] ^= 1
    (copy / "variables.index").write_bytes(index)
    with pytest.raises(CheckpointError, match="checksum of a block"):
        read_bundle(copy / "variables.index")


def test_a_data_file_cut_off_is_refused_with_both_lengths(copy):
    data = (copy / DATA_FILE).read_bytes()
    (copy / DATA_FILE).write_bytes(data[:-1000])
    with pytest.raises(CheckpointError, match="cut off, got 2,702,837 bytes, expected 2,703,837"):
        read_bundle(copy / "variables.index")


def test_a_missing_data_file_is_named(copy):
    (copy / DATA_FILE).unlink()
    with pytest.raises(CheckpointError, match=f"{DATA_FILE}: no such file"):
        read_bundle(copy / "variables.index")


@pytest.mark.parametrize("length", [0, 47, 5000])
def test_an_index_cut_off_is_refused(copy, length):
    index = copy / "variables.index"
    index.write_bytes(index.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="not a TensorFlow checkpoint index, or cut off"):
        read_bundle(index)


def test_variables_without_a_name_are_refused(copy, monkeypatch):
    monkeypatch.setattr(
        "vswin_cli.models.checkpoints.tf_bundle.graph_names",
        lambda graph, where: {"norm.weight": "variables/117/.ATTRIBUTES/VARIABLE_VALUE"},
    )
    with pytest.raises(CheckpointError, match="120 unknown variables"):
        read_bundle(copy / "variables.index")


def test_a_graph_of_another_model_is_refused(copy, monkeypatch):
    monkeypatch.setattr(
        "vswin_cli.models.checkpoints.tf_bundle.graph_names", lambda graph, where: {}
    )
    with pytest.raises(CheckpointError, match="not of a known Video Swin"):
        read_bundle(copy / "variables.index")


def test_a_cyclic_graph_ends_in_an_error():
    child = bytes([0x12, 4]) + b"attn"  # node 0 has a child `attn`: itself
    node = bytes([0x0A, len(child)]) + child
    with pytest.raises(CheckpointError, match="damaged object graph"):
        graph_names(bytes([0x0A, len(node)]) + node, "graph")


def test_a_bundle_without_object_graph_is_refused(tmp_path):
    file = tmp_path / "variables.index"
    file.write_bytes(tf_table({b"": bytes([0x08, 1]), b"w": bytes([0x08, 1, 0x28, 4])}))
    (tmp_path / DATA_FILE).write_bytes(bytes(4))
    with pytest.raises(CheckpointError, match="without an object graph"):
        read_bundle(file)
