"""Outlines of JSON files: the names that stand at each depth near the beginning, by which formats are told
apart without reading whole files.
"""

import re
from dataclasses import dataclass

HEAD_BYTES = 1 << 14
"""Bytes from the beginning of a file that are looked at."""
_DEEPEST = 8
_MOST_KEYS = 2000
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"\s*(:)?|\\?\Z)|[{}\[\]]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Outline:
    """What the beginning of a JSON file shows."""

    top: str
    """ "{" or "[", by what the top level is; empty when it is neither."""
    keys: frozenset[tuple[int, str]]
    """Names of members, each with the number of objects and arrays around it, from 1."""

    def has(self, depth: int, *names: str) -> bool:
        """Whether all of these names stand at a depth."""
        return all((depth, name) in self.keys for name in names)

    def has_any(self, depth: int, *names: str) -> bool:
        """Whether one of these names stands at a depth."""
        return any((depth, name) in self.keys for name in names)


def outline(head: bytes) -> Outline:
    """The outline of a file by its first bytes, which may end anywhere and need not be JSON."""
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    if text[:1] not in ("{", "["):
        return Outline("", frozenset())
    keys: set[tuple[int, str]] = set()
    depth = 0
    for token in _TOKEN.finditer(text):
        character = token[0][0]
        if character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
        elif token[2] and depth <= _DEEPEST and len(keys) < _MOST_KEYS:
            keys.add((depth, token[1][:100]))
    return Outline(text[0], frozenset(keys))
