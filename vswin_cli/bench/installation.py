"""Check an installation: versions, device, arithmetic, decoders, weights, disk and extras.

Nothing is downloaded. The attention kernel is compiled, and two products are timed, if no earlier
command on this machine has done so.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

from vswin_cli._version import __version__
from vswin_cli.errors import VswinError
from vswin_cli.inference.engine import resolve_device
from vswin_cli.inference.precision import PrecisionChoice, choose_precision
from vswin_cli.models.card import ModelCard
from vswin_cli.models.network.attention import attention_kernel
from vswin_cli.models.weights.catalogue import embedded_model, find_installed
from vswin_cli.models.weights.store import EMBEDDED_MODEL
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.user_config import cache_folder, default_model, settings_path
from vswin_cli.video.cores import usable_cores

__all__ = ["Check", "check_installation"]

Status = Literal["ok", "slow", "absent", "failed"]

_CODECS = (
    *("h264", "hevc", "vp8", "vp9", "av1", "mpeg2video", "mpeg4", "mjpeg", "prores", "dnxhd"),
    *("vc1", "wmv3", "theora", "dvvideo", "ffv1"),
)
_EXTRAS = {
    "parquet": "pyarrow",
    "plots": "matplotlib",
    "ray": "ray",
    "s3": "s3fs",
    "gcs": "gcsfs",
    "xlsx": "xlsxwriter",
}
_HEAD_SIZE = 32  # of every published network
_LEAST_FREE_BYTES = 2 << 30  # a large checkpoint and its converted copy


@dataclass(frozen=True, slots=True)
class Check:
    """What was found about one part of the installation."""

    name: str
    """Such as `device`."""
    status: Status
    """`slow` works, but not as fast as it could; `absent` is optional; `failed` must be mended."""
    text: str
    """What was found, for people."""
    advice: str | None = None
    """What to do, unless it is `ok`."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The same in values for programs; sizes in bytes."""


def check_installation() -> Iterator[Check]:
    """Check every part of the installation, in the order in which to read them.

    A check that raises an error counts as failed and does not stop the others.
    """
    checks: tuple[Callable[[], Check], ...] = (
        _versions,
        _configuration,
        _cache,
        _weights,
        _device,
        _precision,
        _attention,
        _codecs,
        _nvdec,
        _extras,
    )
    for check in checks:
        name = check.__name__.strip("_")
        try:
            yield check()
        except VswinError as error:
            yield Check(name, "failed", error.message, error.hint)
        except (ImportError, OSError) as error:
            advice = "install vswin and its dependencies again"
            yield Check(name, "failed", f"{type(error).__name__}: {error}", advice)


def _versions() -> Check:
    import av

    facts = {
        "vswin": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "av": av.__version__,
        "ffmpeg": av.ffmpeg_version_info,
    }
    return Check("versions", "ok", ", ".join(f"{k} {v}" for k, v in facts.items()), facts=facts)


def _configuration() -> Check:
    path = settings_path()
    default_model()
    facts = {"path": str(path), "exists": path.is_file()}
    text = str(path) if path.is_file() else f"none ({path} would be read)"
    return Check("configuration", "ok", text, facts=facts)


def _weights() -> Check:
    name = os.environ.get("VSWIN_MODEL") or default_model() or EMBEDDED_MODEL
    found = find_installed(name)
    if found is None:
        advice = f"`vswin download {name}` fetches them; otherwise the first use does"
        absent = {"model": name, "folder": None}
        return Check("weights", "absent", f"{name} is not downloaded", advice, absent)
    facts: dict[str, Any] = {
        "model": name,
        "folder": str(found.folder),
        "size_bytes": found.size_bytes,
    }
    return Check("weights", "ok", f"{name}, {_size(found.size_bytes)}", facts=facts)


def _device() -> Check:
    device = resolve_device("auto")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    cores = usable_cores()
    facts = {"device": device.type, "gpus": names, "cores": cores}
    if device.type != "cpu":
        listed = ", ".join(names) or "Apple GPU"
        return Check(
            "device", "ok", f"{device.type}: {listed}; {counted(cores, 'core')}", None, facts
        )
    advice = "large networks are slow on a CPU; `vswin bench` measures how slow"
    if shutil.which("nvidia-smi") and torch.version.cuda is None:
        advice = "this machine seems to have an NVIDIA GPU: install a CUDA build of torch"
    return Check("device", "slow", f"cpu: {counted(cores, 'core')}, no GPU", advice, facts)


