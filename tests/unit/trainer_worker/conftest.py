from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def library_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What libraries keep from one child to the next, as a worker keeps it."""
    return tmp_path_factory.mktemp("library-cache")
