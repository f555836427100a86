"""A picture of the demo for the README: its own lines, abridged, as SVG."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table
from rich.terminal_theme import MONOKAI

# Wide enough for the longest sentence of a result, so that the picture has about 40 lines.
COLUMNS = 132

# The rows of a table in the picture; a line below them counts the others.
ROWS = 4

# Rich's default format loads a font from a server; this one uses a font of the reader's system.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{
      font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
    }}
    .{unique_id}-title {{
      font-family: sans-serif;
      font-size: 18px;
      font-weight: bold;
    }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""


class Recording:
    """An abridged copy of the output.

    Args:
        title: The title of the picture.
    """

    def __init__(self, title: str):
        self._title = title
        self._console = Console(
            record=True,
            file=io.StringIO(),
            width=COLUMNS,
            force_terminal=True,
            color_system="truecolor",
            highlight=False,
        )

    def line(self, text: str, style: str) -> None:
        """Add a line, cut at the right margin."""
        cut = text if len(text) <= COLUMNS else f"{text[: COLUMNS - 1]}…"
        self._console.print(f"[{style}]{escape(cut)}[/]", no_wrap=True, overflow="ellipsis")

    def table(self, headings: Mapping[str, JustifyMethod], rows: Sequence[tuple[Sequence[str], str]]) -> None:
        """Add the first rows of a table, and the number of the others.

        Args:
            headings: The heading of each column -> `left` or `right`.
            rows: Cells and colour of each row.
        """
        table = Table(box=None, pad_edge=False)
        for heading, justify in headings.items():
            table.add_column(heading, justify=justify, no_wrap=True)
        for cells, colour in rows[:ROWS]:
            table.add_row(*(escape(cell) for cell in cells), style=colour)
        self._console.print(table)
        if len(rows) > ROWS:
            self.line(f"… and {len(rows) - ROWS} more", "dim")

    def save(self, path: Path) -> None:
        """Write the picture as SVG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # The id prefixes names within the picture; by default rich derives it from the content.
        picture = self._console.export_svg(title=self._title, theme=MONOKAI, code_format=FORMAT, unique_id="demo")
        path.write_text(picture, encoding="utf-8")
