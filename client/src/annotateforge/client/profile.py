"""Which server the SDK and the command line talk to."""

import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

DEFAULT_DATA_DIR = Path("annotateforge-data")
"""Data directory of a local `up` unless another is named, relative to the working directory."""

_FILE = "server.json"


def sign_in_address(url: str, token: str) -> str:
    """The web app's address that signs in who opens it.

    The token stands in the fragment, which browsers keep to themselves: no server and no log sees it.
    """
    return f"{url}/#token={token}"


@dataclass(frozen=True)
class LocalServer:
    """Where the running `up` of a data directory is reached; it writes this down for the command line."""

    url: str
    """http://host:port of the gateway."""
    token: str
    """A token that the gateway accepts."""

    def write(self, data_dir: Path) -> None:
        """Leave it in the data directory, readable by its owner alone."""
        fresh = data_dir / f"{_FILE}.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_bytes(orjson.dumps(asdict(self)))
        fresh.replace(data_dir / _FILE)

    def remove(self, data_dir: Path) -> None:
        """Take it away again; harmless when another `up` has written its own."""
        if LocalServer.find(data_dir) == self:
            (data_dir / _FILE).unlink(missing_ok=True)

    @classmethod
    def find(cls, data_dir: Path) -> "LocalServer | None":
        """What `up` left in the data directory; None after it has stopped, but not after it was killed."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            found = orjson.loads((data_dir / _FILE).read_bytes())
            return cls(url=str(found["url"]), token=str(found["token"]))
        return None
