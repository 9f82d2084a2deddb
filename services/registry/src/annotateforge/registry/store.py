"""The registry's SQL: models, artifacts, activations."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from annotateforge.registry.models import Activation, Artifact, Model, TaskType, Training
from annotateforge.runtime.database import Connection

SELECT_MODELS = """
SELECT
    models.*,
    weights.size_bytes AS weights_size_bytes,
    weights.sha256 AS weights_sha256,
    activations.activate_time
FROM models
JOIN artifacts AS weights ON weights.model_id = models.id AND weights.name = 'best.pt'
LEFT JOIN activations ON activations.active_model_id = models.id
"""
MODEL = f"{SELECT_MODELS} WHERE models.id = $1"
MODEL_OF_JOB = f"{SELECT_MODELS} WHERE models.job_id = $1"
MODELS = f"""
{SELECT_MODELS}
WHERE ($1::task_type IS NULL OR models.task_type = $1)
    AND ($2::boolean IS NULL OR (activations.id IS NOT NULL) = $2)
    AND ($3::uuid IS NULL OR models.job_id = $3)
    AND ($4::text IS NULL OR strpos(lower(models.name), lower($4)) > 0)
    AND ($5::uuid IS NULL OR models.id < $5)
ORDER BY models.id DESC
LIMIT $6
"""
# Waits for whoever registers the same job at this moment; answers no row when a model of this attempt, of a
# later one, or for another task is there. Name and description of a model that is replaced are people's by
# now.
UPSERT_MODEL = """
INSERT INTO models (
    id, job_id, attempt, name, task_type, architecture, classes, image_size, metrics, dataset_id,
    dataset_digest, config, best_epoch, epochs_trained
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (job_id) DO UPDATE SET
    attempt = excluded.attempt,
    architecture = excluded.architecture,
    classes = excluded.classes,
    image_size = excluded.image_size,
    metrics = excluded.metrics,
    dataset_id = excluded.dataset_id,
    dataset_digest = excluded.dataset_digest,
    config = excluded.config,
    best_epoch = excluded.best_epoch,
    epochs_trained = excluded.epochs_trained
WHERE models.attempt < excluded.attempt AND models.task_type = excluded.task_type
RETURNING id
"""
CHANGE_TEXTS = """
UPDATE models SET name = coalesce($2, name), description = coalesce($3, description) WHERE id = $1
"""
LOCK_MODEL = "SELECT task_type FROM models WHERE id = $1 FOR UPDATE"
DELETE_MODEL = "DELETE FROM models WHERE id = $1"

ARTIFACTS = "SELECT name, content_type, size_bytes, sha256 FROM artifacts WHERE model_id = $1 ORDER BY name"
DELETE_ARTIFACTS = "DELETE FROM artifacts WHERE model_id = $1"
INSERT_ARTIFACTS = """
INSERT INTO artifacts (model_id, name, content_type, size_bytes, sha256)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bytea[])
"""

# Activations of one task wait for one another here, before they look at which model is active. The unique
# index alone would keep the rule, but have the loser fail.
LOCK_TASK = """
SELECT pg_advisory_xact_lock(hashtextextended('annotateforge.activation.' || current_schema() || $1, 0))
"""
ACTIVE_MODEL = "SELECT model_id FROM activations WHERE task_type = $1 AND deactivate_time IS NULL"
# The clock and not the transaction's start: what waited for the lock begins after what it waited for.
END_ACTIVATION = """
UPDATE activations SET deactivate_time = greatest(activate_time, clock_timestamp()) WHERE active_model_id = $1
"""
BEGIN_ACTIVATION = """
INSERT INTO activations (model_id, task_type, activate_time, activated_by)
SELECT $1, $2, greatest(clock_timestamp(), max(deactivate_time)), $3 FROM activations WHERE task_type = $2
"""
ACTIVATIONS = """
SELECT id, model_id, task_type, activate_time, deactivate_time, activated_by
FROM activations
WHERE ($1::task_type IS NULL OR task_type = $1) AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3
"""


async def find_model(connection: Connection, model_id: UUID) -> Model | None:
    """The model, or None."""
    row = await connection.fetchrow(MODEL, model_id)
    return None if row is None else _model(row)


async def find_model_of_job(connection: Connection, job_id: UUID) -> Model | None:
    """The model that a job's newest registration left, or None."""
    row = await connection.fetchrow(MODEL_OF_JOB, job_id)
    return None if row is None else _model(row)


async def list_models(
    connection: Connection,
    *,
    task_type: TaskType | None,
    is_active: bool | None,
    job_id: UUID | None,
    name_contains: str | None,
    before: UUID | None,
    limit: int,
) -> list[Model]:
    """Models that pass every filter that is given, the newest first, with ids below `before`."""
    rows = await connection.fetch(MODELS, task_type, is_active, job_id, name_contains, before, limit)
    return [_model(row) for row in rows]


