"""Reads text files line by line, in memory that does not grow with the file."""

from collections.abc import Iterator

from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.tree import Tree

_LONGEST_LINE = 4 << 20
"""Bytes; what JSON makes of them in memory may be 25 times as much."""


class LineTooLong(Exception):
    """A line of a label file is longer than any label; `line` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def lines_of(tree: Tree, member: Member) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers from 1, in memory that does not grow with the file. What is
    no UTF-8 is replaced. Raises LineTooLong for a line of more than 4 MiB.
    """
    rest = b""
    number = 0
    for block in tree.blocks(member):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            number += 1
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")
        if len(rest) > _LONGEST_LINE:
            raise LineTooLong(number + 1)
    if rest:
        yield number + 1, rest.decode("utf-8-sig" if number == 0 else "utf-8", errors="replace")
