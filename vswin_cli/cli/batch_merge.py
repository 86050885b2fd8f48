"""Merge the tables of shards for `vswin batch --merge`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.cli.overwriting import check_overwrites
from vswin_cli.errors import OptionError, SourceNotFoundError
from vswin_cli.storage.files import check_destination, check_spares, is_file
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import clean_json
from vswin_cli.storage.remote import as_local_path, has_wildcard, is_remote, list_remote, local_copy

if TYPE_CHECKING:
    from vswin_cli.batch.merge import MergeReport, ShardTable
    from vswin_cli.batch.target import Target

__all__ = ["merge_shards"]

_SHOWN = 10


def merge_shards(
    arguments: Sequence[str], target: Target, *, force: bool, as_json: bool, quiet: bool
) -> None:
    """Merge tables and print a summary.

    Args:
        arguments: tables of segments, or patterns of them; paths or addresses.
        target: of the result.
        force: whether files that vswin did not write may be replaced.
        as_json: print a summary as JSON on stdout.
        quiet: print no notes.

    Raises:
        OptionError: the tables are of another format than the result, which is a folder, or one
            of them.
        SourceError: a table cannot be read, or has other columns than the first.
        OutputError: the result cannot be written.
    """
    from vswin_cli.batch.merge import merge_tables
    from vswin_cli.batch.upload import publish

    names = _find(arguments)
    _check_formats(names, target)
    results = [target.table, target.files_table]
    check_spares(results, [as_local_path(name) for name in names if not is_remote(name)])
    if target.address is not None:
        target.folder.mkdir(parents=True, exist_ok=True)
        target.state.mkdir(parents=True, exist_ok=True)
    check_destination(target.table)
    check_overwrites([target.table], force=force)
    with _on_this_machine(names) as tables:
        report = merge_tables(tables, target)
    publish(target, results)
    _summarise(report, [target.destination_of(path) for path in results], as_json, quiet)


def _find(arguments: Sequence[str]) -> list[str]:
    """Expand patterns; tables of files (`.files.csv`) are left out.

    Raises:
        SourceNotFoundError: there is no table.
    """
    import glob

    from vswin_cli.batch.merge import FILES_ENDING

    found: dict[str, None] = {}
    for argument in arguments:
        if is_remote(argument):
            matches = list_remote(argument)
        elif has_wildcard(argument) and not is_file(Path(argument)):
            matches = sorted(glob.glob(argument))  # noqa: PTH207  # Path.glob: no absolutes
        else:
            matches = [argument]
        found.update(dict.fromkeys(name for name in matches if not name.endswith(FILES_ENDING)))
    if not found:
        raise SourceNotFoundError(
            f"no tables at {' '.join(arguments)}", hint="name the tables that the shards wrote"
        )
    return list(found)


def _check_formats(names: Sequence[str], target: Target) -> None:
    from vswin_cli.batch.merge import MERGED_FORMATS
    from vswin_cli.export.formats import FORMATS

    if target.is_folder or target.format not in MERGED_FORMATS:
        raise OptionError(
            "--merge makes a table from tables: CSV, TSV, JSON Lines or Parquet",
            hint="files per video need no merging: give all shards the same folder as --out",
        )
    form = FORMATS.get(target.format)
    suffix = ".parquet" if form is None else form.suffix
    other = next((name for name in names if not name.endswith(suffix)), None)
    if other is not None:
        raise OptionError(
            f"{other} is not `{target.format}`: --merge copies rows as they are",
            hint=f"give --out a name that ends as {other} does",
        )


@contextmanager
def _on_this_machine(names: Sequence[str]) -> Iterator[list[ShardTable]]:
    """Yield the tables; those at addresses are copied for as long as the block lasts."""
    from vswin_cli.batch.merge import FILES_ENDING, ShardTable

    with ExitStack() as stack:

        def local(name: str) -> Path:
            return stack.enter_context(local_copy(name)) if is_remote(name) else as_local_path(name)

        tables = []
        for name in names:
            files = name[: name.rindex(".")] + FILES_ENDING
            if not is_remote(name) and not is_file(as_local_path(name)):
                raise SourceNotFoundError(f"no such file: {name}", hint="check the spelling")
            if not is_remote(name) and not is_file(as_local_path(files)):
                raise SourceNotFoundError(
                    f"no such file: {files}", hint=f"copy it beside {name}, as the shard wrote it"
                )
            tables.append(ShardTable(name, local(name), local(files)))
        yield tables


def _summarise(report: MergeReport, paths: list[str], as_json: bool, quiet: bool) -> None:
    from vswin_cli.export.naming import escaped

    statuses = report.statuses
    if as_json:
        body = {
            **{name: statuses[name] for name in ("ok", "partial", "failed", "pending")},
            "segments": report.num_segments,
            "duplicates": [{"video": name, "tables": tables} for name, tables in report.duplicates],
            "missing_shards": {str(n): numbers for n, numbers in report.missing_shards.items()},
            "table": paths[0],
            "files_table": paths[1],
        }
        console.write(clean_json(body))
    if quiet or as_json:
        return
    for name, tables in report.duplicates[:_SHOWN]:
        console.warn(f"{escaped(name)} is in {' and '.join(tables)}; one of them counts")
    if len(report.duplicates) > _SHOWN:
        console.warn(f"and {len(report.duplicates) - _SHOWN} more videos in several tables")
    for count, numbers in report.missing_shards.items():
        named = ", ".join(map(str, numbers[:_SHOWN])) + (", ..." if numbers[_SHOWN:] else "")
        console.warn(f"{counted(len(numbers), 'shard')} of {count} missing: {named}")
    parts = [counted(statuses.total(), "file")]
    parts += [
        f"{statuses[name]} {name}" for name in ("partial", "failed", "pending") if statuses[name]
    ]
    parts.append(counted(report.num_segments, "segment"))
    console.note(f"{', '.join(parts)}; wrote {' and '.join(paths)}")
