"""Which settings each process of a local installation gets: what it needs, and nothing of its neighbours'."""

from collections.abc import Mapping

from annotateforge.local.engine import EngineError

_PREFIX = "ANNOTATEFORGE_"

_NEEDS = {
    "dataset": {"SECRET", "DATABASE_URL", "STORE_URL"},
    "registry": {"SECRET", "DATABASE_URL", "NATS_URL", "STORE_URL"},
    "trainer": {"SECRET", "DATABASE_URL", "NATS_URL", "STORE_URL", "DATASET_ADDRESS", "REGISTRY_ADDRESS"},
    "inference": {"SECRET", "NATS_URL", "REGISTRY_ADDRESS"},
    "gateway": {
        "SECRET",
        "NATS_URL",
        "DATASET_ADDRESS",
        "TRAINER_ADDRESS",
        "REGISTRY_ADDRESS",
        "INFERENCE_ADDRESS",
    },
    # A worker has no access to the database, the bus or the blobs, nor can it sign tokens.
    "worker": {"WORKER_TOKEN", "DATASET_ADDRESS", "TRAINER_ADDRESS", "REGISTRY_ADDRESS"},
}
_SHARED = frozenset().union(*_NEEDS.values())

# No process forks without starting another program, and gRPC would note each time that it prepares for that.
_QUIET = {"GRPC_ENABLE_FORK_SUPPORT": "false"}

# What would be overruled, or could only be right for one of the processes.
_OURS = {
    "LISTEN",
    "METRICS_LISTEN",
    "DATASET_ADDRESS",
    "TRAINER_ADDRESS",
    "REGISTRY_ADDRESS",
    "INFERENCE_ADDRESS",
    "WORKER_NAME",
    "WORKER_DIR",
    "WORKER_TOKEN",
    "WORKER_TOKEN_FILE",
}


def check(environment: Mapping[str, str]) -> None:
    """EngineError when the environment sets what `up` has to set itself."""
    taken = sorted(_PREFIX + name for name in _OURS if environment.get(_PREFIX + name))
    if taken:
        raise EngineError(
            f"{', '.join(taken)}: `up` chooses this itself for each of its processes. Take it out of the "
            "environment, or run the processes one by one."
        )


def of_process(
    kind: str, environment: Mapping[str, str], shared: Mapping[str, str], own: Mapping[str, str]
) -> dict[str, str]:
    """All environment variables of a process.

    kind: a service's name, "gateway" or "worker". environment: ours, of which it gets what concerns no
    particular process. shared: the settings that several processes need, by name without prefix. own: its own
    settings; what the environment says about them counts more.
    """
    inherited = {
        name: value for name, value in environment.items() if name.removeprefix(_PREFIX) not in _SHARED
    }
    needed = {_PREFIX + name: shared[name] for name in _NEEDS[kind]}
    defaults = {_PREFIX + name: value for name, value in own.items() if not environment.get(_PREFIX + name)}
    return {f"{_PREFIX}LOG_FORMAT": "console", **_QUIET, **inherited, **defaults, **needed}