async def upsert_model(connection: Connection, model_id: UUID, name: str, training: Training) -> UUID | None:
    """Insert a model or replace the content of an earlier attempt's; answers its id, None when it may do
    neither.

    Its artifacts are not touched; a model without best.pt is not found.
    """
    found: UUID | None = await connection.fetchval(
        UPSERT_MODEL,
        model_id,
        training.job_id,
        training.attempt,
        name,
        training.task_type,
        training.architecture,
        training.classes,
        training.image_size,
        training.metrics,
        training.dataset_id,
        training.dataset_digest,
        training.config,
        training.best_epoch,
        training.epochs_trained,
    )
    return found


async def replace_artifacts(connection: Connection, model_id: UUID, artifacts: Sequence[Artifact]) -> None:
    """Let a model have these artifacts and no others."""
    await connection.execute(DELETE_ARTIFACTS, model_id)
    await connection.execute(
        INSERT_ARTIFACTS,
        model_id,
        [artifact.name for artifact in artifacts],
        [artifact.content_type for artifact in artifacts],
        [artifact.size_bytes for artifact in artifacts],
        [bytes.fromhex(artifact.sha256) for artifact in artifacts],
    )


async def change_texts(
    connection: Connection, model_id: UUID, name: str | None, description: str | None
) -> None:
    """Set what is not None."""
    await connection.execute(CHANGE_TEXTS, model_id, name, description)


async def lock_model(connection: Connection, model_id: UUID) -> TaskType | None:
    """Keep others from changing a model until the transaction ends; answers its task, None when there is no
    such model.
    """
    task_type = await connection.fetchval(LOCK_MODEL, model_id)
    return None if task_type is None else TaskType(task_type)


async def delete_model(connection: Connection, model_id: UUID) -> None:
    """Delete a model with its artifacts. Their blobs are noted as loose."""
    await connection.execute(DELETE_MODEL, model_id)


async def list_artifacts(connection: Connection, model_id: UUID) -> list[Artifact]:
    """All artifacts of a model by name; none when there is no such model."""
    rows = await connection.fetch(ARTIFACTS, model_id)
    return [
        Artifact(row["name"], row["content_type"], row["size_bytes"], row["sha256"].hex()) for row in rows
    ]


async def lock_task(connection: Connection, task_type: TaskType) -> None:
    """Keep others from activating models of a task until the transaction ends. A model's lock is taken
    before.
    """
    await connection.execute(LOCK_TASK, task_type)


async def active_model(connection: Connection, task_type: TaskType) -> UUID | None:
    """The active model of a task."""
    found: UUID | None = await connection.fetchval(ACTIVE_MODEL, task_type)
    return found


async def end_activation(connection: Connection, model_id: UUID) -> None:
    """The model ceases to be active, if it is."""
    await connection.execute(END_ACTIVATION, model_id)


async def begin_activation(
    connection: Connection, model_id: UUID, task_type: TaskType, activated_by: str
) -> None:
    """The model becomes the active one of its task, which has none."""
    await connection.execute(BEGIN_ACTIVATION, model_id, task_type, activated_by)


async def list_activations(
    connection: Connection, *, task_type: TaskType | None, before: int | None, limit: int
) -> list[Activation]:
    """Activations, the newest first, with ids below `before`."""
    rows = await connection.fetch(ACTIVATIONS, task_type, before, limit)
    return [
        Activation(
            id=row["id"],
            model_id=row["model_id"],
            task_type=TaskType(row["task_type"]),
            activate_time=row["activate_time"],
            deactivate_time=row["deactivate_time"],
            activated_by=row["activated_by"],
        )
        for row in rows
    ]


def _model(row: asyncpg.Record) -> Model:
    activate_time: datetime | None = row["activate_time"]
    return Model(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        training=Training(
            job_id=row["job_id"],
            attempt=row["attempt"],
            task_type=TaskType(row["task_type"]),
            architecture=row["architecture"],
            classes=tuple(row["classes"]),
            image_size=row["image_size"],
            metrics={name: float(value) for name, value in row["metrics"].items()},
            dataset_id=row["dataset_id"],
            dataset_digest=row["dataset_digest"],
            config=row["config"],
            best_epoch=row["best_epoch"],
            epochs_trained=row["epochs_trained"],
        ),
        weights_size_bytes=row["weights_size_bytes"],
        weights_sha256=row["weights_sha256"].hex(),
        create_time=row["create_time"],
        activate_time=activate_time,
    )
