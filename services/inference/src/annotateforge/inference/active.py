"""The active model of every task: followed through the registry's events, swapped when the new one is loaded.

An event says only that something has changed; what is active is read from the registry, which decides. So
events that are lost, late, repeated or out of order do no harm.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import UUID

import structlog
from google.protobuf.message import DecodeError

from annotateforge.api.registry.v1 import model_pb2
from annotateforge.inference.catalog import Catalog, KnownModel
from annotateforge.inference.loaded import LoadedModels
from annotateforge.inference.options import Task
from annotateforge.runtime.bus import Message
from annotateforge.runtime.errors import DomainError, FailedPrecondition
from annotateforge.runtime.feed import Gap

REREAD_SECONDS = 30.0
"""Seconds after which the registry is asked without an event."""
RETRY_SECONDS = 1.0
"""Seconds after which what could not be read or loaded is tried again; doubled up to a minute."""
_LONGEST_RETRY = 60.0

log = structlog.get_logger()


class ActiveModels:
    """Knows the model that predicts for a task."""

    def __init__(self, catalog: Catalog, loaded: LoadedModels) -> None:
        self._catalog = catalog
        self._loaded = loaded
        self._active: dict[Task, KnownModel] = {}
        """What the registry said last."""
        self._serving: dict[Task, KnownModel] = {}
        """What predicts: the active model, or the one before while the active one is being loaded."""
        self._switches: dict[Task, tuple[KnownModel, asyncio.Task[None]]] = {}
        self._reading = asyncio.Lock()
        self._read_begun = 0.0
        self._changed = asyncio.Event()

    async def model_for(self, task: Task) -> KnownModel:
        """The model that predicts for a task. FailedPrecondition NO_ACTIVE_MODEL, Unavailable
        REGISTRY_UNAVAILABLE.
        """
        if task in self._serving:
            return self._serving[task]
        # Its activation may be younger than the last event that came.
        await self._read()
        if task not in self._active:
            raise FailedPrecondition(
                "NO_ACTIVE_MODEL",
                f"No model is active for {task}. Activate one, or name a model.",
                metadata={"task_type": task},
            )
        return self._active[task]

    @contextlib.asynccontextmanager
    async def following(self, events: AsyncIterator[Message | Gap]) -> AsyncIterator[None]:
        """Follow the registry's events for the time of the context; returns before anything has been read."""
        tasks = [
            asyncio.create_task(self._listen(events), name="model events"),
            asyncio.create_task(self._reread(), name="active models"),
        ]
        try:
            yield
        finally:
            tasks += [switch for _, switch in self._switches.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, events: AsyncIterator[Message | Gap]) -> None:
        async for event in events:
            self._catalog.forget(None if isinstance(event, Gap) else _model_id(event))
            self._changed.set()

    async def _reread(self) -> None:
        pause = RETRY_SECONDS
        while True:
            self._changed.clear()
            try:
                await self._read()
                pause = RETRY_SECONDS
                wait = REREAD_SECONDS
            except DomainError as error:
                log.warning("active models are not known", error=error.message)
                wait, pause = pause, min(2 * pause, _LONGEST_RETRY)
            except Exception:
                log.exception("active models are not known")
                wait, pause = pause, min(2 * pause, _LONGEST_RETRY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def _read(self) -> None:
        """Ask the registry what is active, and begin to switch to it."""
        called = time.monotonic()
        # One at a time: an older answer must not overwrite a newer one.
        async with self._reading:
            if self._read_begun > called:
                return
            begun = time.monotonic()
            self._active = await self._catalog.active()
            self._read_begun = begun
            for task in Task:
                self._adopt(task, self._active.get(task))

    def _adopt(self, task: Task, model: KnownModel | None) -> None:
        wanted, switch = self._switches.get(task, (None, None))
        if switch is not None and wanted != model:
            switch.cancel()
            del self._switches[task]
        if model is None:
            if self._serving.pop(task, None) is not None:
                log.info("no model is active", task=task)
        elif self._serving.get(task) != model and task not in self._switches:
            self._switches[task] = (model, asyncio.create_task(self._switch(task, model), name="switch"))

    async def _switch(self, task: Task, model: KnownModel) -> None:
        """Load a model, then let it serve; goes on trying while the registry or the memory is short."""
        pause = RETRY_SECONDS
        while True:
            try:
                await self._loaded.get(model)
                self._serving[task] = model
                log.info("model serves", task=task, model_id=str(model.id), name=model.name)
                break
            except FailedPrecondition:
                # Predicting with the one before would pass it off as the active one.
                self._serving.pop(task, None)
                break
            except DomainError as error:
                log.warning("the active model is not loaded yet", model_id=str(model.id), error=error.message)
            except Exception:
                log.exception("the active model is not loaded yet", model_id=str(model.id))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY)
        del self._switches[task]


def _model_id(event: Message) -> UUID | None:
    """The model that an event is about; None, which means any, when it cannot be read."""
    try:
        return UUID(model_pb2.ModelEvent.FromString(event.data).model.id)
    except (DecodeError, ValueError):
        return None
