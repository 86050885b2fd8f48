"""Table of the published weights: metadata, sources, sizes and hashes.

Data only. Sizes and hashes are those of the published files and listings; unknown ones are left
out, and recorded on the first download instead.
"""

from __future__ import annotations

from dataclasses import replace

from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.weights.spec import Accuracy, FileHash, RemoteFile, WeightsSource, WeightsSpec

__all__ = ["TABLE"]

_TINY = Architecture("swin3d_tiny", 96, (2, 2, 6, 2), (3, 6, 12, 24))
_SMALL = Architecture("swin3d_small", 96, (2, 2, 18, 2), (3, 6, 12, 24))
_BASE = Architecture("swin3d_base", 128, (2, 2, 18, 2), (4, 8, 16, 32))
_LARGE = Architecture("swin3d_large", 192, (2, 2, 18, 2), (6, 12, 24, 48))
_FLOPS_PER_VIEW = {_TINY: 87.9e9, _SMALL: 165.9e9, _BASE: 281.6e9, _LARGE: 604e9}
_BASE_WINDOW_16 = replace(_BASE, window_size=(16, 7, 7))

_DENSE = InputSpec()
# Something-Something is sampled over the whole clip; its clips last about four seconds.
_UNIFORM = InputSpec(sampling="uniform", frame_rate=8.0)

_AUTHORS_URL = "https://github.com/SwinTransformer/storage/releases/download/v1.0.4/"
_TORCHVISION_URL = "https://download.pytorch.org/models/"
_OPENMMLAB_URL = "https://download.openmmlab.com/mmaction/v1.0/recognition/swin/"

_AUTHORS_PROTOCOL = "32 frames every 2nd, short side 224, 4 clips x 3 crops of 224, mean of softmax"
_AUTHORS_SSV2_PROTOCOL = (
    "32 frames over the whole video, short side 224, 1 clip x 3 crops of 224, mean of softmax"
)
_TORCHVISION_PROTOCOL = "32 frames at 15 frames/s, 12 clips x 1 centre crop, short side 256"

_AUTHORS_LICENCE = "Apache-2.0 (the authors' repository; the release states none of its own)"
_HUB_LICENCE = "MIT (the Hub repository's card); converted from the authors' release"
_TORCHVISION_LICENCE = "BSD-3-Clause (torchvision's code); converted from the authors' release"
_OPENMMLAB_LICENCE = "Apache-2.0"

_AUTHORS = "the authors of Video Swin Transformer"
_OPENMMLAB = "OpenMMLab (MMAction2 1.x)"

# Room for the object graph after the tensors of a TensorFlow bundle (0.26 MB for Swin-B), but less
# than the head of the smallest model, so that a copy without its head is detected.
_BUNDLE_EXTRA_BYTES = 1_000_000


def _hub(folder: str, parameters: int, data_bytes: int, index_bytes: int) -> WeightsSource:
    """Describe a TensorFlow port in `innat/videoswin`; lengths are those of a fresh export."""
    variables = f"{folder}/variables/variables"
    return WeightsSource(
        key="hub",
        repo="innat/videoswin",
        files=(
            RemoteFile(f"{variables}.index", about_bytes=index_bytes),
            RemoteFile(
                f"{variables}.data-00000-of-00001",
                tensor_bytes=4 * parameters,
                extra_bytes=_BUNDLE_EXTRA_BYTES,
                about_bytes=data_bytes,
            ),
        ),
        licence=_HUB_LICENCE,
    )


def _authors(file: RemoteFile) -> WeightsSource:
    return WeightsSource("authors", (file,), base_url=_AUTHORS_URL, licence=_AUTHORS_LICENCE)


def _torchvision(name: str, prefix: str, parameters: int, mebibytes: float) -> WeightsSource:
    """Describe a port by torchvision, whose file names end in the beginning of their sha256."""
    file = RemoteFile(
        f"{name}-{prefix}.pth",
        tensor_bytes=4 * parameters,
        about_bytes=round(mebibytes * 2**20),
        sha256=FileHash(prefix, "published"),
    )
    return WeightsSource(
        "torchvision", (file,), base_url=_TORCHVISION_URL, licence=_TORCHVISION_LICENCE
    )


def _openmmlab(
    training: str,
    date: str,
    prefix: str,
    *,
    parameters: int,
    about_bytes: int,
    other_training: str | None = None,
) -> WeightsSource:
    """Describe weights by OpenMMLab, whose file names end in the beginning of their sha256."""
    file = RemoteFile(
        f"{training}_{date}-{prefix}.pth",
        tensor_bytes=4 * parameters,
        about_bytes=about_bytes,
        sha256=FileHash(prefix, "published"),
    )
    return WeightsSource(
        "openmmlab",
        (file,),
        base_url=f"{_OPENMMLAB_URL}{training}/",
        licence=_OPENMMLAB_LICENCE,
        other_training=other_training,
    )


