import pytest
from pydantic import SecretStr, ValidationError

from annotateforge.runtime.settings import (
    Address,
    BusSettings,
    DatabaseSettings,
    ProcessSettings,
    ServiceSettings,
    StoreSettings,
)


class ExampleSettings(DatabaseSettings, BusSettings, StoreSettings, ServiceSettings):
    other_address: Address
    lease_seconds: float = 15


VARIABLES = {
    "ANNOTATEFORGE_DATABASE_URL": "postgresql://postgres@/db?host=/run/pg",
    "ANNOTATEFORGE_NATS_URL": "nats://127.0.0.1:4222",
    "ANNOTATEFORGE_STORE_URL": "file:///var/blobs",
    "ANNOTATEFORGE_SECRET": "x" * 32,
    "ANNOTATEFORGE_OTHER_ADDRESS": "127.0.0.1:9000",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_settings_of_several_parts_are_read_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ANNOTATEFORGE_LEASE_SECONDS", "2.5")
    environment.setenv("ANNOTATEFORGE_READY_FD", "5")
    settings = ExampleSettings.read()
    assert settings.database_url == VARIABLES["ANNOTATEFORGE_DATABASE_URL"]
    assert (settings.lease_seconds, settings.ready_fd, settings.listen) == (2.5, 5, "127.0.0.1:0")
    assert settings.secret.get_secret_value() == "x" * 32


def test_the_secret_does_not_show_in_the_representation(environment: pytest.MonkeyPatch) -> None:
    assert "xxx" not in repr(ExampleSettings.read())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET", "x" * 31),
        ("DATABASE_URL", "mysql://x"),
        ("NATS_URL", "http://x"),
        ("STORE_URL", "file://relative"),
        ("STORE_URL", "ftp://x/y"),
        ("OTHER_ADDRESS", "localhost"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_POOL_SIZE", "0"),
        ("READY_FD", "five"),
    ],
)
def test_a_wrong_setting_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(f"ANNOTATEFORGE_{name}", value)
    with pytest.raises(ValidationError) as caught:
        ExampleSettings.read()
    assert caught.value.errors()[0]["loc"] == (name.lower(),)


def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("ANNOTATEFORGE_DATABASE_URL")
    with pytest.raises(ValidationError, match="database_url"):
        ExampleSettings.read()


def test_what_a_process_does_not_use_it_does_not_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert ProcessSettings.read().ready_fd is None


def test_tests_may_build_settings_by_hand() -> None:
    assert ServiceSettings(secret=SecretStr("y" * 40)).listen == "127.0.0.1:0"
