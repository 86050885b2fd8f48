"""Write figures drawn with matplotlib as PNG and SVG: equal figures give equal bytes.

matplotlib is an extra, and loaded only when something is drawn. The user's own style is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vswin_cli.storage.extras import load_extra
from vswin_cli.storage.files import replacing_binary, writing
from vswin_cli.timeline.plotting import PLOTS_EXTRA, own_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GREY", "ORANGE", "FigureFolder", "check_matplotlib"]

BLUE, ORANGE, GREY = "#0072b2", "#e69f00", "#666666"
"""From M. Okabe and K. Ito's palette, distinguishable with any kind of colour vision."""

_DOTS_PER_INCH = 120
_ABOUT: dict[str, dict[str, str | None]] = {
    "png": {"Software": "vswin"},
    "svg": {"Creator": "vswin", "Date": None},
}
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "vswin",  # identifiers are random without it
    "svg.fonttype": "none",  # text stays text, in any script that the viewer's fonts have
    "text.parse_math": False,  # a label may hold dollar signs
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def check_matplotlib() -> None:
    """Check before the work that figures can be drawn.

    Raises:
        OptionError: matplotlib is not installed.
    """
    load_extra("matplotlib", "--plots", install=PLOTS_EXTRA)


@dataclass(frozen=True, slots=True)
class FigureFolder:
    """A folder that figures are written to."""

    path: Path

    def files(self, names: Iterable[str]) -> list[Path]:
        """Return the files of figures with these names."""
        return [self.path / f"{name}.{suffix}" for name in names for suffix in _ABOUT]

    @contextmanager
    def figure(self, name: str, width: float, height: float) -> Iterator[Figure]:
        """Yield an empty figure, and write it to NAME.png and NAME.svg.

        Args:
            name: of the files, without ending.
            width: of the figure in inches.
            height: of the figure in inches.

        Raises:
            OutputError: the folder cannot be made, or a file not be written.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with own_style(_STYLE):
            figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
            FigureCanvasAgg(figure)
            yield figure
            with writing(f"{self.path}"):
                self.path.mkdir(exist_ok=True)
            for path in self.files([name]):
                kind = path.suffix[1:]
                with replacing_binary(path) as file:
                    figure.savefig(file, format=kind, dpi=_DOTS_PER_INCH, metadata=_ABOUT[kind])
