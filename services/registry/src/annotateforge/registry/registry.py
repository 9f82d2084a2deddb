"""What can be done with models. Each change is one transaction, which also notes what is told about it in the
outbox.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from annotateforge.registry import messages, store
from annotateforge.registry.models import (
    Artifact,
    Change,
    Model,
    TaskType,
    Training,
    attempt_stale,
    model_active,
    model_not_found,
    task_type_changed,
)
from annotateforge.runtime import subjects
from annotateforge.runtime.blob_claims import Claims, claiming
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import Aborted
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.outbox import Outbox


class Registry:
    """The models of an installation, in Postgres."""

    def __init__(self, pool: Pool, outbox: Outbox, sweep: BlobSweep) -> None:
        self._pool = pool
        self._outbox = outbox
        self._sweep = sweep

    def claiming(self) -> AbstractAsyncContextManager[Claims]:
        """Claims for the blobs of a registration, to be made before their bytes are put."""
        return claiming(self._pool, self._sweep.wake)

    async def registered(self, training: Training) -> Model | None:
        """The model that this attempt has registered already, or None where it may register one.

        Aborted ATTEMPT_STALE after a later attempt, FailedPrecondition TASK_TYPE_CHANGED.
        """
        async with self._pool.acquire() as connection:
            return await _registered(connection, training)

    async def register(
        self, name: str, training: Training, artifacts: Sequence[Artifact], claims: Claims
    ) -> Model:
        """Commit a model whose artifacts' bytes are in the object store, and give their claims back.

        The model of an earlier attempt keeps its id, its texts and, if it is active, its activation, and gets
        this content: the job has one model, and the later attempt is the one that counts. Where this attempt
        has registered already, that is the answer. Aborted: ATTEMPT_STALE, INGEST_EXPIRED.
        FailedPrecondition: TASK_TYPE_CHANGED.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            # Before the blobs are locked through their foreign keys: the order in which the sweep locks.
            await claims.give_back(connection)
            model_id = await store.upsert_model(connection, new_id(), name, training)
            if model_id is None:
                found = await _registered(connection, training)
                if found is None:
                    raise Aborted(
                        "TRANSACTION_CONFLICT", "The job's model was deleted at the same time. Try again."
                    )
                model = found
            else:
                await store.replace_artifacts(connection, model_id, artifacts)
                model = await _existing(connection, model_id)
                await self._tell(connection, (Change.REGISTERED, model))
        self._outbox.wake()
        self._sweep.wake()
        return model

    async def get(self, model_id: UUID) -> Model:
        """One model. NotFound MODEL_NOT_FOUND."""
        async with self._pool.acquire() as connection:
            return await _existing(connection, model_id)

    async def update(self, model_id: UUID, name: str | None, description: str | None) -> Model:
        """Set the texts that are not None. NotFound MODEL_NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            await _lock(connection, model_id)
            before = await _existing(connection, model_id)
            await store.change_texts(connection, model_id, name, description)
            model = await _existing(connection, model_id)
            if model != before:
                await self._tell(connection, (Change.UPDATED, model))
        self._outbox.wake()
        return model

    async def activate(self, model_id: UUID, activated_by: str) -> Model:
        """Make a model the active one of its task, in place of the one that is. NotFound MODEL_NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            task_type = await _lock(connection, model_id)
            await store.lock_task(connection, task_type)
            active = await store.active_model(connection, task_type)
            if active != model_id:
                changes = []
                if active is not None:
                    await store.end_activation(connection, active)
                    changes.append((Change.DEACTIVATED, await _existing(connection, active)))
                await store.begin_activation(connection, model_id, task_type, activated_by)
                changes.append((Change.ACTIVATED, await _existing(connection, model_id)))
                await self._tell(connection, *changes)
            model = await _existing(connection, model_id)
        self._outbox.wake()
        return model

    async def deactivate(self, model_id: UUID) -> Model:
        """Leave a model's task without an active one, if it is this model. NotFound MODEL_NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            task_type = await _lock(connection, model_id)
            await store.lock_task(connection, task_type)
            before = await _existing(connection, model_id)
            await store.end_activation(connection, model_id)
            model = await _existing(connection, model_id)
            if before.is_active:
                await self._tell(connection, (Change.DEACTIVATED, model))
        self._outbox.wake()
        return model

    async def delete(self, model_id: UUID) -> None:
        """Delete a model with its artifacts. NotFound MODEL_NOT_FOUND, FailedPrecondition MODEL_ACTIVE."""
        async with self._pool.acquire() as connection, connection.transaction():
            await _lock(connection, model_id)
            model = await _existing(connection, model_id)
            if model.is_active:
                raise model_active(model_id)
            await store.delete_model(connection, model_id)
            await self._tell(connection, (Change.DELETED, model))
        self._outbox.wake()
        self._sweep.wake()

    async def _tell(self, connection: Connection, *changes: tuple[Change, Model]) -> None:
        await self._outbox.add_many(
            connection,
            [
                (
                    subjects.model_event(model.id, change),
                    str(new_id()),
                    messages.model_event(change, model).SerializeToString(),
                )
                for change, model in changes
            ],
        )


async def _registered(connection: Connection, training: Training) -> Model | None:
    found = await store.find_model_of_job(connection, training.job_id)
    if found is None:
        return None
    if found.training.attempt > training.attempt:
        raise attempt_stale(training.job_id, training.attempt, found.training.attempt)
    if found.training.task_type is not training.task_type:
        raise task_type_changed(training.job_id, found.training.task_type, training.task_type)
    return found if found.training.attempt == training.attempt else None


async def _lock(connection: Connection, model_id: UUID) -> TaskType:
    """Keep others from changing the model until the transaction ends; answers its task."""
    task_type = await store.lock_model(connection, model_id)
    if task_type is None:
        raise model_not_found(model_id)
    return task_type


async def _existing(connection: Connection, model_id: UUID) -> Model:
    model = await store.find_model(connection, model_id)
    if model is None:
        raise model_not_found(model_id)
    return model
