"""docs/errors.md and the code agree on the reasons of errors."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotateforge.runtime import errors

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENT = REPOSITORY / "docs" / "errors.md"
ROOMS = {
    "runtime": "runtime/src",
    "client": "client/src",
    "gateway": "gateway/src",
    "dataset": "services/dataset/src",
    "trainer": "services/trainer/src",
    "registry": "services/registry/src",
    "inference": "services/inference/src",
}
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.DomainError)
}
REASON = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def documented() -> set[str]:
    """First column of every table."""
    return set(re.findall(r"^\| `([A-Z0-9_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))


def texts_in(folder: Path) -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def raised_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Reasons that are given to an error where it is made, and where that is."""
    for path, node in texts_in(folder):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        made = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        first = node.args[0]
        if isinstance(made, ast.Name) and made.id in KINDS and isinstance(first, ast.Constant):
            yield str(first.value), f"{path.relative_to(REPOSITORY)}:{node.lineno}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_reason_that_is_raised_is_documented(room: str) -> None:
    known = documented()
    missing = [
        f"{reason} ({place})" for reason, place in raised_in(REPOSITORY / ROOMS[room]) if reason not in known
    ]
    assert missing == []


@pytest.mark.parametrize("room", ROOMS)
def test_reasons_are_upper_snake(room: str) -> None:
    assert [reason for reason, _ in raised_in(REPOSITORY / ROOMS[room]) if not REASON.fullmatch(reason)] == []


def test_every_documented_reason_is_in_the_code() -> None:
    texts = {
        node.value
        for root in ROOMS.values()
        for _, node in texts_in(REPOSITORY / root)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    from_grpc = {code.name for code in errors.Code}
    assert sorted(documented() - texts - from_grpc) == []
