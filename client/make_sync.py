"""Makes the blocking client of the one for asyncio: the same code without `async` and `await`.

    python client/make_sync.py [--check]

What is below `annotateforge/client/aio/` is written by people; the modules of the same names beside that
folder are made of it and are not edited. They are committed, so that nothing has to be made to read, type or
install them; a test sees that they are what this makes.
"""

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parent / "src" / "annotateforge" / "client"
SOURCE = CLIENT / "aio"

_CHANGES = [
    (r"annotateforge\.client\.aio\.", "annotateforge.client."),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(Iterator|Client|HTTPTransport)\b", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|read|iter_raw)\(", r"\1("),
    (r"\bwebsockets\.asyncio\.", "websockets.sync."),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"^import asyncio$", "import time"),
    (r"Safe to use by several tasks of one event loop\.", "Safe to use from several threads."),
]


def made() -> dict[Path, str]:
    """What each module must hold."""
    return {
        CLIENT / path.relative_to(SOURCE): _made(path)
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name != "__init__.py"
    }


def _made(path: Path) -> str:
    text = path.read_text()
    for pattern, replacement in _CHANGES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    first, rest = text.split("\n", 1)
    relative = path.relative_to(CLIENT)
    text = f"# Made by client/make_sync.py of {relative}; change that.\n{first}\n{rest}"
    name = str(CLIENT / path.relative_to(SOURCE))
    for command in (["check", "--fix", "--quiet", "--select", "I", "-"], ["format", "--quiet", "-"]):
        run = [sys.executable, "-m", "ruff", command[0], "--stdin-filename", name, *command[1:]]
        text = subprocess.run(run, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> None:
    """Write what has changed; with --check, only say what would be written, and fail."""
    stale = {path: text for path, text in made().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        print(path)
        if "--check" not in sys.argv:
            path.write_text(text)
    sys.exit(1 if stale and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
