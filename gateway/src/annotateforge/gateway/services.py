"""The services that people and programs reach through the gateway, and the document that describes them."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor

from annotateforge.api.dataset.v1 import dataset_service_pb2
from annotateforge.api.inference.v1 import inference_service_pb2
from annotateforge.api.registry.v1 import registry_service_pb2
from annotateforge.api.trainer.v1 import trainer_service_pb2
from annotateforge.gateway.openapi import openapi_document
from annotateforge.runtime.rest.rules import bindings_of

SERVICES: dict[str, ServiceDescriptor] = {
    "dataset": dataset_service_pb2.DESCRIPTOR.services_by_name["DatasetService"],
    "trainer": trainer_service_pb2.DESCRIPTOR.services_by_name["TrainerService"],
    "registry": registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    "inference": inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"],
}
"""Each service by the name of its process."""


def document_of(names: Iterable[str] = tuple(SERVICES)) -> dict[str, Any]:
    """The OpenAPI document of a gateway that has these services; it needs none of them to run."""
    return openapi_document([binding for name in names for binding in bindings_of(SERVICES[name])])
