"""From a query to findings: which model, its weights in memory, the image decoded, the prediction."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from annotateforge.inference.active import ActiveModels
from annotateforge.inference.catalog import Catalog, KnownModel
from annotateforge.inference.engine import Engine, LoadedModel
from annotateforge.inference.findings import Findings
from annotateforge.inference.images import decode
from annotateforge.inference.loaded import LoadedModels
from annotateforge.inference.options import Query, check_for_task
from annotateforge.runtime.errors import Aborted, InvalidArgument, ResourceExhausted

DECODED_IMAGES = 4
"""Most images that are decoded at once: enough to keep the engine busy, few enough to know what memory they
take.
"""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model sees in an image of this size."""

    model: KnownModel
    width: int
    """Pixels of the upright image."""
    height: int
    findings: Findings


class Predictor:
    """Predicts, with a bounded number of images on the way. Close it with `close`."""

    def __init__(
        self,
        catalog: Catalog,
        active: ActiveModels,
        loaded: LoadedModels,
        engine: Engine,
        *,
        queue: int,
        most_pixels: int,
    ) -> None:
        self._catalog = catalog
        self._active = active
        self._loaded = loaded
        self._engine = engine
        self._most_pixels = most_pixels
        self._admitted = asyncio.Semaphore(queue)
        self._decoded = asyncio.Semaphore(DECODED_IMAGES)
        self._decoding = ThreadPoolExecutor(2, "decode")

    def close(self) -> None:
        """Let what runs end; what waits is dropped."""
        self._decoding.shutdown(wait=False, cancel_futures=True)

    async def predict(self, query: Query, *, patient: bool = False) -> Prediction:
        """Predict one image. `patient` waits where too many are on the way, instead of being refused.

        ResourceExhausted: TOO_MANY_PREDICTIONS, OUT_OF_MEMORY. FailedPrecondition: NO_ACTIVE_MODEL,
        MODEL_UNLOADABLE. NotFound MODEL_NOT_FOUND. InvalidArgument: TASK_TYPE_MISMATCH, INVALID_OPTIONS and
        those of `decode`. Unavailable REGISTRY_UNAVAILABLE.
        """
        async with self._admission(patient):
            loaded = await self._model_for(query)
            async with self._decoded:
                image = await asyncio.get_running_loop().run_in_executor(
                    self._decoding, decode, query.image, self._most_pixels
                )
                findings = await self._engine.predict(loaded, image, query.options)
            height, width = image.shape[:2]
            return Prediction(loaded.model, width, height, findings)

    @contextlib.asynccontextmanager
    async def _admission(self, patient: bool) -> AsyncIterator[None]:
        if not patient and self._admitted.locked():
            raise ResourceExhausted(
                "TOO_MANY_PREDICTIONS", "Too many images are waiting for a prediction. Try again in a moment."
            )
        async with self._admitted:
            yield

    async def _model_for(self, query: Query) -> LoadedModel:
        try:
            return await self._loaded.get(await self._choose(query))
        except Aborted:
            # A later attempt of its job has replaced the model's content since it was asked for.
            if query.model_id is not None:
                self._catalog.forget(query.model_id)
            return await self._loaded.get(await self._choose(query))

    async def _choose(self, query: Query) -> KnownModel:
        if query.model_id is not None:
            model = await self._catalog.get(query.model_id)
            if query.task is not None and query.task is not model.task:
                raise InvalidArgument.of_field(
                    "TASK_TYPE_MISMATCH",
                    "task_type",
                    f"is {query.task}, but the model is for {model.task}; leave one of both out",
                )
        else:
            assert query.task is not None
            model = await self._active.model_for(query.task)
        check_for_task(query.options, model.task)
        return model
