"""How people name things: by id, by name where it is the only one, or by a piece of the id: its beginning,
its end, or the beginning of the end that tables show.
"""

import re

from annotateforge.client.errors import ServerRefused, WrongArgument

SHORTEST = 4
"""Least hexadecimal digits of an abbreviated id."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9a-f]+", re.IGNORECASE)
_SHORT_LENGTH = 8
_SHOWN = 5


def is_id(reference: str) -> bool:
    """Whether it is a whole id, which needs no search."""
    return _ID.fullmatch(reference) is not None


def short_id(identifier: str) -> str:
    """The end of an id, which people can type. Its beginning is the time at which it was made."""
    return identifier[-_SHORT_LENGTH:]


def not_found(what: str, reference: str, where: str = "") -> ServerRefused:
    """The refusal that the server would have given."""
    place = f" {where}" if where else ""
    hint = "" if where else f" `annotateforge {what} list` shows those that there are."
    message = f"There is no {what} {reference!r}{place}.{hint}"
    return ServerRefused(404, "NOT_FOUND", f"{what.upper()}_NOT_FOUND", message)


class Search:
    """Finds the one thing that a reference means, among all that there are."""

    def __init__(self, what: str, reference: str) -> None:
        """what: "project", "job", "model" or "dataset". WrongArgument when the reference is empty."""
        if not reference:
            raise WrongArgument(f"The name of the {what} is empty.")
        self._what = what
        self._reference = reference
        digits = reference.replace("-", "").lower()
        short = len(digits) >= SHORTEST and _DIGITS.fullmatch(digits)
        self._digits = digits if short else ""
        self._named: list[str] = []
        self._abbreviated: list[str] = []

    def add(self, identifier: str, name: str = "") -> None:
        """Look at one of them."""
        if name and name == self._reference:
            self._named.append(identifier)
        elif self._digits:
            whole = identifier.replace("-", "")
            begins = whole.startswith(self._digits) or short_id(whole).startswith(self._digits)
            if begins or whole.endswith(self._digits):
                self._abbreviated.append(identifier)

    def found(self) -> str:
        """Its id; a name goes before an abbreviation.

        ServerRefused *_NOT_FOUND when there is none, WrongArgument when it may mean several.
        """
        found = self._named or self._abbreviated
        if not found:
            raise not_found(self._what, self._reference)
        if len(found) > 1:
            shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
            raise WrongArgument(
                f"{self._reference!r} may mean {len(found)} {self._what}s: {shown}. Give one of these ids."
            )
        return found[0]
