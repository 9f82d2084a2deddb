"""`annotateforge up`: everything on this machine, until Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from annotateforge.client.profile import LocalServer
from annotateforge.local import stack
from annotateforge.local.engine import EngineError
from annotateforge.local.installation import opened
from annotateforge.local.supervisor import Change, Notice

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def up(data_dir: Path, port: int, console: Console) -> int:
    """Start everything, say where it is, and keep it running until SIGINT or SIGTERM; the exit code."""
    return asyncio.run(_up(data_dir, port, console))


@asynccontextmanager
async def running(data_dir: Path, port: int, console: Console) -> AsyncIterator[stack.Stack]:
    """Run the stack while the context lasts, telling the console of every part and the CLI where it is.

    Raises EngineError when something does not start or the data directory is in use.
    """
    with opened(data_dir) as installation:
        async with stack.running(installation, port, lambda notice: _show(console, notice)) as running_stack:
            server = LocalServer(running_stack.url, running_stack.token)
            server.write(installation.path)
            try:
                yield running_stack
            finally:
                server.remove(installation.path)


async def _up(data_dir: Path, port: int, console: Console) -> int:
    told = asyncio.Event()
    main = asyncio.current_task()
    loop = asyncio.get_running_loop()
    ready = False

    def on_signal() -> None:
        if told.is_set():
            # The children are told by the kernel when we are gone.
            os._exit(EXIT_INTERRUPTED)
        told.set()
        console.print("\nStopping. Once more stops at once.", style="dim")
        if not ready and main is not None:
            main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        async with running(data_dir, port, console) as running_stack:
            ready = True
            _welcome(console, running_stack, data_dir)
            await told.wait()
    except EngineError as error:
        console.print(f"[red]AnnotateForge did not start.[/red] {error}", highlight=False)
        return EXIT_FAILED
    except asyncio.CancelledError:
        if not told.is_set():
            raise
    console.print("Stopped.", style="dim")
    return 0


def _welcome(console: Console, running_stack: stack.Stack, data_dir: Path) -> None:
    console.print()
    # One line without wrapping, so that it can be copied and scripts can find it.
    console.print(
        f"Open {running_stack.url}/?token={running_stack.token}",
        soft_wrap=True,
        highlight=False,
        style="bold",
    )
    console.print(
        f"Data is kept in {data_dir.resolve()}, logs in its folder logs. Ctrl-C stops everything.",
        soft_wrap=True,
        highlight=False,
        style="dim",
    )


def _show(console: Console, notice: Notice) -> None:
    match notice.change:
        case Change.READY:
            # The engines' addresses hold their secrets.
            where = "" if "://" in notice.detail else notice.detail
            console.print(f"  [green]ready[/green]    {notice.part:<10} {where}", highlight=False)
        case Change.CRASHED:
            console.print(
                f"  [red]crashed[/red]  {notice.part:<10} {notice.detail}; starting it again", highlight=False
            )
        case Change.STOPPED:
            console.print(f"  [dim]stopped  {notice.part}[/dim]", highlight=False)
