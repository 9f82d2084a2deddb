"""The command line where no server is needed: its help, its refusals, its exit codes, its start-up."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import typer

from annotateforge.api.dataset.v1 import image_pb2
from annotateforge.client.command.program import app, main
from annotateforge.client.profile import LocalServer
from annotateforge.runtime.auth import Principal, Role, TokenVerifier
from annotateforge.runtime.rest.names import choices

PROGRAM = str(Path(sys.executable).with_name("annotateforge"))
NOBODY_LISTENS = "http://127.0.0.1:1"


class Done(NamedTuple):
    """How a command ended."""

    code: object
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command in an empty directory, with nothing of ours in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("SERVER", "TOKEN", "DATA_DIR", "SECRET", "PORT"):
        monkeypatch.delenv(f"ANNOTATEFORGE_{name}", raising=False)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["annotateforge", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command there is."""
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


@pytest.mark.parametrize("words", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_explains_itself_without_a_server(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words, "--help")
    assert done.code == 0
    assert "Usage: annotateforge " + " ".join(words) in done.out


@pytest.mark.parametrize(
    "words",
    [["jobs", "show"], ["models", "download"], ["projects", "create"], ["job", "logs"], ["workers", "list"]],
    ids=" ".join,
)
def test_nouns_may_stand_in_singular_and_plural(run: Run, words: list[str]) -> None:
    done = run(*words, "--help")
    assert done.code == 0
    assert "Usage: annotateforge " + " ".join(words) in done.out


def test_every_command_that_prints_data_can_print_json() -> None:
    silent = {"up", "demo", "token create"}
    root = typer.main.get_command(app)
    for words in commands(root):
        command: Any = root
        for word in words:
            command = command.commands[word]
        if not hasattr(command, "commands") and " ".join(words) not in silent:
            options = {option for parameter in command.params for option in parameter.opts}
            assert "--json" in options, words


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out.startswith("annotateforge 0.")


def test_without_a_server_it_says_how_to_get_one(run: Run) -> None:
    done = run("jobs")
    assert done.code == 1
    assert "No server is known" in done.err
    assert "annotateforge up" in done.err


def test_a_server_that_is_named_and_away_is_told_with_its_address(run: Run) -> None:
    done = run("project", "list", "--server", NOBODY_LISTENS)
    assert done.code == 1
    assert f"{NOBODY_LISTENS} cannot be reached" in done.err
    assert "Is the address right" in done.err


def test_watching_a_server_that_is_away_fails_at_once(run: Run) -> None:
    done = run("watch", "1", "--server", NOBODY_LISTENS)
    assert done.code == 1
    assert f"{NOBODY_LISTENS} cannot be reached" in done.err


def test_what_a_killed_up_left_behind_is_not_taken_for_a_server(run: Run, tmp_path: Path) -> None:
    LocalServer(NOBODY_LISTENS, "token").write(tmp_path)
    done = run("jobs", "--data-dir", str(tmp_path))
    assert done.code == 1
    assert f"left this address in {tmp_path}" in done.err
    assert "start it again" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["project", "list", "--server", "somewhere"], "is no address"),
        (["project", "list", "--server", NOBODY_LISTENS, "--token", "ü"], "no token has"),
        (["jobs", "--status", "done"], "choose one of pending, preparing, training"),
        (["models", "--task", "detection"], "choose one of classify, detect, segment"),
        (["jobs", "show", ""], "is empty"),
        (["jobs", "--json", "show", "1"], "unexpected extra argument"),
        (["jobs", "shw", "1"], "Did you mean 'show'"),
        (["job", "priority", "1", "101"], "less than or equal to 100"),
        (["image", "list", "a", "--side", "train"], "name the data set with --dataset"),
        (["image", "set", "1"], "Nothing is to be set"),
        (["image", "annotate", "1", "missing.json"], "does not exist"),
        (["dataset", "check"], "Name the project"),
        (["dataset", "prepare", "--project", "a", "--task", "x"], "choose one of classify"),
        (["compare"], "Name jobs, or one --sweep"),
        (["model", "compare", "1"], "Name 2 to 6 models"),
        (["images"], "Missing argument 'PROJECT'"),
        (["train"], "either --project or --dataset"),
        (["sweep", "create", "--project", "a"], "Say what is to differ"),
        (["sweep", "create", __file__, "--epochs", "5"], "--epochs would have no effect"),
        (["sweep", "create", __file__, "--sweep", "mosaic=0,1"], "--sweep would have no effect"),
        (["sweep", "create", "missing.yaml"], "does not exist"),
        (["train", "--project", "a", "--dataset", "b"], "either --project or --dataset"),
        (["train", "--dataset", "b", "--class", "x"], "has its classes"),
        (["train", "--dataset", "b", "--split-seed", "0"], "has its classes"),
        (["train", "--dataset", "b", "--task", "x"], "choose one of classify"),
        (["predict", "missing.jpg"], "does not exist"),
        (["predict", __file__, "--task", "detect", "--model", "1"], "either --task or --model"),
        (["predict", __file__, "--confidence", "2"], "--confidence"),
        (["import", "a", "missing.zip"], "does not exist"),
        (["watch", "1", "--after", "-1"], "--after"),
        (["up", "--port", "65532"], "65531"),
        (["token", "create", "--role", "owner"], "viewer, editor, admin, worker"),
        (["token", "create", "--days", "0"], "--days"),
        (["nonsense"], "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_told_and_exits_with_2(run: Run, arguments: list[str], message: str) -> None:
    needs_server = arguments[0] not in {"up", "token", "nonsense"} and "--server" not in arguments
    done = run(*arguments, *(["--server", NOBODY_LISTENS] if needs_server else []))
    assert done.code == 2, done
    assert message in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err


def test_the_help_of_images_names_every_problem_that_the_server_takes(run: Run) -> None:
    told = run("images", "list", "--help").out
    for name in choices(image_pb2.ImageProblem.DESCRIPTOR):
        assert name in told, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_choices(shell: str) -> None:
    def completed(line: str) -> str:
        environment = {
            **os.environ,
            "_ANNOTATEFORGE_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
            "ANNOTATEFORGE_SERVER": NOBODY_LISTENS,
        }
        done = subprocess.run(
            [PROGRAM], capture_output=True, text=True, env=environment, timeout=60, check=False
        )
        assert done.stderr == ""
        return done.stdout

    assert "priority" in completed("annotateforge jobs pri")
    offered = completed("annotateforge models --task s")
    assert "segment" in offered
    assert "classify" not in offered
    assert "duplicate_annotation" in completed("annotateforge images --problem dup")
    # A server that is away offers nothing, and says nothing.
    assert completed("annotateforge job show ").strip() in ("", "_files")


def test_who_interrupts_gets_130(tmp_path: Path) -> None:
    # A server that takes the connection and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [PROGRAM, "jobs", "--server", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        silent.settimeout(60)
        asking, _ = silent.accept()
        with asking:
            asking.settimeout(60)
            # By now it waits for the answer; earlier the signal may meet code that can raise nothing.
            assert asking.recv(1)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told


async def test_a_token_of_the_environments_secret_is_printed_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("ANNOTATEFORGE_SECRET", secret)
    done = run("token", "create", "--role", "editor", "--subject", "ci")
    assert done.code == 0
    token = done.out.removesuffix("\n")
    assert await TokenVerifier(secret).verify(token) == Principal("ci", Role.EDITOR)


def test_a_token_needs_an_installation(run: Run) -> None:
    done = run("token", "create")
    assert done.code == 1
    assert "There is no installation in annotateforge-data" in done.err


def test_doctor_speaks_json(run: Run) -> None:
    done = run("doctor", "--json")
    assert done.code == 0
    findings = orjson.loads(done.out)
    assert {finding["check"] for finding in findings} >= {"python", "engines", "disk", "torch", "services"}


def test_only_what_a_command_needs_is_loaded() -> None:
    heavy = ["torch", "ultralytics", "grpc", "asyncpg", "nats", "numpy", "PIL", "starlette"]
    program = (
        f"import sys, annotateforge.client.command.program; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    done = subprocess.run(
        f"{PROGRAM} doctor | true", shell=True, capture_output=True, text=True, check=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
