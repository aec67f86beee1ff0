"""Tables of HTML: which ones hold data, and what their rows say."""

from selectolax.lexbor import LexborNode

_NO_CELL_HOLDS = frozenset({"table", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_MAX_CARRIED = 50  # columns


def is_layout(table: LexborNode) -> bool:
    """Tell whether a table only places things on the page: its cells are then ordinary blocks.

    Looks no further than the first element that gives it away, so a page of tables within tables
    is looked at once.
    """
    widest = cells = 0
    for node in table.traverse():
        if node.tag == "tr":
            cells = 0
        elif node.tag in {"td", "th"}:
            cells += 1
            widest = max(widest, cells)
        elif node.tag in _NO_CELL_HOLDS and node.mem_id != table.mem_id:
            return True
    return widest < 2  # noqa: PLR2004 - one column is a frame around text


class Table:
    """Rows of a data table as they are read, cells that span rows repeated in each.

    Attributes:
        group: Number of the table, for its blocks.
    """

    def __init__(self, group: int) -> None:
        self.group = group
        self._cells: list[str] = []
        self._carried: dict[int, tuple[int, str]] = {}  # column -> rows left, text

    def add(self, text: str, rowspan: int) -> None:
        """Add a cell to the row being read."""
        self._fill()
        column = len(self._cells)
        if rowspan > 1 and len(self._carried) < _MAX_CARRIED:
            self._carried[column] = (rowspan, text)
        self._cells.append(text)

    def row(self) -> str:
        """End the row and give it as `| a | b |`; empty if no cell has text."""
        self._fill()
        cells, self._cells = self._cells, []
        self._carried = {
            column: (left - 1, text) for column, (left, text) in self._carried.items() if left > 1
        }
        return f"| {' | '.join(cells)} |" if any(cells) else ""

    def _fill(self) -> None:
        while (column := len(self._cells)) in self._carried:
            self._cells.append(self._carried[column][1])
