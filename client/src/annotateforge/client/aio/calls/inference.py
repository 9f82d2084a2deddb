"""Calls of the inference service."""

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.inference.v1 import inference_service_pb2, prediction_pb2
from annotateforge.client.aio.transport import Transport
from annotateforge.client.enums import enum_value

SERVICE = inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"]


class InferenceCalls:
    """Predictions."""

    _transport: Transport

    async def predict(
        self,
        image: bytes,
        *,
        task_type: str = "",
        model_id: str = "",
        confidence: float | None = None,
        iou: float | None = None,
        max_objects: int | None = None,
    ) -> prediction_pb2.Prediction:
        """What the active model of a task, or a certain model, sees in an encoded image.

        confidence, iou, max_objects: see PredictRequest; the server's defaults when left out.
        """
        request = inference_service_pb2.PredictRequest(
            image=image,
            model_id=model_id,
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task"),
            confidence=confidence,
            iou=iou,
            max_objects=max_objects,
        )
        return await self._transport.call(SERVICE, "Predict", request, prediction_pb2.Prediction)
