"""Completion as shells do it: what `--show-completion` prints is loaded by the shell itself, and asked."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("annotateforge")

ASKED = {
    # Bash hands over its words and asks the function that `complete` has named.
    "bash": """
source "$SCRIPT"
name=$(complete -p annotateforge | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=($LINE)
[[ "$LINE" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"$name" annotateforge
printf '%s\\n' "${COMPREPLY[@]}"
""",
    # Zsh's own system of completion runs below its line editor alone; what it would add is printed instead.
    "zsh": """
compdef() { function_of=$1 }
_arguments() { print -rl -- "$@" }
_files() { : }
source "$SCRIPT"
words=(${(z)LINE})
[[ "$LINE" == *" " ]] && words+=("")
CURRENT=${#words}
$function_of
""",
    "fish": 'source "$SCRIPT"; complete --do-complete "$LINE"',
}


@pytest.fixture(params=ASKED)
def complete(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Completes a line in a shell that has loaded what the program prints for it."""
    shell = shutil.which(request.param)
    if shell is None:
        pytest.skip(f"needs {request.param}")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANNOTATEFORGE_")},
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "ANNOTATEFORGE_SERVER": "http://127.0.0.1:1",
    }
    script = tmp_path / "script"
    quiet = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[request.param]
    # The program looks for the shell that it was called from; a shell's last command would replace the shell.
    printed = subprocess.run(
        [shell, *quiet, "-c", "annotateforge --show-completion; true"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    script.write_text(printed.stdout)

    def completed(line: str) -> str:
        done = subprocess.run(
            [shell, *quiet, "-c", ASKED[request.param]],
            env={**environment, "SCRIPT": str(script), "LINE": line},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == "", done
        return done.stdout

    return completed


def test_a_shell_that_has_loaded_the_completion_completes(complete: Callable[[str], str]) -> None:
    assert "priority" in complete("annotateforge job pri")
    offered = complete("annotateforge models --task s")
    assert "segment" in offered
    assert "classify" not in offered
    # A server that is away offers nothing, and says nothing.
    assert complete("annotateforge job show 0").strip() == ""
