"""Tables that fit the terminal: a line is never folded; what is too long ends in an ellipsis."""

import re
from collections.abc import Sequence

from rich.text import Text

from annotateforge.client.references import short_id

ID = "id"
"""Title of the column whose ids are shortened first; commands take them so, too."""

_GAP = 2
_LEAST = 6
_NUMBER = re.compile(r"[0-9,. ]*[0-9](/[0-9,]+| %| [kMGT]?B)?|-|")


def lines(columns: Sequence[str], rows: Sequence[Sequence[Text]], width: int | None) -> list[Text]:
    """A table's lines, the titles first, none wider than `width` cells where that can be; None for any width.

    Columns in which nothing stands are left out. Where it does not fit, ids are shortened to their ends, and
    then the widest columns lose theirs.
    """
    kept = [place for place in range(len(columns)) if any(row[place].plain for row in rows)]
    titles = [columns[place] for place in kept]
    cells = [[_one_line(row[place]) for place in kept] for row in rows]
    widths = _natural(titles, cells)
    if width is not None and _total(widths) > width and ID in titles:
        place = titles.index(ID)
        for row in cells:
            row[place] = Text(short_id(row[place].plain))
        widths = _natural(titles, cells)
    fixed = {titles.index(ID)} if ID in titles else set()
    while width is not None and _total(widths) > width:
        able = [place for place, wide in enumerate(widths) if place not in fixed and wide > _LEAST]
        if not able:
            break
        widest = max(able, key=lambda place: widths[place])
        widths[widest] -= min(widths[widest] - _LEAST, _total(widths) - width, _lead(widths, able, widest))
    right = [all(_NUMBER.fullmatch(row[place].plain) for row in cells) for place in range(len(titles))]
    head = [Text(title, "bold") for title in titles]
    return [_line(row, widths, right) for row in (head, *cells)]


def _one_line(cell: Text) -> Text:
    if "\n" not in cell.plain:
        return cell.copy()
    return Text(" ".join(cell.plain.split()), cell.style)


def _natural(titles: Sequence[str], cells: Sequence[Sequence[Text]]) -> list[int]:
    return [
        max(Text(title).cell_len, *(row[place].cell_len for row in cells)) if cells else len(title)
        for place, title in enumerate(titles)
    ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _lead(widths: Sequence[int], able: Sequence[int], widest: int) -> int:
    """By how much the widest column is wider than the next one, at least 1."""
    others = [widths[place] for place in able if place != widest]
    return max(1, widths[widest] - max(others, default=0))


def _line(row: Sequence[Text], widths: Sequence[int], right: Sequence[bool]) -> Text:
    line = Text()
    for place, cell in enumerate(row):
        if place:
            line.append(" " * _GAP)
        shown = cell.copy()
        shown.truncate(widths[place], overflow="ellipsis")
        blank = widths[place] - shown.cell_len
        if right[place]:
            line.append(" " * blank)
        line.append_text(shown)
        if not right[place] and place < len(row) - 1:
            line.append(" " * blank)
    line.rstrip()
    return line
