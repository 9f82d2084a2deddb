"""The worker's wiring: production, tests and `annotateforge up` all enter `running`."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.ids import new_id
from annotateforge.trainer.worker.acquiring import work_for_ever
from annotateforge.trainer.worker.attempt import Equipment
from annotateforge.trainer.worker.datasets import DatasetCache
from annotateforge.trainer.worker.devices import Devices
from annotateforge.trainer.worker.folders import occupied
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.leftovers import Leftovers
from annotateforge.trainer.worker.machine import look_at_machine
from annotateforge.trainer.worker.settings import Settings
from annotateforge.trainer.worker.stalls import Patience
from annotateforge.trainer.worker.tokens import token_source
from annotateforge.trainer.worker.warm_child import WarmChild


@dataclass(frozen=True, slots=True)
class App:
    """The worker as it runs."""

    worker_id: str
    """Identifier that it has chosen for this run."""
    address: str = ""
    """It serves nothing."""


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Take jobs for the time of the context; at its end the job at hand goes back to the queue.

    FolderTaken when another worker uses the folder, UnknownDevice when the settings name a device that is not
    there. The services may be away.
    """
    token = token_source(settings)
    machine = await look_at_machine(settings.worker_devices, settings.worker_cores, os.environ)
    devices = Devices(machine, os.environ.get("CUDA_VISIBLE_DEVICES"), settings.gpu_tolerance_percent)
    with occupied(settings) as folders:
        warm_child = WarmChild(folders.children, folders.cache, in_advance=settings.warm_child)
        async with (
            contextlib.AsyncExitStack() as at_the_end,
            open_channel(settings.trainer_address, token) as trainer,
            open_channel(settings.dataset_address, token) as dataset,
            open_channel(settings.registry_address, token) as registry,
            asyncio.TaskGroup() as tasks,
        ):
            at_the_end.push_async_callback(warm_child.discard)
            equipment = Equipment(
                worker_id=str(new_id()),
                trainer=WorkerServiceStub(trainer),
                dataset=DatasetServiceStub(dataset),
                registry=RegistryServiceStub(registry),
                datasets=DatasetCache(folders.datasets, settings.dataset_cache_bytes),
                folders=folders,
                machine=machine,
                devices=devices,
                warm_child=warm_child,
                allow_downloads=settings.allow_downloads,
                patience=Patience(
                    settings.stall_seconds, settings.stall_batches, settings.stall_start_seconds
                ),
                kept_state=KeptState(folders.states),
                leftovers=Leftovers(),
                checkpoint_seconds=settings.checkpoint_seconds,
                grace=settings.worker_grace_seconds,
            )
            works = (work_for_ever(equipment, settings.worker_name), devices.look_for_ever())
            working = [tasks.create_task(work) for work in works]
            yield App(equipment.worker_id)
            for task in working:
                task.cancel()
