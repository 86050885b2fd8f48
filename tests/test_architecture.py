"""The house rules that a reader relies on: direction of imports, a light start, short files."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vswin_cli"

# Lowest first. A module imports only from rows above its own.
LAYERS = [
    "bench.record storage.humanize errors video.frames "
    "models.network.heap video.info models.checkpoints.crc32c  "
    "models.network.linear models.network.windows models.network.cpu_threads "
    "video.skip models.architecture video.structure  "
    "timeline.overlaps timeline.runs",
    "storage.csv_rows video.timestamps storage.files",
    "bench.flops bench.machine bench.memory bench.synthesis bench.timing "
    "bench.torchvision_peer cli.bench_text cli.console config evaluation.protocols "
    "models.labels models.checkpoints.safe_pickle models.checkpoints.inflate "
    "models.checkpoints.layouts models.network.token_order models.checkpoints.tf_index  "
    "storage.json_records storage.download transforms models.weights.spec",
    "bench.ceiling bench.mmaction_peer models.card cli.batch_progress "
    "cli.chosen cli.command cli.options  "
    "evaluation.accuracy evaluation.reading models.checkpoints.tensor_files "
    "models.checkpoints.tf_bundle storage.remote video.sampling  "
    "storage.user_config timeline.provenance timeline.spool models.weights.table",
    "cli.batch_summary video.frame_rate models.network.native video.resize "
    "storage.result_names storage.sources timeline.scores  "
    "video.grid models.weights.store video.decoder_protocol",
    "batch.inputs cli.places evaluation.video_list evaluation.window_list video.decoder_process "
    "models.network.attention video.container "
    "timeline.selection models.weights.hub models.weights.registry",
    "cli.evaluation_text video.probe models.network.swin3d "
    "timeline.boundaries video.reader models.weights.references",
    "video.parallel report.tracks timeline.segments",
    "video.ranged",
    "cli.probe video.sampler models.checkpoints.load "
    "report.thumbnail_process report.thumbnails  "
    "timeline.record models.weights.catalogue",
    "batch.columns batch.outcome cli.models video.clips video.decoder_worker export.naming "
    "export.timecodes timeline.files timeline.score_files models.weights.loading",
    "batch.job batch.journal batch.sharing bench.subject cli.batch_places cli.convert "
    "cli.download cli.lanes cli.schema engine evaluation.annotations evaluation.views "
    "export.annotation export.editorial export.subtitles export.tabular report.content "
    "cli.whereabouts",
    "batch.parts bench.networks cli.model_choice evaluation.detection evaluation.matching "
    "evaluation.overlay evaluation.topk export.formats pipeline report.pages",
    "batch.analyst bench.films bench.memory_process evaluation.comparison evaluation.ledger "
    "evaluation.segmental evaluation.windows export report.writing",
    "batch.office batch.tables bench.run cli.output cli.topk cli.windows evaluation.events report",
    "batch.crew batch.publishing cli.bench cli.evaluate cli.export cli.report cli.segment "
    "cli.tag_places",
    "batch.cluster batch.local batch.scheduler cli.tag",
    "batch.run cli.crews",
    "cli.batch",
    "cli.app",
]
RANK = {module: row for row, modules in enumerate(LAYERS) for module in modules.split()}
ROOMS = {
    "",
    "batch",
    "bench",
    "cli",
    "evaluation",
    "models",
    "storage",
    "models.network",
    "models.checkpoints",
    "models.weights",
    "video",
    "timeline",
}  # packages whose own file holds no code
ENTRY = {"__main__"}

HEAVY = {"torch", "av", "ray", "huggingface_hub", "fsspec", "safetensors"}
MEASURES = "ceiling machine memory_process mmaction_peer networks run subject torchvision_peer"
HEAVY_AT_TOP = {
    "torch": {"engine", "transforms", *(f"bench.{name}" for name in MEASURES.split())},
    "av": {"video.probe", "video.resize", "video.container", "video.reader"},
}

FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    .removesuffix("__init__")
    .strip("."): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Every import of a file: its absolute name, and whether importing the file runs it."""
    for node, is_eager in walk(ast.parse(path.read_text()).body, True):
        if isinstance(node, ast.Import):
            yield from ((alias.name, is_eager) for alias in node.names)
        elif node.module:
            yield from ((f"{node.module}.{alias.name}", is_eager) for alias in node.names)


def walk(body, is_eager):
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, is_eager
        inner = is_eager and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for block in ("body", "orelse", "finalbody"):
            yield from walk(getattr(node, block, None) or [], inner)
        for handler in getattr(node, "handlers", []):
            yield from walk(handler.body, inner)


def own_module(name: str) -> str | None:
    """The module of this package that an imported name lives in."""
    if not name.startswith("vswin_cli"):
        return None
    inside = name.removeprefix("vswin_cli").strip(".")
    while inside and inside not in FILES:
        inside = inside.rpartition(".")[0]
    return inside


def test_every_module_has_its_place():
    assert set(FILES) - ROOMS - ENTRY == set(RANK)


@pytest.mark.parametrize("module", sorted(set(FILES) - ROOMS - ENTRY))
def test_imports_point_down(module):
    targets = {own_module(name) for name, _ in imports_of(FILES[module])} - {None, "", module}
    wrong = {target for target in targets - ROOMS if RANK[target] >= RANK[module]}
    assert not wrong, f"{module} must not import from {wrong}"


@pytest.mark.parametrize("module", sorted(FILES))
def test_heavy_libraries_load_late(module):
    tops = {name.split(".")[0] for name, is_eager in imports_of(FILES[module]) if is_eager}
    allowed = {lib for lib in HEAVY if module in HEAVY_AT_TOP.get(lib, set())}
    if module.startswith("models."):
        allowed |= {"torch", "safetensors"}
    assert not (tops & HEAVY) - allowed


@pytest.mark.parametrize("module", sorted(FILES))
def test_files_stay_short(module):
    assert len(FILES[module].read_text().splitlines()) < 400


def loaded_after(*arguments: str) -> set[str]:
    """Top-level packages in `sys.modules` after one command line in a fresh interpreter."""
    script = (
        "import json, sys; from vswin_cli.cli.app import run; run(sys.argv[1:]); "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "command",
    [["--help"], ["--version"], ["tag", "--help"], ["download", "--help"], ["probe", "--help"]],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(command):
    assert not loaded_after(*command) & {*HEAVY, "numpy"}


@pytest.mark.parametrize("command", [["schema"], ["models"], ["labels", "swin-t-k400"]])
def test_looking_things_up_loads_no_torch(command, tmp_path, monkeypatch):
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path))
    assert not loaded_after(*command) & {"torch", "av"}
