"""Program whose memory is measured: loads one network and tags one video.

Started by `vswin_cli.bench.memory`; reads its request from the command line and writes its own
peak memory to standard output, as JSON.
"""

from __future__ import annotations

import json
import sys

import torch

from vswin_cli.bench.memory import parse_request
from vswin_cli.bench.subject import Subject, load_subject
from vswin_cli.config import EngineOptions
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.pipeline import analyze_video

__all__ = ["main"]


def main(request_text: str) -> None:
    """Tag the video of the request and print how much memory it took."""
    request = parse_request(request_text)
    torch.set_num_threads(request.threads)
    model = load_subject(Subject(request.subject, request.random))
    options = EngineOptions(request.device, request.precision, request.batch_size)  # type: ignore[arg-type]
    engine = Engine(model, options)
    analyze_video(request.video, engine)
    device = engine.device
    on_cuda = device.type == "cuda"
    peaks = {
        "main_bytes": _peak_bytes(children=False),
        "decoder_bytes": _peak_bytes(children=True),
        "device_bytes": torch.cuda.max_memory_allocated(device) if on_cuda else None,
    }
    sys.stdout.write(json.dumps(peaks))


def _peak_bytes(*, children: bool) -> int:
    """Return the peak memory of this process, or of the largest of its children."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return 0
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(who).ru_maxrss
