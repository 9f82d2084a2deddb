"""A dataset service without images that answers as the real one does: enough for jobs that nobody trains."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.annotation_pb2 import AnnotationType
from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, DatasetSpec
from annotateforge.runtime.call import caller
from annotateforge.runtime.errors import FailedPrecondition, FieldViolation, InvalidArgument, NotFound
from annotateforge.runtime.ids import new_id, parse_id

Context = grpc.aio.ServicerContext[Any, Any]

SERVICE = "annotateforge.api.dataset.v1.DatasetService"


class FrozenDatasets:
    """Data sets by spec, in memory. The classes `nothing` and `wrong` stand for what cannot be frozen."""

    def __init__(self) -> None:
        self.by_id: dict[str, Dataset] = {}
        self.callers: list[str] = []
        self.missing_projects: set[str] = set()

    async def PrepareDataset(
        self, request: api.PrepareDatasetRequest, context: Context
    ) -> AsyncIterator[api.PrepareDatasetResponse]:
        self.callers.append(caller().subject)
        spec = DatasetSpec()
        spec.CopyFrom(request.spec)
        self._check(spec)
        yield api.PrepareDatasetResponse(progress=api.PrepareProgress(stage="reading annotations"))
        if not spec.annotation_types:
            spec.annotation_types.append(AnnotationType.ANNOTATION_TYPE_BOX)
        if not spec.HasField("split"):
            spec.split.train_ratio = 0.8
            spec.split.seed = 42
        digest = hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()
        found = [dataset for dataset in self.by_id.values() if dataset.digest == digest]
        dataset = found[0] if found else self._frozen(spec, digest)
        yield api.PrepareDatasetResponse(dataset=dataset)

    async def GetDataset(self, request: api.GetDatasetRequest, context: Context) -> api.GetDatasetResponse:
        self.callers.append(caller().subject)
        dataset = self.by_id.get(str(parse_id(request.dataset_id, "dataset_id")))
        if dataset is None:
            raise NotFound("DATASET_NOT_FOUND", f"There is no data set {request.dataset_id}.")
        return api.GetDatasetResponse(dataset=dataset)

    def _check(self, spec: DatasetSpec) -> None:
        if "wrong" in spec.classes:
            raise InvalidArgument.of_fields(
                "INVALID_DATASET_SPEC",
                [FieldViolation("spec.classes[0]", "is wrong"), FieldViolation("spec.task_type", "too")],
            )
        if "nothing" in spec.classes:
            raise FailedPrecondition("DATASET_INVALID", "No image shows the class nothing.")
        for project_id in spec.project_ids:
            if project_id in self.missing_projects:
                raise NotFound("PROJECT_NOT_FOUND", f"There is no project {project_id}.")

    def _frozen(self, spec: DatasetSpec, digest: str) -> Dataset:
        dataset = Dataset(
            id=str(new_id()),
            digest=digest,
            spec=spec,
            task_type=spec.task_type,
            classes=spec.classes,
            total_images=10,
            train_images=8,
            val_images=2,
        )
        self.by_id[dataset.id] = dataset
        return dataset


def add_to_server(datasets: FrozenDatasets, server: grpc.aio.Server) -> None:
    """Serve the two methods that the trainer calls."""
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "PrepareDataset": grpc.unary_stream_rpc_method_handler(
            datasets.PrepareDataset,
            request_deserializer=api.PrepareDatasetRequest.FromString,
            response_serializer=api.PrepareDatasetResponse.SerializeToString,
        ),
        "GetDataset": grpc.unary_unary_rpc_method_handler(
            datasets.GetDataset,
            request_deserializer=api.GetDatasetRequest.FromString,
            response_serializer=api.GetDatasetResponse.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
