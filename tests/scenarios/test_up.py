"""`annotateforge up` as people run it: ready lines, crashes, kills, Ctrl-C, and all data found again."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from annotateforge.client import Client, ClientError
from annotateforge.client.profile import LocalServer
from tests.scenarios.processes import alive, all_gone, children, descendants

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROGRAM = str(Path(sys.executable).with_name("annotateforge"))
PARTS = ["postgres", "nats", "dataset", "registry", "trainer", "inference", "gateway", "worker-cpu"]
# What the command line of each part's process ends with, or begins with.
PROCESSES = {
    "postgres": "bin/postgres",
    "nats": "nats-server",
    "dataset": "annotateforge.dataset",
    "registry": "annotateforge.registry",
    "trainer": "annotateforge.trainer",
    "inference": "annotateforge.inference",
    "gateway": "annotateforge.gateway",
    "worker-cpu": "annotateforge.trainer.worker",
}
START_LIMIT = 120.0
STOP_LIMIT = 10.0


class Up:
    """A running `annotateforge up` and what it has printed."""

    def __init__(self, data_dir: Path, *, port: int = 0, **settings: str) -> None:
        environment = {name: value for name, value in os.environ.items() if "ANNOTATEFORGE_" not in name}
        # Whatever the machine has: a training on a GPU is another test's matter.
        environment |= {"ANNOTATEFORGE_WORKER_DEVICES": "cpu"}
        environment |= {f"ANNOTATEFORGE_{name}": value for name, value in settings.items()}
        self.data_dir = data_dir
        self._output = data_dir.with_suffix(".output")
        with self._output.open("ab") as output:
            self._start = output.tell()
            self.process = subprocess.Popen(
                [PROGRAM, "up", "--port", str(port), "--data-dir", str(data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    @property
    def lines(self) -> list[str]:
        """What it has printed so far."""
        return self._output.read_bytes()[self._start :].decode().splitlines()

    def until(self, pattern: str, count: int = 1) -> None:
        """Wait until so many lines match."""
        end = time.monotonic() + START_LIMIT
        while sum(bool(re.search(pattern, line)) for line in self.lines) < count:
            assert self.process.poll() is None, "\n".join(self.lines)
            assert time.monotonic() < end, "\n".join(self.lines)
            time.sleep(0.02)

    def pid(self, part: str) -> int:
        """The process of a part."""
        for child in children(self.process.pid):
            with suppress(OSError):
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                if words[0].endswith(PROCESSES[part]) or PROCESSES[part] in words:
                    return child
        raise AssertionError(f"{part} does not run")

    def descendants(self) -> set[int]:
        """All processes below it."""
        return descendants(self.process.pid)

    def client(self) -> Client:
        """A client as the command line would make it."""
        local = LocalServer.find(self.data_dir)
        assert local is not None
        return Client(local.url, local.token)

    def stop(self) -> float:
        """Press Ctrl-C; how many seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return time.monotonic() - began