def _training(size: str, start: str, schedule: str, data: str) -> str:
    """Build MMAction2's name of a configuration."""
    return f"swin-{size}-p244-w877_{start}-pre_{schedule}-amp-32x2x1-30e_{data}-rgb"


def _kinetics(
    name: str,
    num_classes: int,
    architecture: Architecture,
    *,
    sources: tuple[WeightsSource, ...],
    parameters: int,
    pretrained_on: str,
    accuracy: tuple[Accuracy, ...],
    notes: str = "",
) -> WeightsSpec:
    """Describe weights for a set of the Kinetics family; the first accuracy is their trainers'."""
    dataset = f"kinetics-{num_classes}"
    return WeightsSpec(
        name=name,
        dataset=dataset,
        labels=dataset,
        num_classes=num_classes,
        architecture=architecture,
        input=_DENSE,
        sources=sources,
        parameters=parameters,
        flops_per_view=_FLOPS_PER_VIEW[architecture],
        pretrained_on=pretrained_on,
        accuracy=accuracy,
        origin=accuracy[0].by,
        notes=notes,
    )


TABLE = (
    _kinetics(
        "swin-t-k400",
        400,
        _TINY,
        sources=(
            _hub("TFVideoSwinT_K400_IN1K_P244_W877_32x224", 28_158_070, 112_771_161, 9_822),
            _authors(
                RemoteFile(
                    "swin_tiny_patch244_window877_kinetics400_1k.pth",
                    size_bytes=127_414_861,
                    sha256=FileHash(
                        "9950e3be6b0b3763f80575dfbbe7db7cbeb18345e32363b73e8d44952ef76acc",
                        "confirmed",
                    ),
                )
            ),
            _torchvision("swin3d_t", "7615ae03", 28_158_070, 121.543),
            _openmmlab(
                _training("tiny", "in1k", "8xb8", "kinetics400"),
                "20220930",
                "241016b2",
                parameters=28_158_070,
                about_bytes=127_420_000,
                other_training="trained anew by OpenMMLab: 78.90 / 93.77 by the same protocol",
            ),
        ),
        parameters=28_158_070,
        pretrained_on="ImageNet-1K",
        accuracy=(
            Accuracy(78.8, 93.6, _AUTHORS_PROTOCOL, _AUTHORS),
            Accuracy(78.84, 93.76, _AUTHORS_PROTOCOL, _OPENMMLAB),
            Accuracy(77.715, 93.519, _TORCHVISION_PROTOCOL, "torchvision"),
        ),
    ),
    _kinetics(
        "swin-s-k400",
        400,
        _SMALL,
        sources=(
            _hub("TFVideoSwinS_K400_IN1K_P244_W877_32x224", 49_816_678, 199_529_930, 18_622),
            _authors(
                RemoteFile(
                    "swin_small_patch244_window877_kinetics400_1k.pth",
                    tensor_bytes=4 * 49_816_678,
                    about_bytes=228_830_000,
                    sha256=FileHash(
                        "7e05aa13cfa1aa99fe78c1ccac96c263344b315fe5d98a165b77b1f7532ce500",
                        "reported",
                    ),
                )
            ),
            _torchvision("swin3d_s", "da41c237", 49_816_678, 218.288),
            _openmmlab(
                _training("small", "in1k", "8xb8", "kinetics400"),
                "20220930",
                "e91ab986",
                parameters=49_816_678,
                about_bytes=228_840_000,
                other_training="trained anew by OpenMMLab: 80.54 / 94.46 by the same protocol",
            ),
        ),
        parameters=49_816_678,
        pretrained_on="ImageNet-1K",
        accuracy=(
            Accuracy(80.6, 94.5, _AUTHORS_PROTOCOL, _AUTHORS),
            Accuracy(80.58, 94.45, _AUTHORS_PROTOCOL, _OPENMMLAB),
            Accuracy(79.521, 94.158, _TORCHVISION_PROTOCOL, "torchvision"),
        ),
    ),
    _kinetics(
        "swin-b-k400",
        400,
        _BASE,
        sources=(
            _hub("TFVideoSwinB_K400_IN22K_P244_W877_32x224", 88_048_984, 352_459_154, 18_702),
            _authors(
                RemoteFile(
                    "swin_base_patch244_window877_kinetics400_22k.pth",
                    tensor_bytes=4 * 88_048_984,
                    about_bytes=381_760_000,
                )
            ),
            _torchvision("swin3d_b_22k", "7c6ae6fa", 88_048_984, 364.134),
        ),
        parameters=88_048_984,
        pretrained_on="ImageNet-22K",
        accuracy=(
            Accuracy(82.7, 95.5, _AUTHORS_PROTOCOL, _AUTHORS),
            Accuracy(81.643, 95.574, _TORCHVISION_PROTOCOL, "torchvision"),
        ),
    ),
    _kinetics(
        "swin-b-k400-in1k",
        400,
        _BASE,
        sources=(
            _hub("TFVideoSwinB_K400_IN1K_P244_W877_32x224", 88_048_984, 352_459_154, 18_702),
            _authors(
                RemoteFile(
                    "swin_base_patch244_window877_kinetics400_1k.pth",
                    tensor_bytes=4 * 88_048_984,
                    about_bytes=381_760_000,
                )
            ),
            _torchvision("swin3d_b_1k", "24f7c7c6", 88_048_984, 364.134),
            _openmmlab(
                _training("base", "in1k", "8xb8", "kinetics400"),
                "20220930",
                "182ec6cc",
                parameters=88_048_984,
                about_bytes=381_770_000,
                other_training="trained anew by OpenMMLab: 80.57 / 94.49 by the same protocol",
            ),
        ),
        parameters=88_048_984,
        pretrained_on="ImageNet-1K",
        accuracy=(
            Accuracy(80.6, 94.6, _AUTHORS_PROTOCOL, _AUTHORS),
            Accuracy(80.55, 94.66, _AUTHORS_PROTOCOL, _OPENMMLAB),
            Accuracy(79.427, 94.386, _TORCHVISION_PROTOCOL, "torchvision"),
        ),
    ),
    _kinetics(
        "swin-b-k600",
        600,
        _BASE,
        sources=(
            _hub("TFVideoSwinB_K600_IN22K_P244_W877_32x224", 88_253_984, 353_279_154, 18_703),
            _authors(
                RemoteFile(
                    "swin_base_patch244_window877_kinetics600_22k.pth", size_bytes=382_579_368
                )
            ),
        ),
        parameters=88_253_984,
        pretrained_on="ImageNet-22K",
        accuracy=(Accuracy(84.0, 96.5, _AUTHORS_PROTOCOL, _AUTHORS),),
    ),
    WeightsSpec(
        name="swin-b-ssv2",
        dataset="something-something-v2",
        labels="something-something-v2",
        num_classes=174,
        architecture=_BASE_WINDOW_16,
        input=_UNIFORM,
        sources=(
            _authors(
                RemoteFile(
                    "swin_base_patch244_window1677_sthv2.pth",
                    size_bytes=473_410_081,
                    sha256=FileHash(
                        "f7fe417a0659680ab9db4f5e02c39b3f2825b58f0e244d4fbe3de6658fe135fc",
                        "reported",
                    ),
                )
            ),
        ),
        parameters=88_834_038,
        flops_per_view=320.6e9,
        pretrained_on="Kinetics-400",
        accuracy=(Accuracy(69.6, 92.7, _AUTHORS_SSV2_PROTOCOL, _AUTHORS),),
        origin=_AUTHORS,
        notes=(
            "Trained on clips that each show one gesture from beginning to end: 32 frames are "
            "spread over a clip of about four seconds. Labels tell left from right."
        ),
    ),
    _kinetics(
        "swin-l-k400",
        400,
        _LARGE,
        sources=(
            _openmmlab(
                _training("large", "in22k", "8xb8", "kinetics400"),
                "20220930",
                "78ad8b11",
                parameters=196_953_916,
                about_bytes=817_380_000,
            ),
        ),
        parameters=196_953_916,
        pretrained_on="ImageNet-22K",
        accuracy=(Accuracy(83.46, 95.91, _AUTHORS_PROTOCOL, _OPENMMLAB),),
        notes="The authors never released their Swin-L; this one was trained by OpenMMLab.",
    ),
    _kinetics(
        "swin-l-k700",
        700,
        _LARGE,
        sources=(
            _openmmlab(
                _training("large", "in22k", "16xb8", "kinetics700"),
                "20220930",
                "f8d74db7",
                parameters=197_415_016,
                about_bytes=819_220_000,
            ),
        ),
        parameters=197_415_016,
        pretrained_on="ImageNet-22K",
        accuracy=(Accuracy(75.92, 92.72, _AUTHORS_PROTOCOL, _OPENMMLAB),),
    ),
    _kinetics(
        "swin-s-k710",
        710,
        _SMALL,
        sources=(
            _openmmlab(
                _training("small", "in1k", "32xb4", "kinetics710"),
                "20230612",
                "8e082ff1",
                parameters=50_055_068,
                about_bytes=229_790_000,
            ),
        ),
        parameters=50_055_068,
        pretrained_on="ImageNet-1K",
        accuracy=(Accuracy(76.90, 92.96, _AUTHORS_PROTOCOL, _OPENMMLAB),),
        notes=(
            "Kinetics-400, -600 and -700 merged. FLOPs are those of Swin-S: the publisher's "
            "table repeats Swin-L's row here."
        ),
    ),
)
