"""The handlers of InferenceService: check, call, convert."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from annotateforge.api.inference.v1 import inference_service_pb2 as api
from annotateforge.api.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from annotateforge.inference.messages import prediction_message
from annotateforge.inference.options import read_query
from annotateforge.inference.ordered import in_order
from annotateforge.inference.predictor import Predictor
from annotateforge.runtime.errors import DomainError

Context = grpc.aio.ServicerContext[Any, Any]

WINDOW = 4
"""Most images of one stream that are on the way at once."""


class InferenceRpc(InferenceServiceServicer):
    """InferenceService over a predictor."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    async def Predict(self, request: api.PredictRequest, context: Context) -> api.PredictResponse:
        prediction = await self._predictor.predict(read_query(request))
        return api.PredictResponse(prediction=prediction_message(prediction))

    async def PredictStream(
        self, request_iterator: AsyncIterator[api.PredictStreamRequest], context: Context
    ) -> AsyncIterator[api.PredictStreamResponse]:
        async for answer in in_order(aiter(request_iterator), self._predict_one, WINDOW):
            yield answer

    async def _predict_one(self, number: int, message: api.PredictStreamRequest) -> api.PredictStreamResponse:
        try:
            prediction = await self._predictor.predict(read_query(message.request), patient=True)
        except DomainError as error:
            error.metadata["position"] = str(number)
            raise
        return api.PredictStreamResponse(prediction=prediction_message(prediction))
