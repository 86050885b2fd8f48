"""User configuration and cache: the configuration file, and the folder of cached files.

`$XDG_CONFIG_HOME/vswin/config.toml`, else `~/.config/vswin/config.toml`. Command-line options and
`VSWIN_*` variables override it. Cached files are in `$VSWIN_CACHE`, else `$XDG_CACHE_HOME/vswin`,
else `~/.cache/vswin`.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from pathlib import Path
from typing import Any

from vswin_cli.errors import OptionError
from vswin_cli.storage.files import replacing_text, writing

__all__ = [
    "SETTINGS",
    "cache_folder",
    "default_model",
    "read_settings",
    "remove_setting",
    "set_default_model",
    "settings_path",
    "unknown_key_hint",
    "write_setting",
]

SETTINGS = (
    "model", "fps", "frame-interval", "stride", "crops", "input-fps", "onset", "offset",
    "min-duration", "merge-gap", "max-labels", "include", "exclude", "group", "smooth",
    "min-margin", "max-entropy", "format", "json", "windows", "evidence", "force", "strict",
    "min-coverage", "device", "precision", "batch-size", "decoder", "quiet", "scores", "files",
    "skip-files", "resume", "retry-failed", "workers", "ray-address", "split", "timeout",
    "log-json",
)  # fmt: skip
"""Keys of the configuration file: `model`, and options of `tag` and `batch` without dashes."""
_ENCODING = "utf-8-sig"  # some editors write a byte order mark


def cache_folder() -> Path:
    """Return the folder of everything that is cached between runs; it need not exist."""
    own = os.environ.get("VSWIN_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared).expanduser() if shared else Path.home() / ".cache") / "vswin"


def settings_path() -> Path:
    """Return the path of the configuration file; it need not exist."""
    shared = os.environ.get("XDG_CONFIG_HOME")
    return (Path(shared).expanduser() if shared else Path.home() / ".config") / "vswin/config.toml"


def read_settings() -> dict[str, Any]:
    """Read the configuration file: what is set, by key; empty if there is no file.

    Raises:
        OptionError: the file cannot be read, or has an unknown key.
    """
    content = _read(settings_path())
    for key, value in content.items():
        if key not in SETTINGS:
            kind = "section" if isinstance(value, dict) else "key"
            raise OptionError(
                f"{settings_path()}: unknown {kind} `{key}`", hint=unknown_key_hint(key)
            )
    return content


def unknown_key_hint(key: str) -> str:
    """Name the key most like an unknown one, or all of them."""
    folded = key.casefold().replace("_", "-").strip("-")
    near = difflib.get_close_matches(folded, SETTINGS, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`? `vswin config show` lists all keys"
    return f"possible keys: {', '.join(SETTINGS)}; remove or correct the others"


def default_model() -> str | None:
    """Read the user's default model, if one is set.

    Raises:
        OptionError: the file cannot be read, has an unknown key, or its `model` is not text.
    """
    model = read_settings().get("model")
    if model is not None and not isinstance(model, str):
        raise OptionError(
            f"{settings_path()}: `model` must be a name in quotes, got {model!r:.80}",
            hint="`vswin models default NAME` sets it",
        )
    return model


def set_default_model(reference: str) -> Path:
    """Set the user's default model; the rest of the file stays as it is.

    Returns:
        The file.

    Raises:
        OptionError: the file that is there cannot be read, or the model's name is not UTF-8.
        OutputError: the file cannot be written.
    """
    return write_setting("model", reference)


def write_setting(key: str, value: str | float | list[str]) -> Path:
    """Set a key of the configuration file; the rest of the file stays as it is.

    Returns:
        The file.

    Raises:
        OptionError: the file that is there cannot be read, or the value is not UTF-8.
        OutputError: the file cannot be written.
    """
    path = settings_path()
    content, lines = _read(path), _lines(path)  # fails if it is not TOML: never overwrite it then
    line = f"{key} = {_toml(value)}"
    own = _line_of(key, lines)
    if own is None:
        lines.insert(0, line)  # above any [table]
    else:
        lines[own] = line
    return _write(path, key, lines, {**content, key: value}, f"write {line}")


def remove_setting(key: str) -> Path:
    """Remove a key, known or not, from the configuration file; the rest stays as it is.

    Returns:
        The file.

    Raises:
        OptionError: the file cannot be read, or does not set the key.
        OutputError: the file cannot be written.
    """
    path = settings_path()
    content, lines = _read(path), _lines(path)
    if key not in content:
        raise OptionError(
            f"`{key}` is not set in {path}", hint="`vswin config show` lists the keys that are set"
        )
    del content[key]
    own = _line_of(key, lines)
    if own is not None:
        del lines[own]
    return _write(path, key, lines, content, "remove the key")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding=_ENCODING).splitlines() if path.is_file() else []


def _line_of(key: str, lines: list[str]) -> int | None:
    """Return the index of the first line that sets a key."""
    return next(
        (i for i, text in enumerate(lines) if text.partition("=")[0].strip("\"' \t") == key), None
    )


def _write(path: Path, key: str, lines: list[str], wanted: dict[str, Any], by_hand: str) -> Path:
    """Write the changed lines, if they hold what is wanted."""
    text = "".join(f"{line}\n" for line in lines)
    if _parsed(text) != wanted:
        raise OptionError(
            f"cannot change `{key}` in {path}, as it is written there over several lines",
            hint=f"edit the file: {by_hand}",
        )
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_text(path) as file:
        file.write(text)
    return path


def _toml(value: str | float | list[str]) -> str:
    """Write a value as TOML; JSON is TOML here if it escapes no surrogate pairs.

    Raises:
        OptionError: it is not UTF-8.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OptionError(
            f"{value!r} is not UTF-8, so the configuration file cannot hold it", hint="rename it"
        ) from error
    return text


def _read(path: Path) -> dict[str, Any]:
    try:
        return _loads(path.read_text(encoding=_ENCODING))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:  # also of what is made to break parsers
        raise OptionError(
            f"cannot read the configuration file {path}: {error}", hint="fix or remove it"
        ) from error


def _parsed(text: str) -> dict[str, Any] | None:
    """Parse TOML; `None` if it is not TOML."""
    try:
        return _loads(text)
    except ValueError:
        return None


def _loads(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    content: dict[str, Any] = tomllib.loads(text)
    return content
