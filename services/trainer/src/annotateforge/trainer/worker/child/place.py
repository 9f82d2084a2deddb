"""Which of the processes that train one model together this one is; each is on a device of its own.

They find each other over a file in the working directory, which they share, and talk over the loopback
interface: nothing listens where another machine could reach it.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RENDEZVOUS = Path("rendezvous")
"""The file, in the working directory."""
LOST_ANOTHER = 3
"""Exit code of a process that could not go on because another one was gone; that one knows why."""

_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


@dataclass(frozen=True)
class Place:
    """Which of the processes this is."""

    rank: int
    """From 0; the first one reports, validates with the others' help, and writes all files."""
    size: int

    @property
    def leads(self) -> bool:
        return self.rank == 0


ALONE = Place(0, 1)


def here() -> Place:
    """Where this process stands; ALONE where it trains without others."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return Place(int(os.environ["RANK"]), size) if size > 1 else ALONE


def environment(inherited: Mapping[str, str], place: Place, threads: int | None) -> dict[str, str]:
    """The environment of a process: ultralytics reads from it, while it is imported, which one it is.

    `threads` are those of torch on a CPU; None leaves them as they are.
    """
    own = {
        "RANK": str(place.rank),
        "LOCAL_RANK": str(place.rank),
        "WORLD_SIZE": str(place.size),
        "GLOO_SOCKET_IFNAME": _LOOPBACK,
        "NCCL_SOCKET_IFNAME": _LOOPBACK,
        # Its settings are written by each.
        "YOLO_CONFIG_DIR": str(Path(inherited.get("YOLO_CONFIG_DIR", "."), f"rank-{place.rank}")),
    }
    if threads is not None:
        own["OMP_NUM_THREADS"] = str(threads)
    return {**inherited, **own}
