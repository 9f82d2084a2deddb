"""Frozen data sets: what is kept of one, when two are the same, and the errors around them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from uuid import UUID

import orjson

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.dataset.fingerprints import VERSION as FINGERPRINTS
from annotateforge.dataset.health import Finding, HealthReport
from annotateforge.dataset.health_message import shortened_message
from annotateforge.dataset.spec import DatasetSpec
from annotateforge.runtime.errors import REPORT_BYTES, FailedPrecondition, FieldViolation, NotFound

_PROGRAM = version("annotateforge")
"""Looked up once: it is read from a file."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A frozen spec."""

    id: UUID
    digest: bytes
    """SHA-256 of the manifest."""
    spec: dataset_pb2.DatasetSpec
    """With its defaults filled in."""
    report: problem_pb2.HealthReport
    """Of the time of freezing."""
    archive_size_bytes: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A spec that has been frozen and is about to be kept."""

    id: UUID
    identity: bytes
    """See `identity`."""
    digest: bytes
    """SHA-256 of the manifest."""
    spec: DatasetSpec
    report: HealthReport
    archive_size_bytes: int


def identity(digest: bytes, spec: DatasetSpec, report: HealthReport) -> bytes:
    """SHA-256 that is the same for two freezings exactly when the second one may answer the data set of the
    first.

    The manifest and the spec do not suffice: images without labels that came since are in neither, and what
    a data set says was left out would be wrong.
    """
    counted = {
        "skipped": [[each.kind, each.reason, each.count] for each in report.skipped],
        "findings": [[each.reason, each.count, each.class_label] for each in report.findings],
    }
    return hashlib.sha256(digest + spec.fingerprint + orjson.dumps(counted)).digest()


def freezing_key(spec: DatasetSpec, revisions: Mapping[UUID, int]) -> bytes:
    """SHA-256 that is the same for two freezings of which the second one cannot give anything else: they ask
    for the same, of projects that have not changed since, and are done by the same version of the program.
    """
    read = {str(project_id): revision for project_id, revision in revisions.items()}
    known = [_PROGRAM, FINGERPRINTS, read]
    return hashlib.sha256(spec.fingerprint + orjson.dumps(known, option=orjson.OPT_SORT_KEYS)).digest()


def dataset_not_found(dataset_id: UUID) -> NotFound:
    """The error for a data set that is not there."""
    return NotFound(
        "DATASET_NOT_FOUND", f"There is no data set {dataset_id}.", metadata={"dataset_id": str(dataset_id)}
    )


def dataset_in_use(dataset_id: UUID, holders: Sequence[str]) -> FailedPrecondition:
    """The error for a data set that somebody needs; `holders` are some of them."""
    return FailedPrecondition(
        "DATASET_IN_USE",
        f"The data set is needed by {', '.join(holders)}. Delete it when these have ended, or cancel them.",
        metadata={"dataset_id": str(dataset_id), "holders": ",".join(holders)},
    )


def sides_unknown(dataset_id: UUID) -> FailedPrecondition:
    """The error for a data set that was frozen before sides were kept where images are listed."""
    return FailedPrecondition(
        "SIDES_UNKNOWN",
        "The data set is too old to list its images by side. Freeze its spec again.",
        metadata={"dataset_id": str(dataset_id)},
    )


def dataset_invalid(spec: DatasetSpec, report: HealthReport) -> FailedPrecondition:
    """The error for a spec that cannot be frozen, with the findings that are to be mended."""
    errors = report.errors
    more = len(errors) - 1
    others = f" There {'is one more error' if more == 1 else f'are {more} more errors'}." if more else ""
    return FailedPrecondition(
        "DATASET_INVALID",
        f"{errors[0].message} {errors[0].hint}{others}",
        violations=[
            FieldViolation(_field(spec, error), f"{error.reason}: {error.message} {error.hint}")
            for error in errors
        ],
        metadata={"findings": ",".join(dict.fromkeys(error.reason for error in errors))},
        report=shortened_message(report, REPORT_BYTES),
    )


def _field(spec: DatasetSpec, finding: Finding) -> str:
    if finding.class_label:
        return f"spec.classes[{spec.classes.index(finding.class_label)}]"
    return "spec.annotation_types" if finding.reason == "NOTHING_FITS_TASK" else "spec.project_ids"
