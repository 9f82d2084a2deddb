"""`annotateforge up`: everything on this machine, until Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from annotateforge.client.profile import LocalServer, sign_in_address
from annotateforge.local import stack
from annotateforge.local.engine import EngineError
from annotateforge.local.installation import opened
from annotateforge.local.supervisor import Change, Notice

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_PATIENCE = 8.0
"""Seconds that the processes of an `up` that was killed are given to leave their ports."""


class Terminal(Console):
    """Where `up` tells of what happens. That nobody reads it any more is no reason to stop."""

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> None:
        """Go on in silence."""
        self.quiet = True

    def say(self, text: str | Text, *, whole: bool = False) -> None:
        """Print a text as it is; `whole` keeps it in one line that can be copied, also on a terminal."""
        with suppress(OSError):
            self.print(text, markup=False, soft_wrap=whole or not self.is_terminal)


def up(data_dir: Path, port: int) -> int:
    """Start everything, say where it is, and keep it running until SIGINT or SIGTERM; the exit code."""
    return asyncio.run(_up(data_dir, port, Terminal()))


@asynccontextmanager
async def running(data_dir: Path, port: int, terminal: Terminal) -> AsyncIterator[stack.Stack]:
    """Run the stack while the context lasts, telling the terminal of every part and the CLI where it is.

    Raises EngineError when something does not start or the data directory is in use.
    """
    with opened(data_dir) as installation:
        # What a stopped `up` would have taken away was left by one that was killed.
        patience = _PATIENCE if LocalServer.find(installation.path) else 0.0

        def tell(notice: Notice) -> None:
            terminal.say(told(notice))

        async with stack.running(installation, port, tell, patience=patience) as running_stack:
            server = LocalServer(running_stack.url, running_stack.kept_token)
            server.write(installation.path)
            try:
                yield running_stack
            finally:
                server.remove(installation.path)


async def _up(data_dir: Path, port: int, terminal: Terminal) -> int:
    stopping = asyncio.Event()
    main = asyncio.current_task()
    loop = asyncio.get_running_loop()
    ready = False

    def on_signal() -> None:
        if stopping.is_set():
            # The children are told by the kernel when we are gone.
            os._exit(EXIT_INTERRUPTED)
        stopping.set()
        terminal.say(Text("\nStopping. Once more stops at once.", "dim"))
        if not ready and main is not None:
            main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    try:
        async with running(data_dir, port, terminal) as running_stack:
            ready = True
            _welcome(terminal, running_stack, data_dir)
            await stopping.wait()
    except EngineError as error:
        terminal.say(Text.assemble(("AnnotateForge did not start.", "red"), f" {error}"))
        return EXIT_FAILED
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise
        return EXIT_INTERRUPTED
    terminal.say(Text("Stopped.", "dim"))
    return 0


def _welcome(terminal: Terminal, running_stack: stack.Stack, data_dir: Path) -> None:
    terminal.say("")
    address = sign_in_address(running_stack.url, running_stack.token)
    terminal.say(Text(f"Open {address}", "bold"), whole=True)
    kept = f"Data is kept in {data_dir.resolve()}, logs in its folder logs. Ctrl-C stops everything."
    terminal.say(Text(kept, "dim"))


def told(notice: Notice) -> Text:
    """What to say about a change."""
    part = f"{notice.part:<10}"
    match notice.change:
        case Change.READY:
            # The engines' addresses hold their secrets.
            where = "" if "://" in notice.detail else f" {notice.detail}"
            return Text.assemble("  ", ("ready", "green"), f"    {part}{where}".rstrip())
        case Change.CRASHED:
            return Text.assemble(
                "  ",
                ("crashed", "red"),
                f"  {part} {notice.detail}; it is started again, see {notice.log}",
            )
        case Change.STOPPED:
            return Text(f"  stopped  {notice.part}", "dim")
