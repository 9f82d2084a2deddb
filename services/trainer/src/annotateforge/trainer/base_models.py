"""The registry as the trainer needs it: whether a model can be trained further."""

import grpc

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.registry.v1.registry_service_pb2 import GetModelRequest
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.architectures import layers_of
from annotateforge.trainer.config import DEFAULT_MODEL, architecture_of
from annotateforge.trainer.training_settings import check_freeze
from annotateforge.trainer.violations import Violations


class BaseModels:
    """Registered models, seen through the registry."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = RegistryServiceStub(channel)

    async def settle(self, config: JobConfig, task: TaskType.ValueType) -> None:
        """Check the config's base model, if it names one, and settle its architecture from it.

        Raises what the registry answers, NotFound MODEL_NOT_FOUND among it; InvalidArgument
        TASK_TYPE_MISMATCH when the model is for another task, ARCHITECTURE_MISMATCH when the config asks for
        another architecture; INVALID_JOB when all its layers would be frozen.
        """
        if not config.base_model_id:
            return
        try:
            model = (await self._stub.GetModel(GetModelRequest(model_id=config.base_model_id))).model
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        if model.task_type != task:
            raise InvalidArgument.of_field(
                "TASK_TYPE_MISMATCH", "config.base_model_id", "is a model for another task than the job's"
            )
        architecture = architecture_of(model.architecture)
        if config.model and config.model != architecture:
            raise InvalidArgument.of_field(
                "ARCHITECTURE_MISMATCH",
                "config.model",
                f"is {config.model}, and the base model is a {architecture}; leave it out",
            )
        config.model = architecture or DEFAULT_MODEL
        violations = Violations()
        layers = layers_of(config.model, task)
        check_freeze(config.settings.freeze, layers, violations, "config.settings.freeze")
        violations.raise_any("INVALID_JOB")
