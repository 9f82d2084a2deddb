"""A gRPC client in another language knows addresses, a token and what reflection tells; no generated code."""

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from annotateforge.local.demo.sample import sample_images
from tests.scenarios.installation import Running

_DEADLINE = 120
_NAMESPACE = "annotateforge.api"


class Reflected:
    """Calls of one service by what its server's reflection says."""

    def __init__(self, channel: grpc.Channel, token: str, service: str) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),)
        database = ProtoReflectionDescriptorDatabase(channel)
        assert service in database.get_services()
        self._pool = DescriptorPool(database)
        self._service = self._pool.FindServiceByName(service)

    def __call__(self, method: str, *requests: dict[str, Any]) -> Any:
        """Call a method: a message for a unary answer, an iterator for a stream."""
        described = self._service.methods_by_name[method]
        request_type: Any = GetMessageClass(described.input_type)
        response_type: Any = GetMessageClass(described.output_type)
        kinds: dict[tuple[bool, bool], Any] = {
            (False, False): self._channel.unary_unary,
            (False, True): self._channel.unary_stream,
            (True, False): self._channel.stream_unary,
        }
        call = kinds[described.client_streaming, described.server_streaming](
            f"/{self._service.full_name}/{method}",
            request_serializer=request_type.SerializeToString,
            response_deserializer=response_type.FromString,
        )
        messages = [request_type(**request) for request in requests]
        sent = iter(messages) if described.client_streaming else messages[0]
        return call(sent, metadata=self._metadata, timeout=_DEADLINE)


@pytest.mark.slow
def test_a_client_with_reflection_alone_makes_a_project_trains_and_watches(installation: Running) -> None:
    with (
        grpc.insecure_channel(installation.addresses["dataset"]) as datasets,
        grpc.insecure_channel(installation.addresses["trainer"]) as trainings,
        grpc.insecure_channel(installation.addresses["registry"]) as models,
    ):
        dataset = Reflected(datasets, installation.token, f"{_NAMESPACE}.dataset.v1.DatasetService")
        trainer = Reflected(trainings, installation.token, f"{_NAMESPACE}.trainer.v1.TrainerService")
        registry = Reflected(models, installation.token, f"{_NAMESPACE}.registry.v1.RegistryService")

        project = dataset("CreateProject", {"name": "by reflection"}).project
        parts: list[dict[str, Any]] = []
        for sample in sample_images(8):
            side = "left" if len(sample.annotations) % 2 else "right"
            header = {"project_id": project.id, "filename": sample.filename, "image_class": side}
            parts += [{"header": header}, {"chunk": sample.content}]
        assert len(dataset("UploadImages", *parts).images) == 8

        job = trainer(
            "CreateJob",
            {
                "name": "by reflection",
                "task_type": 1,
                "config": {
                    "project_ids": [project.id],
                    "classes": ["left", "right"],
                    "epochs": 2,
                    "batch_size": 4,
                    "image_size": 32,
                    "pretrained": 3,
                },
            },
        ).job
        events = [message.event for message in trainer("WatchJob", {"job_id": job.id})]

        stored = [event.sequence for event in events if event.sequence]
        assert stored == list(range(1, len(stored) + 1))
        kinds = [event.WhichOneof("payload") for event in events if event.sequence]
        assert kinds.count("epoch_complete") == 2
        assert kinds[-2:] == ["training_complete", "status_change"]
        model_id = events[-2].training_complete.model_id
        assert list(registry("GetModel", {"model_id": model_id}).model.classes) == ["left", "right"]
