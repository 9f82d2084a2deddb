"""Reads CSV row by row, in memory that does not grow with the file."""

import codecs
import csv
from collections.abc import Iterator
from typing import NamedTuple

_LARGEST_FIELD = 8 << 20
"""Characters of a field, and of a line."""


class CsvMalformed(Exception):
    """The text is not the CSV that was expected; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Row(NamedTuple):
    """A row below the header."""

    fields: dict[str, str]
    """By the header's names, lower case; a short row lacks the last."""
    line: int
    """Line on which the row begins, from 1."""


def header_of(head: bytes) -> list[str]:
    """The names in the first line, lower case, without blanks and quotes around; the bytes may end
    anywhere.
    """
    line = head.decode("utf-8-sig", errors="replace").split("\n", 1)[0].rstrip("\r")
    try:
        return [name.strip().lower() for name in next(csv.reader([line], delimiter=_delimiter(line)), [])]
    except csv.Error:
        return []


def csv_rows(blocks: Iterator[bytes]) -> Iterator[Row]:
    """The rows below the header, which commas or semicolons divide; empty rows are passed over.

    Takes UTF-8 with or without a byte order mark. Raises CsvMalformed, also for a field of more than 8 MiB.
    """
    csv.field_size_limit(_LARGEST_FIELD)
    lines = _lines(blocks)
    header = next(lines, "")
    delimiter = _delimiter(header)
    names: list[str] = []
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        line = 2
        for fields in reader:
            if fields:
                yield Row(dict(zip(names, fields, strict=False)), line)
            line = reader.line_num + 2
    except csv.Error as error:
        raise CsvMalformed(f"It is not CSV: {error}.", reader.line_num + 1) from error


def _delimiter(header: str) -> str:
    return ";" if header.count(";") > header.count(",") else ","


def _lines(blocks: Iterator[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    rest = ""
    number = 1
    ended = False
    while not ended:
        block = next(blocks, b"")
        ended = not block
        try:
            rest += decoder.decode(block, final=ended)
        except UnicodeDecodeError as error:
            raise CsvMalformed("It is not UTF-8.", number) from error
        *whole, rest = rest.split("\n")
        for line in whole:
            yield line + "\n"
            number += 1
        if len(rest) > _LARGEST_FIELD:
            raise CsvMalformed("A line is longer than 8 MiB.", number)
    if rest:
        yield rest