@contextmanager
def up(data_dir: Path, **arguments: Any) -> Iterator[Up]:
    """Run it while the context lasts, from the line with its address on."""
    running = Up(data_dir, **arguments)
    try:
        running.until(r"^Open http")
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def usable(client: Client) -> None:
    """Return when all services answer again."""
    end = time.monotonic() + 60
    while True:
        try:
            list(client.projects())
            list(client.jobs())
            list(client.models())
            return
        except ClientError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def command(up: Up, *words: str) -> str:
    """What a command prints that finds the server by the data directory."""
    done = subprocess.run(
        [PROGRAM, *words, "--data-dir", str(up.data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_starts_is_found_by_the_command_line_and_is_found_again(tmp_path: Path) -> None:
    with up(tmp_path / "data") as first:
        ready = [line.split()[1] for line in first.lines if "ready" in line]
        assert sorted(ready[:2]) == ["nats", "postgres"]
        assert sorted(ready) == sorted(PARTS)
        (address,) = (line for line in first.lines if line.startswith("Open http"))
        assert re.fullmatch(r"Open http://127\.0\.0\.1:\d+/#token=[\w-]+\.[\w-]+\.[\w-]+", address)
        command(first, "project", "create", "cells")
        assert "cells" in command(first, "project", "list")
        assert "online" in command(first, "workers")
        processes = first.descendants()
        assert first.stop() < STOP_LIMIT
        assert first.process.returncode == 0
    all_gone(processes)
    assert LocalServer.find(tmp_path / "data") is None
    assert [line.split()[1] for line in first.lines if "stopped" in line][:2] == ["worker-cpu", "gateway"]
    with up(tmp_path / "data") as second:
        assert "cells" in command(second, "project", "list")
        # The token of the first run is good for the second: the secret is kept.
        token = address.partition("token=")[2]
        local = LocalServer.find(tmp_path / "data")
        assert local is not None
        with Client(local.url, token) as client:
            assert [project.name for project in client.projects()] == ["cells"]


def test_whatever_is_killed_comes_back_and_all_can_be_used_again(tmp_path: Path) -> None:
    with up(tmp_path / "data") as running, running.client() as client:
        client.create_project("cells")
        for part in PARTS:
            before = running.pid(part)
            os.kill(before, signal.SIGKILL)
            running.until(rf"crashed\s+{part}\s+signal 9; it is started again, see .*previous", 1)
            running.until(rf"ready\s+{part}\b", 2)
            assert running.pid(part) != before
            (line,) = [line for line in running.lines if re.search(rf"crashed\s+{part}\b", line)]
            assert Path(line.partition("see ")[2]).is_file()
            usable(client)
        assert [project.name for project in client.projects()] == ["cells"]
        assert "online" in command(running, "workers")
        # Restarted parts have the addresses that they had.
        places = [tuple(line.split()[1:3]) for line in running.lines if "ready" in line and ":" in line]
        assert all(places.count(place) == 2 for place in places)


def test_a_killed_up_takes_all_along_and_can_be_started_again_at_once(tmp_path: Path) -> None:
    port = free_ports()
    with up(tmp_path / "data", port=port) as first, first.client() as client:
        client.create_project("cells")
        processes = first.descendants()
        first.process.kill()
        first.process.wait(10)
        with up(tmp_path / "data", port=port) as second, second.client() as again:
            assert [project.name for project in again.projects()] == ["cells"]
            assert not alive(processes)


def test_a_data_directory_has_one_up_at_a_time(tmp_path: Path) -> None:
    with up(tmp_path / "data") as first:
        second = Up(tmp_path / "data")
        assert second.process.wait(60) == 1
        (line,) = second.lines
        assert f"already running on {tmp_path / 'data'} as process {first.process.pid}" in line
        with first.client() as client:
            usable(client)


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    running = Up(tmp_path / "data")
    running.until("ready")
    processes = running.descendants()
    assert running.stop() < STOP_LIMIT
    assert running.process.returncode == 130
    all_gone(processes)
    assert running.lines[-1].strip() in {"Stopped.", "stopped  nats", "stopped  postgres"}


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    port = free_ports()
    with socket.create_server(("127.0.0.1", port + 2)):
        running = Up(tmp_path / "data", port=port)
        assert running.process.wait(60) == 1
    assert f"Port {port + 2}, for the trainer, cannot be used (Address already in use)" in running.lines[0]
    assert "--port" in running.lines[0]


def test_a_service_that_cannot_start_is_shown_with_its_log_and_stops_all(tmp_path: Path) -> None:
    running = Up(tmp_path / "data", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert running.process.wait(120) == 1
    output = "\n".join(running.lines)
    assert "AnnotateForge did not start." in output
    assert "ended with exit status 1 while starting" in output
    assert "onnect" in output
    assert "stopped  nats" in output


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("TRAINER_ADDRESS", "10.0.0.1:8002", "ANNOTATEFORGE_TRAINER_ADDRESS: `up` chooses this itself"),
        ("SECRET", "short", "ANNOTATEFORGE_SECRET must have at least 32 bytes"),
    ],
)
def test_settings_that_it_could_not_follow_are_refused(
    tmp_path: Path, setting: str, value: str, message: str
) -> None:
    running = Up(tmp_path / "data", **{setting: value})  # type: ignore[arg-type]  # no port
    assert running.process.wait(60) == 1
    assert message in running.lines[0]


def free_ports() -> int:
    """The first of five free ports in a row, outside of those that the kernel gives out by itself."""
    for first in range(20_000, 30_000, 5):
        with suppress(OSError):
            sockets = [socket.create_server(("127.0.0.1", port)) for port in range(first, first + 5)]
            for taken in sockets:
                taken.close()
            return first
    raise AssertionError("no five free ports in a row")
