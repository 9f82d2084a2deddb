"""Path templates of google.api.http: literals, `*`, `**`, `{field}`, `{a.b}`, `{field=pattern}` and a
`:verb` at the end.

The grammar is in google/api/http.proto, under "Path template syntax".
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

_TOKEN = re.compile(r"[{}=/:]|\*\*|\*|[^{}=/:*]+")
_LITERAL = re.compile(r"[A-Za-z0-9._~%!$&'()+,;@-]+")
_FIELD_PATH = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Variable:
    """A field that a path fills in."""

    field: str
    """Path of the field in the request, such as `header.project_id`."""
    start: int
    """First of its segments."""
    stop: int
    """Past the last of its segments; where the last one is `**`, the variable takes what is left."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    text: str
    segments: tuple[str, ...]
    """Literals, `*` for one segment, `**` for any number of segments at the end."""
    variables: tuple[Variable, ...]
    verb: str
    """What stands behind the colon at the end; empty when there is none."""

    def captures(self, segments: Sequence[str]) -> dict[str, str]:
        """Texts by field path from the decoded segments of a path that this template matches."""
        found = {}
        for variable in self.variables:
            rest = self.segments[variable.stop - 1] == "**"
            found[variable.field] = "/".join(segments[variable.start : None if rest else variable.stop])
        return found

    def expand(self, value_of: Callable[[str], str]) -> str:
        """The path with its fields filled in, percent-encoded. ValueError names a field that has no value."""
        parts = list(map(quote_segment, self.segments))
        for variable in reversed(self.variables):
            value = value_of(variable.field)
            if not value:
                raise ValueError(f"the path needs {variable.field}")
            pattern = self.segments[variable.start : variable.stop]
            parts[variable.start : variable.stop] = (
                [quote_segment(value)] if pattern == ("*",) else map(quote_segment, value.split("/"))
            )
        return "/" + "/".join(parts) + (f":{self.verb}" if self.verb else "")


def parse_template(text: str) -> Template:
    """Parse a template. ValueError says what is wrong with it."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text or not text.startswith("/"):
        raise ValueError(f"{text!r} is no path template")
    parser = _Parser(text, tokens)
    return parser.template()


class _Parser:
    def __init__(self, text: str, tokens: list[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0
        self._segments: list[str] = []
        self._variables: list[Variable] = []

    def template(self) -> Template:
        while self._take("/"):
            if self._take("{"):
                self._variable()
            else:
                self._segment()
        verb = self._next() if self._take(":") else ""
        fields = [variable.field for variable in self._variables]
        if (
            self._at != len(self._tokens)
            or (verb and not _LITERAL.fullmatch(verb))
            or len(set(fields)) != len(fields)
        ):
            raise self._wrong()
        if "**" in self._segments[:-1]:
            raise ValueError(f"{self._text!r}: ** is the last segment or none")
        return Template(self._text, tuple(self._segments), tuple(self._variables), verb)

    def _variable(self) -> None:
        field = self._next()
        if not _FIELD_PATH.fullmatch(field):
            raise self._wrong()
        start = len(self._segments)
        if self._take("="):
            self._segment()
            while self._take("/"):
                self._segment()
        else:
            self._segments.append("*")
        if not self._take("}"):
            raise self._wrong()
        self._variables.append(Variable(field, start, len(self._segments)))

    def _segment(self) -> None:
        segment = self._next()
        if segment not in ("*", "**") and not _LITERAL.fullmatch(segment):
            raise self._wrong()
        self._segments.append(segment)

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, token: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += found
        return found

    def _wrong(self) -> ValueError:
        return ValueError(f"{self._text!r} is no path template")


def quote_segment(text: str) -> str:
    """One segment of a path, percent-encoded; a colon too, because it would begin a verb."""
    # A server that follows RFC 3986 would take dot segments out of the path.
    if text in (".", ".."):
        return text.replace(".", "%2E")
    return quote(text, safe="!$&'()*+,;=@")


def unquote_segment(text: str) -> str:
    """A segment without its percent-encoding. ValueError when that is no UTF-8."""
    return unquote(text, errors="strict") if "%" in text else text
