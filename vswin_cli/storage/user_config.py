"""User configuration and cache: the configuration file, and the folder of cached files.

`$XDG_CONFIG_HOME/vswin/config.toml`, else `~/.config/vswin/config.toml`. Command-line options and
`VSWIN_*` variables override it. Cached files are in `$VSWIN_CACHE`, else `$XDG_CACHE_HOME/vswin`,
else `~/.cache/vswin`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from vswin_cli.errors import OptionError
from vswin_cli.storage.files import replacing_text, writing

__all__ = ["cache_folder", "default_model", "set_default_model", "settings_path"]

_KEYS = ("model",)
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


def default_model() -> str | None:
    """Read the user's default model, if one is set.

    Raises:
        OptionError: the file cannot be read, has an unknown key, or its `model` is no text.
    """
    content = _read(settings_path())
    unknown = [key for key in content if key not in _KEYS]
    if unknown:
        kind = "section" if isinstance(content[unknown[0]], dict) else "key"
        raise OptionError(
            f"{settings_path()}: unknown {kind} `{unknown[0]}`",
            hint=f"possible keys: {', '.join(_KEYS)}; remove or correct the rest",
        )
    model = content.get("model")
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
        OptionError: the file that is there cannot be read, or the model's name is no UTF-8.
        OutputError: the file cannot be written.
    """
    path = settings_path()
    content = _read(path)  # fails if it is not TOML: never overwrite it then
    lines = path.read_text(encoding=_ENCODING).splitlines() if path.is_file() else []
    line = f"model = {_quoted(reference)}"
    own = [i for i, text in enumerate(lines) if text.partition("=")[0].strip("\"' \t") == "model"]
    if own:
        lines[own[0]] = line
    else:
        lines.insert(0, line)  # above any [table]
    text = "\n".join(lines) + "\n"
    if _parsed(text) != {**content, "model": reference}:
        raise OptionError(
            f"cannot change `model` in {path}, as it is written there over several lines",
            hint=f"write it there yourself: {line}",
        )
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_text(path) as file:
        file.write(text)
    return path


def _quoted(text: str) -> str:
    """Quote a TOML string; a JSON string is one if it escapes no surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OptionError(
            f"{text!r} is not UTF-8, so the configuration file cannot hold it", hint="rename it"
        ) from error
    return json.dumps(text, ensure_ascii=False)


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
    """Parse TOML; `None` if it is none."""
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
