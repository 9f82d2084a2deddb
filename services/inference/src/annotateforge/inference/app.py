"""The inference service's wiring: production, tests and `annotateforge up` all enter `running`."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from annotateforge.api.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.inference.active import ActiveModels
from annotateforge.inference.catalog import Catalog
from annotateforge.inference.engine import Engine
from annotateforge.inference.loaded import LoadedModels
from annotateforge.inference.predictor import Predictor
from annotateforge.inference.quiet import keep_to_itself
from annotateforge.inference.rpc import InferenceRpc
from annotateforge.inference.settings import Settings
from annotateforge.inference.weights import WeightsCache
from annotateforge.runtime.auth import Role, TokenVerifier
from annotateforge.runtime.bus import connect_bus
from annotateforge.runtime.channel import TokenSource, open_channel
from annotateforge.runtime.own_token import OwnToken
from annotateforge.runtime.server import serve
from annotateforge.runtime.subjects import all_model_events

SERVICE = "annotateforge.api.inference.v1.InferenceService"


@dataclass(frozen=True, slots=True)
class App:
    """The inference service as it runs."""

    address: str
    """Where it is reached, host:port."""


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Run the inference service for the time of the context. Neither the registry nor torch is waited for."""
    with contextlib.ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="annotateforge-inference-")))
        keep_to_itself(own, settings.inference_most_pixels)
        engine = Engine(settings.inference_threads, settings.inference_device)
        stack.callback(engine.close)
        async with (
            connect_bus(settings.nats_url, "inference") as bus,
            open_channel(settings.registry_address, _registry_token(settings)) as channel,
            bus.subscribe(all_model_events()) as events,
        ):
            stub = RegistryServiceStub(channel)
            catalog = Catalog(stub)
            weights = WeightsCache(
                settings.inference_cache or own / "weights", settings.inference_cache_bytes, stub
            )
            loaded = LoadedModels(engine, weights, settings.inference_loaded_models)
            active = ActiveModels(catalog, loaded)
            predictor = Predictor(
                catalog,
                active,
                loaded,
                engine,
                queue=settings.inference_queue,
                most_pixels=settings.inference_most_pixels,
            )
            stack.callback(predictor.close)
            async with (
                contextlib.aclosing(loaded),
                active.following(events),
                serve(
                    settings.listen,
                    [(add_InferenceServiceServicer_to_server, InferenceRpc(predictor), SERVICE)],
                    TokenVerifier.from_settings(settings),
                ) as server,
            ):
                yield App(server.address)


def _registry_token(settings: Settings) -> TokenSource:
    """The token of the role worker that the settings give, or else our own."""
    if settings.registry_token is not None:
        return settings.registry_token.get_secret_value
    return OwnToken(settings.secret.get_secret_value(), Role.WORKER, "service:inference")
