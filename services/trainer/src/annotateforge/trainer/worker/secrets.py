"""Keeps what is secret out of the output of trainings, which everybody may read who may read the job."""

import re
from collections.abc import Callable, Mapping

MASK = "***"

_SHORTEST = 8
"""Characters of a value below which hiding it would tear up words."""
_SECRET_NAME = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|(API|ACCESS|SECRET|PRIVATE|SIGNING)_?KEY)$", re.IGNORECASE
)
_PATTERNS = (
    # A name and a value, as in a query or a configuration that is printed.
    (
        re.compile(
            r"""((?:password|passwd|secret|token|api[_-]?key|access[_-]?key|signature|credential)["']?\s*[=:]\s*["']?)"""
            r"""[^\s"'&,;]{4,}""",
            re.IGNORECASE,
        ),
        r"\1" + MASK,
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), r"\1 " + MASK),
    # User and password in an address.
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@]*:[^/\s@]+@", re.IGNORECASE), r"\1" + MASK + "@"),
    # JSON Web Tokens, and what some providers' keys begin with.
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
    (re.compile(r"\b(?:ghp|gho|ghs|github_pat|hf|sk|glpat|xox[abprs])[_-][\w-]{16,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
)


def is_secret(name: str) -> bool:
    """Whether an environment variable of this name holds a secret, as far as names tell."""
    return _SECRET_NAME.search(name) is not None


def hiding(environment: Mapping[str, str]) -> Callable[[str], str]:
    """A function that answers a line with asterisks in place of what looks like a secret, and of the values
    of the environment's secret variables.
    """
    values = {
        value for name, value in environment.items() if is_secret(name) and len(value.strip()) >= _SHORTEST
    }
    # Longer ones first: one may begin with another.
    known = re.compile("|".join(map(re.escape, sorted(values, key=len, reverse=True)))) if values else None

    def hide(line: str) -> str:
        if known is not None:
            line = known.sub(MASK, line)
        for pattern, instead in _PATTERNS:
            line = pattern.sub(instead, line)
        return line

    return hide
