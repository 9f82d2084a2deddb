"""Every process of a local installation gets what it reads, and nothing of its neighbours'."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from annotateforge.dataset.settings import Settings as DatasetSettings
from annotateforge.gateway.settings import Settings as GatewaySettings
from annotateforge.inference.settings import Settings as InferenceSettings
from annotateforge.local.engine import EngineError
from annotateforge.local.installation import Installation
from annotateforge.local.settings import check, of_process
from annotateforge.local.stack import worker_settings
from annotateforge.registry.app import Settings as RegistrySettings
from annotateforge.runtime.settings import ProcessSettings
from annotateforge.trainer.app import Settings as TrainerSettings
from annotateforge.trainer.worker.settings import Settings as WorkerSettings

SHARED = {
    "SECRET": "s" * 32,
    "DATABASE_URL": "postgresql://annotateforge@/annotateforge?host=/x",
    "NATS_URL": "nats://127.0.0.1:4222",
    "STORE_URL": "file:///blobs",
    "WORKER_TOKEN": "a.b.c",
    "DATASET_ADDRESS": "127.0.0.1:1",
    "TRAINER_ADDRESS": "127.0.0.1:2",
    "REGISTRY_ADDRESS": "127.0.0.1:3",
    "INFERENCE_ADDRESS": "127.0.0.1:4",
}
SETTINGS: Mapping[str, type[ProcessSettings]] = {
    "dataset": DatasetSettings,
    "trainer": TrainerSettings,
    "registry": RegistrySettings,
    "inference": InferenceSettings,
    "gateway": GatewaySettings,
    "worker": WorkerSettings,
}


def names(environment: Mapping[str, str]) -> set[str]:
    return {
        name.removeprefix("ANNOTATEFORGE_").lower()
        for name in environment
        if name.startswith("ANNOTATEFORGE_")
    }


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_process_reads_all_that_it_gets_and_gets_all_that_it_needs(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = of_process(kind, {}, SHARED, {})
    assert names(environment) <= set(SETTINGS[kind].model_fields)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    SETTINGS[kind].read()


def test_a_worker_gets_no_key_and_no_way_around_the_services(tmp_path: Path) -> None:
    inherited = {f"ANNOTATEFORGE_{name}": value for name, value in SHARED.items()}
    environment = worker_settings("worker-gpu", ["0", "1"], Installation(tmp_path), inherited, SHARED)
    assert not names(environment) & {"secret", "database_url", "nats_url", "store_url"}
    assert "s" * 32 not in environment.values()
    assert environment["ANNOTATEFORGE_WORKER_DEVICES"] == "0,1"
    assert environment["ANNOTATEFORGE_WORKER_TOKEN"] == "a.b.c"
    assert environment["ANNOTATEFORGE_WEIGHTS_DIR"] == str(tmp_path / "weights")


def test_what_people_set_goes_to_every_process_and_counts_more_than_our_own_choice() -> None:
    environment = {
        "ANNOTATEFORGE_LOG_LEVEL": "debug",
        "ANNOTATEFORGE_INFERENCE_CACHE": "/big",
        "PATH": "/bin",
    }
    got = of_process("inference", environment, SHARED, {"INFERENCE_CACHE": "/small"})
    assert got["ANNOTATEFORGE_LOG_LEVEL"] == "debug"
    assert got["ANNOTATEFORGE_INFERENCE_CACHE"] == "/big"
    assert got["PATH"] == "/bin"
    assert got["ANNOTATEFORGE_LOG_FORMAT"] == "console"


@pytest.mark.parametrize("name", ["LISTEN", "METRICS_LISTEN", "TRAINER_ADDRESS", "WORKER_TOKEN_FILE"])
def test_a_setting_that_could_not_be_followed_is_refused(name: str) -> None:
    with pytest.raises(EngineError, match=f"ANNOTATEFORGE_{name}: `up` chooses this itself"):
        check({f"ANNOTATEFORGE_{name}": "127.0.0.1:1"})


def test_an_empty_setting_is_none() -> None:
    check({"ANNOTATEFORGE_LISTEN": ""})
    got = of_process(
        "inference", {"ANNOTATEFORGE_INFERENCE_CACHE": ""}, SHARED, {"INFERENCE_CACHE": "/small"}
    )
    assert got["ANNOTATEFORGE_INFERENCE_CACHE"] == "/small"


def test_grpc_does_not_fill_the_logs_with_notes_about_forks_unless_somebody_wants_it() -> None:
    variable = "GRPC_ENABLE_FORK_SUPPORT"
    assert of_process("worker", {}, SHARED, {})[variable] == "false"
    assert of_process("worker", {variable: "true"}, SHARED, {})[variable] == "true"
