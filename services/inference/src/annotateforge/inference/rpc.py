"""The handlers of InferenceService: check, call, convert."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from annotateforge.api.inference.v1 import inference_service_pb2 as api
from annotateforge.api.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from annotateforge.api.inference.v1.prediction_pb2 import Prediction as PredictionMessage
from annotateforge.inference.messages import prediction_message
from annotateforge.inference.options import read_query
from annotateforge.inference.ordered import in_order
from annotateforge.inference.predictor import Prediction, Predictor
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
        return api.PredictResponse(prediction=await _message(prediction))

    async def PredictStream(
        self, request_iterator: AsyncIterator[api.PredictStreamRequest], context: Context
    ) -> AsyncIterator[api.PredictStreamResponse]:
        async with aclosing(in_order(aiter(request_iterator), self._predict_one, WINDOW)) as answers:
            async for answer in answers:
                yield answer

    async def _predict_one(self, number: int, message: api.PredictStreamRequest) -> api.PredictStreamResponse:
        try:
            prediction = await self._predictor.predict(read_query(message.request), patient=True)
        except DomainError as error:
            error.metadata["position"] = str(number)
            raise
        return api.PredictStreamResponse(prediction=await _message(prediction))


async def _message(prediction: Prediction) -> PredictionMessage:
    # Outlines have thousands of points, and the loop serves others meanwhile.
    return await asyncio.to_thread(prediction_message, prediction)
