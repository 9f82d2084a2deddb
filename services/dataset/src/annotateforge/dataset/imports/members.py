"""The files of an archive: hundreds of thousands of them, in some hundred bytes for each."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file of an archive."""

    name: str
    """Path with "/" between folders, checked and composed (NFC)."""
    size: int
    """Bytes as the archive states them."""
    key: int
    """Where the container finds it."""


class Members(Sequence[Member]):
    """A table of files, or some of its rows, that makes each Member when it is asked for."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sizes = array("Q")
        self._keys = array("Q")
        self._rows: Sequence[int] | None = None

    def append(self, name: str, size: int, key: int) -> None:
        """Add a file to the table."""
        self._names.append(name)
        self._sizes.append(size)
        self._keys.append(key)

    def names(self) -> Iterator[str]:
        """The names alone."""
        return iter(self._names) if self._rows is None else map(self._names.__getitem__, self._rows)

    def rows(self, rows: Iterable[int]) -> "Members":
        """Rows of the whole table, in this order."""
        return self._selected(array("L", rows))

    def sorted(self) -> "Members":
        """The same files by path."""
        rows = range(len(self._names)) if self._rows is None else self._rows
        return self.rows(sorted(rows, key=self._names.__getitem__))

    def __len__(self) -> int:
        return len(self._names if self._rows is None else self._rows)

    def __iter__(self) -> Iterator[Member]:
        return map(self._member, range(len(self._names)) if self._rows is None else self._rows)

    @overload
    def __getitem__(self, at: int) -> Member: ...

    @overload
    def __getitem__(self, at: slice) -> "Members": ...

    def __getitem__(self, at: int | slice) -> "Member | Members":
        rows = range(len(self._names)) if self._rows is None else self._rows
        return self._selected(rows[at]) if isinstance(at, slice) else self._member(rows[at])

    def _member(self, row: int) -> Member:
        return Member(self._names[row], self._sizes[row], self._keys[row])

    def _selected(self, rows: Sequence[int]) -> "Members":
        selected = Members()
        selected._names, selected._sizes, selected._keys = self._names, self._sizes, self._keys
        selected._rows = rows
        return selected
