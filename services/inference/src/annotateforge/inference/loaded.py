"""Models in memory: loaded once however many ask at the same time, the least used ones dropped."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import replace

import structlog

from annotateforge.inference.catalog import KnownModel
from annotateforge.inference.engine import Engine, LoadedModel
from annotateforge.inference.weights import WeightsCache
from annotateforge.runtime.errors import FailedPrecondition

UNLOADABLE_SECONDS = 60.0
"""Seconds for which weights that could not be loaded are not tried again."""

log = structlog.get_logger()


class LoadedModels:
    """The models that are in memory."""

    def __init__(self, engine: Engine, weights: WeightsCache, most: int) -> None:
        """Keeps at most `most` models; one that is dropped while it predicts lives until it has."""
        self._engine = engine
        self._weights = weights
        self._most = most
        self._loaded: OrderedDict[KnownModel, LoadedModel] = OrderedDict()
        self._loading: dict[KnownModel, asyncio.Task[LoadedModel]] = {}
        self._unloadable: dict[KnownModel, tuple[FailedPrecondition, float]] = {}

    async def get(self, model: KnownModel) -> LoadedModel:
        """The model in memory. Waits while it is loaded; being cancelled does not keep others from having it.

        Fails as WeightsCache.path_of and Engine.load do.
        """
        # A model that was renamed is still the one that is loaded.
        key = replace(model, name="")
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key]
        error, until = self._unloadable.get(key, (None, 0.0))
        if error is not None and time.monotonic() < until:
            raise error
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._load(key, model), name="load")
            # Also where nobody waits any more when it fails.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _load(self, key: KnownModel, model: KnownModel) -> LoadedModel:
        started = time.monotonic()
        try:
            loaded = await self._engine.load(model, await self._weights.path_of(model))
        except FailedPrecondition as error:
            log.warning("a model cannot be loaded", model_id=str(model.id), error=error.message)
            self._unloadable[key] = (error, time.monotonic() + UNLOADABLE_SECONDS)
            raise
        finally:
            del self._loading[key]
        self._unloadable.pop(key, None)
        self._loaded[key] = loaded
        while len(self._loaded) > self._most:
            self._loaded.popitem(last=False)
        log.info("model loaded", model_id=str(model.id), seconds=round(time.monotonic() - started, 2))
        return loaded

    async def aclose(self) -> None:
        """Give up what is being loaded."""
        tasks = list(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