def _card() -> ModelCard:
    """Return the card of the default model, or of the embedded one if that is not downloaded."""
    found = find_installed(os.environ.get("VSWIN_MODEL") or default_model() or EMBEDDED_MODEL)
    return (found or embedded_model()).card


def _choice() -> PrecisionChoice:
    return choose_precision("auto", resolve_device("auto"), _card())


def _precision() -> Check:
    card, choice = _card(), _choice()
    facts = {"model": card.id, "precision": choice.name, "reason": choice.reason}
    return Check("precision", "ok", f"{choice.name} for {card.id}: {choice.reason}", None, facts)


def _attention() -> Check:
    """Check what computes attention: Triton on CUDA, the compiled kernel on a CPU."""
    if resolve_device("auto").type == "cuda":
        facts = {"kernel": "triton" if find_spec("triton") else None}
        if facts["kernel"]:
            return Check("attention", "ok", "Triton kernels", None, facts)
        return Check("attention", "slow", "PyTorch: no Triton", "install triton", facts)
    kernel = attention_kernel(_choice().dtype, _HEAD_SIZE)
    facts = {"kernel": "compiled" if kernel else None}
    if kernel is not None:
        return Check("attention", "ok", "compiled for this CPU", None, facts)
    reason, advice = _why_not_compiled()
    return Check("attention", "slow", f"PyTorch: {reason}", advice, facts)


def _why_not_compiled() -> tuple[str, str]:
    """Return why the attention kernel is not compiled, and what to do."""
    if os.environ.get("VSWIN_NATIVE") == "0":
        return "VSWIN_NATIVE=0 switches the compiled kernel off", "remove the variable"
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return "this CPU has no AVX2", "nothing can be done on this machine"
    if not (os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")):
        return "no C compiler", "install gcc or clang, or name one in CC"
    return "the C compiler failed, or its result differed", "install a newer gcc or clang"


def _codecs() -> Check:
    from av.codec import Codec
    from av.error import FFmpegError

    missing = []
    for name in _CODECS:
        try:
            Codec(name, "r")
        except (ValueError, FFmpegError):
            missing.append(name)
    here = [name for name in _CODECS if name not in missing]
    facts = {"decodable": here, "missing": missing}
    if not missing:
        return Check("codecs", "ok", ", ".join(here), None, facts)
    advice = "install PyAV with `pip install av`, whose wheels have them all"
    status: Status = "absent" if here else "failed"
    return Check("codecs", status, f"cannot decode {', '.join(missing)}", advice, facts)


def _nvdec() -> Check:
    from vswin_cli.video.nvdec import missing_driver_library

    if resolve_device("auto").type != "cuda":
        return Check("nvdec", "ok", "not used without CUDA", None, {"available": False})
    missing = missing_driver_library()
    facts = {"available": missing is None}
    if missing is None:
        return Check("nvdec", "ok", "decodes beside software", None, facts)
    advice = (
        "install the video libraries of the driver; in a container, NVIDIA_DRIVER_CAPABILITIES=all"
    )
    return Check("nvdec", "slow", f"{missing} is missing: software decodes", advice, facts)


def _cache() -> Check:
    folder = cache_folder()
    used = _folder_bytes(folder)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    is_usable = there.is_dir() and os.access(there, os.W_OK)
    free = shutil.disk_usage(there).free
    facts = {"folder": str(folder), "size_bytes": used, "free_bytes": free}
    text = f"{folder}: {_size(used)}, {_size(free)} free"
    if not is_usable:
        advice = "allow writing, or name another folder in VSWIN_CACHE"
        return Check("cache", "failed", f"{text}, cannot be written", advice, facts)
    if free < _LEAST_FREE_BYTES:
        advice = "free some space, or name a folder on another disk in VSWIN_CACHE"
        return Check("cache", "slow", f"{text}: too little for large weights", advice, facts)
    return Check("cache", "ok", text, None, facts)


def _folder_bytes(folder: Path) -> int:
    """Return the size of all files in a folder; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            total += path.lstat().st_size if path.exists() else 0
    return total


def _extras() -> Check:
    missing = [name for name, package in _EXTRAS.items() if find_spec(package) is None]
    here = [name for name in _EXTRAS if name not in missing]
    facts = {"installed": here, "missing": missing}
    if not missing:
        return Check("extras", "ok", ", ".join(here), None, facts)
    text = f"{', '.join(here) or 'none'} installed; {', '.join(missing)} not"
    advice = f"if you need them: pip install 'vswin[{','.join(missing)}]'"
    return Check("extras", "absent", text, advice, facts)


def _size(size_bytes: int) -> str:
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.1f} MB"
