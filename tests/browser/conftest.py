"""One installation and one browser for all tests of the web app."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import grpc
import pytest
from playwright.sync_api import Browser

from annotateforge.api.registry.v1.registry_service_pb2 import RegisterModelRequest, RegisterModelResponse
from annotateforge.gateway.web_app import BUILT
from annotateforge.runtime.auth import Role, issue_token
from tests.browser.chromium import chromium, chromium_program
from tests.browser.visitor import Visitor, visiting
from tests.integration.registry.registrations import registration
from tests.scenarios.installation import Running, running

_DEADLINE = 30
_REGISTER = "/annotateforge.api.registry.v1.RegistryService/RegisterModel"


@pytest.fixture(scope="session")
def program() -> str:
    """Chromium's path."""
    if not (BUILT / "index.html").is_file():
        pytest.skip("needs the built web app (make web)")
    return chromium_program()


# Not for the session: while Playwright is there, its event loop runs, and tests beside it can use no other.
@pytest.fixture(scope="module")
def browser(program: str) -> Iterator[Browser]:
    """A running Chromium."""
    with chromium(program) as started:
        yield started


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, program: str) -> Iterator[Running]:
    """A running installation, where there is a browser to look at it."""
    # It lives as long as the session: no warm child, which tests of workers would take for one of theirs.
    folder = tmp_path_factory.mktemp("browser")
    with running(folder, WORKER_DEVICES="cpu", WARM_CHILD="false") as started:
        yield started


@pytest.fixture(scope="session")
def token(stack: Running) -> Callable[[Role], str]:
    """Tokens of the installation by role."""
    secret = (stack.data_dir / "secret").read_text().strip()
    return lambda role: issue_token(secret, role, f"a {role}", timedelta(hours=1))


@pytest.fixture
def visitor(browser: Browser, stack: Running) -> Iterator[Visitor]:
    """Somebody who has not signed in. At the end the console must be free of errors."""
    with visiting(browser, stack.url) as started:
        yield started
        assert started.errors == []


@pytest.fixture
def editor(visitor: Visitor, token: Callable[[Role], str]) -> Visitor:
    """Somebody signed in who may change things."""
    visitor.sign_in(token(Role.EDITOR))
    return visitor


@pytest.fixture
def viewer(visitor: Visitor, token: Callable[[Role], str]) -> Visitor:
    """Somebody signed in who may only look."""
    visitor.sign_in(token(Role.VIEWER))
    return visitor


@pytest.fixture(scope="session")
def registered(stack: Running, token: Callable[[Role], str]) -> Callable[[str], str]:
    """Registers a model of a name as a worker does; its id."""

    def register(name: str) -> str:
        metadata = (("authorization", f"Bearer {token(Role.WORKER)}"),)
        with grpc.insecure_channel(stack.addresses["registry"]) as channel:
            # Without the stub, whose types are for event loops: here Playwright's is running.
            call = channel.stream_unary(
                _REGISTER, RegisterModelRequest.SerializeToString, RegisterModelResponse.FromString
            )
            answer = call(registration(name=name), metadata=metadata, timeout=_DEADLINE)
        return str(answer.model.id)

    return register
