"""CSV tables with or without a header, row by row, in memory that does not grow with the file."""

import codecs
import csv
from collections.abc import Iterator
from typing import NamedTuple

_LARGEST_LINE = 8 << 20
_DELIMITERS = ",;\t|"


class CsvMalformed(Exception):
    """The text is not CSV; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class TableRow(NamedTuple):
    """A row, also the first one."""

    fields: list[str]
    """Without the blanks around them."""
    line: int
    """Line on which the row begins, from 1."""


def table_rows(blocks: Iterator[bytes]) -> Iterator[TableRow]:
    """The rows of a table that commas, semicolons, tabs or bars divide; empty rows are passed over.

    Takes UTF-8 with or without a byte order mark, and UTF-16 with one. Raises CsvMalformed, also for a line
    of more than 8 MiB.
    """
    # Of all readers of the process: the module has one limit. Nothing else here reads CSV.
    csv.field_size_limit(_LARGEST_LINE)
    lines = _lines(blocks)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(_chained(first, lines), delimiter=delimiter, skipinitialspace=True)
    line = 1
    try:
        for fields in reader:
            if any(fields):
                yield TableRow([field.strip() for field in fields], line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise CsvMalformed(f"It is not CSV: {error}.", line) from error


class NamedRow(NamedTuple):
    """A row below a header."""

    fields: dict[str, str]
    """By the header's names, lower case; a short row lacks the last."""
    line: int
    """Line on which the row begins, from 1."""


def named_rows(blocks: Iterator[bytes]) -> Iterator[NamedRow]:
    """The rows below the header, which is the first row. Takes and raises what `table_rows` does."""
    rows = table_rows(blocks)
    header = next(rows, None)
    names = [name.lower() for name in header.fields] if header is not None else []
    for row in rows:
        yield NamedRow(dict(zip(names, row.fields, strict=False)), row.line)


def number(text: str) -> float | None:
    """The number that a field holds, also with a decimal comma; None where it holds none."""
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _lines(blocks: Iterator[bytes]) -> Iterator[str]:
    decoder: codecs.IncrementalDecoder | None = None
    rest = ""
    count = 0
    ended = False
    while not ended:
        block = next(blocks, b"")
        ended = not block
        if decoder is None:
            wide = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
        try:
            rest += decoder.decode(block, final=ended)
        except UnicodeDecodeError as error:
            raise CsvMalformed("It is not UTF-8.", count + 1) from error
        *whole, rest = rest.split("\n")
        for line in whole:
            count += 1
            yield line + "\n"
        if len(rest) > _LARGEST_LINE:
            raise CsvMalformed("A line is longer than 8 MiB.", count + 1)
    if rest:
        yield rest
