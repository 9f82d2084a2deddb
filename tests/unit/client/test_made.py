"""The blocking client is what is made of the one for asyncio, and both have the same calls."""

import inspect
import subprocess
import sys

from annotateforge.client import AsyncClient, Client
from tests.conftest import REPOSITORY


def test_the_blocking_client_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "client" / "make_sync.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"Run python client/make_sync.py; these are not up to date:\n{done.stdout}"


def test_both_clients_have_the_same_calls_with_the_same_parameters() -> None:
    def calls(client: type) -> dict[str, list[str]]:
        found = inspect.getmembers(client, inspect.isfunction)
        return {name: list(inspect.signature(call).parameters) for name, call in found if name[0] != "_"}

    blocking, waiting = calls(Client), calls(AsyncClient)
    assert blocking.pop("close") == waiting.pop("aclose")
    assert blocking == waiting
    assert len(blocking) > 50
