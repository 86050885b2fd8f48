import numpy as np
import pytest
import torch

from tests.support.golden import DATA
from tests.support.layout_files import image_swin_file, image_swin_state
from vswin_cli.errors import CheckpointError
from vswin_cli.models.checkpoints.inflate import inflate
from vswin_cli.models.checkpoints.load import inflate_checkpoint
from vswin_cli.models.network.swin3d import VideoSwin

PATCH = "patch_embed.proj.weight"
WINDOW = (8, 7, 7)


@pytest.fixture(scope="module")
def resized_tables():
    """What the authors' inflation makes of the tables of window 12, one time offset of 15."""
    with np.load(DATA / "inflate_w12_tables.npz") as tables:
        return {name: torch.from_numpy(tables[name]) for name in tables.files}


def test_patch_kernel_is_repeated_and_divided():
    state = image_swin_state(7)
    inflated = inflate(state, WINDOW, "file")[PATCH]
    assert inflated.shape == (16, 3, 2, 4, 4)
    assert torch.equal(inflated[:, :, 0], state[PATCH] / 2)
    assert torch.equal(inflated[:, :, 1], state[PATCH] / 2)


def test_bias_table_of_the_same_window_is_repeated_over_time():
    state = image_swin_state(7)
    for name, tensor in inflate(state, WINDOW, "file").items():
        if name.endswith("bias_table"):
            assert tensor.shape == (15 * 169, state[name].shape[1])
            assert torch.equal(tensor, state[name].repeat(15, 1))


@pytest.mark.slow
def test_bias_table_of_another_window_is_resized_as_the_authors_do(resized_tables):
    inflated = inflate(image_swin_state(12), WINDOW, "file")
    for name, expected in resized_tables.items():
        found = inflated[name].view(15, *expected.shape)
        torch.testing.assert_close(found, expected.expand_as(found), atol=1e-5, rtol=0)
    assert len(resized_tables) == 8


def test_all_other_tensors_stay_and_the_head_goes():
    state = image_swin_state(7)
    inflated = inflate(state, WINDOW, "file")
    assert set(state) - set(inflated) == {"head.weight", "head.bias"}
    same = [name for name in inflated if not name.endswith("bias_table") and name != PATCH]
    assert all(torch.equal(inflated[name], state[name]) for name in same)


@pytest.mark.parametrize("window", [(8, 7, 7), (16, 7, 7), (4, 12, 12), (2, 9, 9)])
def test_an_inflated_file_fits_the_network_of_its_window(tmp_path, window):
    file = image_swin_file(tmp_path / "swin.pth", image_swin_state(7))
    checkpoint = inflate_checkpoint(file, window)
    assert checkpoint.architecture.window_size == window
    assert checkpoint.layout == "inflated"
    assert checkpoint.num_classes == 0
    VideoSwin(checkpoint.architecture, 0).load_state_dict(checkpoint.state)


@pytest.mark.slow
def test_a_still_clip_embeds_as_the_image_does():
    state = image_swin_state(7)
    kernel = inflate(state, WINDOW, "file")[PATCH]
    image = torch.randn(1, 3, 8, 8)
    clip = image[:, :, None].expand(-1, -1, 2, -1, -1)
    flat = torch.nn.functional.conv2d(image, state[PATCH], stride=4)
    deep = torch.nn.functional.conv3d(clip, kernel, stride=(2, 4, 4))
    torch.testing.assert_close(deep[:, :, 0], flat)


def test_a_window_that_is_not_square_is_refused():
    with pytest.raises(CheckpointError, match="7×5"):
        inflate(image_swin_state(7), (8, 7, 5), "file")


def test_a_table_of_no_square_window_is_named():
    name = "layers.0.blocks.0.attn.relative_position_bias_table"
    with pytest.raises(CheckpointError, match=f"{name} has 170 rows"):
        inflate({name: torch.zeros(170, 1)}, WINDOW, "file")


def test_a_video_checkpoint_cannot_be_inflated(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="only a 2D image Swin can be inflated"):
        inflate_checkpoint(tmp_path / "a.pth", WINDOW)


def test_an_incomplete_image_swin_is_refused_by_name(tmp_path):
    state = image_swin_state(7)
    del state["layers.3.blocks.1.mlp.fc2.bias"]
    file = image_swin_file(tmp_path / "swin.pth", state)
    with pytest.raises(CheckpointError, match=r"layers\.3\.blocks\.1\.mlp\.fc2\.bias missing"):
        inflate_checkpoint(file, WINDOW)
