"""What the shell offers after the tabulator key: choices that are known, and names that the server tells.

A completion never fails and never waits long: without a server there is nothing to offer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, image_pb2
from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.client import Client
from annotateforge.client.command.session import find_server
from annotateforge.client.command.texts import status_name, task_name
from annotateforge.client.errors import ClientError
from annotateforge.client.profile import DEFAULT_DATA_DIR
from annotateforge.client.references import short_id
from annotateforge.runtime.rest.names import choices

_SECONDS = 2.0
_MOST = 100

Offer = list[tuple[str, str]]
"""Texts to complete to, each with an explanation."""


def tasks(incomplete: str) -> Offer:
    """Tasks."""
    return _beginning(incomplete, ((name, "") for name in choices(dataset_pb2.TaskType.DESCRIPTOR)))


def statuses(incomplete: str) -> Offer:
    """Statuses of jobs."""
    return _beginning(incomplete, ((name, "") for name in choices(job_pb2.JobStatus.DESCRIPTOR)))


def shapes(incomplete: str) -> Offer:
    """Types of annotations."""
    names = choices(annotation_pb2.AnnotationType.DESCRIPTOR)
    return _beginning(incomplete, ((name, "") for name in names))


def problems(incomplete: str) -> Offer:
    """Problems of images."""
    return _beginning(incomplete, ((name, "") for name in choices(image_pb2.ImageProblem.DESCRIPTOR)))


def projects(ctx: Any, incomplete: str) -> Offer:
    """Names of projects."""
    return _told(ctx, incomplete, lambda client: ((one.name, "") for one in client.projects()))


def datasets(ctx: Any, incomplete: str) -> Offer:
    """Ids of data sets."""
    return _told(
        ctx,
        incomplete,
        lambda client: (
            (short_id(one.id), f"{task_name(one.task_type)}, {one.total_images} images")
            for one in client.datasets()
        ),
    )


def jobs(ctx: Any, incomplete: str) -> Offer:
    """Ids of jobs, the newest first."""
    return _told(
        ctx,
        incomplete,
        lambda client: (
            (short_id(one.id), f"{one.name}, {status_name(one.status)}") for one in client.jobs()
        ),
    )


def sweeps(ctx: Any, incomplete: str) -> Offer:
    """Ids of sweeps, the newest first."""
    return _told(
        ctx,
        incomplete,
        lambda client: (
            (short_id(one.id), f"{one.name}, {len(one.job_ids)} jobs") for one in client.sweeps()
        ),
    )


def models(ctx: Any, incomplete: str) -> Offer:
    """Ids of models, the newest first."""
    return _told(
        ctx,
        incomplete,
        lambda client: ((short_id(one.id), f"{one.name}, {one.architecture}") for one in client.models()),
    )


def architectures(ctx: Any, incomplete: str) -> Offer:
    """Names of architectures."""
    return _told(ctx, incomplete, lambda client: ((one.name, one.notes) for one in client.architectures()))


def _told(ctx: Any, incomplete: str, ask: Callable[[Client], Iterator[tuple[str, str]]]) -> Offer:
    with suppress(ClientError), _client(ctx.params) as client:
        return _beginning(incomplete, islice(ask(client), _MOST))
    return []


def _beginning(incomplete: str, offered: Iterator[tuple[str, str]]) -> Offer:
    return [(text, told) for text, told in offered if text.startswith(incomplete)]


@contextmanager
def _client(parameters: dict[str, Any]) -> Iterator[Client]:
    """A client as the options so far, and the environment, name it."""
    data_dir = Path(parameters.get("data_dir") or DEFAULT_DATA_DIR)
    url, token = find_server(parameters.get("server") or None, parameters.get("token") or None, data_dir)
    with Client(url, token, timeout=_SECONDS) as client:
        yield client
