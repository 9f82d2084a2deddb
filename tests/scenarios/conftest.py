"""One installation for all scenarios that do not need their own."""

from collections.abc import Iterator

import pytest

from tests.scenarios.installation import Running, running


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running installation, shared: a test makes projects of its own and counts on nothing else in it."""
    with running(tmp_path_factory.mktemp("installation")) as started:
        yield started
