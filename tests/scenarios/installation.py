"""A whole installation as people start it: `annotateforge up` in a process of its own, on free ports."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_STOP_TIMEOUT = 30.0
_ADDRESS = re.compile(r"Open (?P<url>http://\S+?)/#token=(?P<token>\S+)")
_READY = re.compile(r"ready\s+(?P<name>\S+)\s+(?P<address>\d+\.\d+\.\d+\.\d+:\d+)")


@dataclass(frozen=True)
class Running:
    """A running installation."""

    url: str
    token: str
    addresses: Mapping[str, str]
    """gRPC address of each service by name."""
    data_dir: Path

    @property
    def headers(self) -> dict[str, str]:
        """What a REST call needs."""
        return {"authorization": f"Bearer {self.token}"}

    def rest(self) -> httpx.Client:
        """A client with the token, which fails on a call that takes over a minute."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=60)

    def child(self, module: str) -> int:
        """Process id of the process that runs `python -m module` for this installation."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            # The gateway is told no folder, but the secret.
            mine = (os.fsencode(self.data_dir), (self.data_dir / "secret").read_bytes().strip())
            if module.encode() in command and any(mark in environment for mark in mine):
                return int(entry.name)
        raise AssertionError(f"no process runs {module}")


@contextmanager
def running(data_dir: Path, **settings: str) -> Iterator[Running]:
    """Run `annotateforge up` while the context lasts.

    settings: ANNOTATEFORGE_ variables without the prefix.
    """
    program = Path(sys.executable).with_name("annotateforge")
    environment = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    environment |= {f"ANNOTATEFORGE_{name}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [str(program), "up", "--port", "0", "--data-dir", str(data_dir)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    try:
        yield _wait(process, data_dir)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"`up` did not stop within {_STOP_TIMEOUT:.0f} s") from None


def _is_ours(name: str) -> bool:
    """Whether a variable is a setting, but for the cores that trainings of all test processes share."""
    return name.startswith("ANNOTATEFORGE_") and name != "ANNOTATEFORGE_WORKER_CORES"


def _wait(process: subprocess.Popen[str], data_dir: Path) -> Running:
    """Read what `up` prints until it gives its address; its end closes the pipe."""
    assert process.stdout is not None
    lines: list[str] = []
    addresses: dict[str, str] = {}
    for line in process.stdout:
        lines.append(line)
        if ready := _READY.search(line):
            addresses[ready["name"]] = ready["address"]
        if found := _ADDRESS.search(line):
            return Running(found["url"], found["token"], addresses, data_dir)
    raise AssertionError("`up` did not start:\n" + "".join(lines))
