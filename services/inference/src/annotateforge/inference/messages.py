"""Findings as messages of the API."""

from annotateforge.api.dataset.v1.annotation_pb2 import Box, Point, Polygon
from annotateforge.api.inference.v1 import prediction_pb2
from annotateforge.inference.findings import Found
from annotateforge.inference.predictor import Prediction


def prediction_message(prediction: Prediction) -> prediction_pb2.Prediction:
    """A prediction as the API shows it."""
    findings = prediction.findings
    return prediction_pb2.Prediction(
        model_id=str(prediction.model.id),
        width=prediction.width,
        height=prediction.height,
        objects=map(_object_message, findings.objects),
        classes=(
            prediction_pb2.ClassProbability(
                class_label=guess.class_label, class_id=guess.class_id, probability=guess.probability
            )
            for guess in findings.classes
        ),
        model_seconds=findings.seconds,
    )


def _object_message(found: Found) -> prediction_pb2.PredictedObject:
    x_min, y_min, x_max, y_max = found.box
    message = prediction_pb2.PredictedObject(
        class_label=found.class_label,
        class_id=found.class_id,
        confidence=found.confidence,
        box=Box(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max),
    )
    if found.outline is not None:
        message.polygon.CopyFrom(Polygon(points=(Point(x=x, y=y) for x, y in found.outline.tolist())))
    return message
