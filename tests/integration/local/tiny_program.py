"""A real program as small as can be, to be supervised: run by path or as a module, told by its environment.

TINY_BEHAVIOUR: "serve" (the default), "fail" (say why and end before it is ready), "crash" (end once it is
ready), "deaf" (heed no SIGTERM), "parent" (leave a child behind), "hang" (never become ready).
TINY_JOURNAL: a file to which a line is added for its start and its end in good order.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from types import FrameType
from typing import NoReturn

BEHAVIOUR = os.environ.get("TINY_BEHAVIOUR", "serve")


def note(text: str) -> None:
    with open(os.environ["TINY_JOURNAL"], "a") as journal:
        journal.write(f"{text} {os.environ['TINY_NAME']} {os.getpid()}\n")


def end(_number: int, _frame: FrameType | None) -> NoReturn:
    note("stop")
    sys.exit(0)


def main() -> None:
    if BEHAVIOUR == "fail":
        print("the first line\nwhat went wrong", flush=True)
        sys.exit(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if BEHAVIOUR == "deaf" else end)
    if BEHAVIOUR == "parent":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        note(f"child:{child.pid}")
    server = None
    address = ""
    if listen := os.environ.get("ANNOTATEFORGE_LISTEN"):
        host, _, port = listen.rpartition(":")
        server = socket.create_server((host, int(port)))
        address = f"{host}:{server.getsockname()[1]}"
    note("start")
    if BEHAVIOUR != "hang":
        with os.fdopen(int(os.environ["ANNOTATEFORGE_READY_FD"]), "wb") as ready:
            ready.write(json.dumps({"address": address}).encode() + b"\n")
    if BEHAVIOUR == "crash":
        sys.exit(7)
    while True:
        if server is None:
            signal.pause()
        else:
            connection, _ = server.accept()
            connection.sendall(str(os.getpid()).encode())
            connection.close()


if __name__ == "__main__":
    main()
