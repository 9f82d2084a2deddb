"""Wiring of the gateway: one context manager that production, tests and `annotateforge up` use."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import structlog

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.gateway import metrics
from annotateforge.gateway.application import Application
from annotateforge.gateway.bus_link import BusLink
from annotateforge.gateway.call import Limits
from annotateforge.gateway.flat_events import flat_event
from annotateforge.gateway.health import Health
from annotateforge.gateway.http_server import http_server
from annotateforge.gateway.hub import Hub
from annotateforge.gateway.job_store import JobStore
from annotateforge.gateway.openid.endpoint import ProviderEndpoint
from annotateforge.gateway.openid.sign_in import ProviderSignIn
from annotateforge.gateway.services import SERVICES, document_of
from annotateforge.gateway.settings import Settings
from annotateforge.gateway.site import Site
from annotateforge.gateway.transcoder import Transcoder
from annotateforge.gateway.web_app import BUILT, WebApp
from annotateforge.gateway.websocket import JobSocket
from annotateforge.gateway.websocket_protocol import text_frame
from annotateforge.runtime import subjects
from annotateforge.runtime.auth import Role, TokenVerifier
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.own_token import OwnToken
from annotateforge.runtime.rest.rules import bindings_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class App:
    """A gateway that is running."""

    address: str
    """host:port, with the port that was taken."""

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://{self.address}"


def _frame(event: event_pb2.JobEvent) -> bytes:
    return text_frame(flat_event(event))


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Run the gateway for the time of the context. It starts also while services or NATS are away."""
    async with contextlib.AsyncExitStack() as stack:
        channels: dict[str, grpc.aio.Channel] = {
            name: await stack.enter_async_context(open_channel(address))
            for name, address in settings.addresses().items()
        }
        own_token = OwnToken(settings.secret.get_secret_value(), Role.VIEWER, "service:gateway")
        trainer = await stack.enter_async_context(open_channel(settings.trainer_address, own_token))
        bus = BusLink(settings.nats_url, settings.reread_seconds)
        await stack.enter_async_context(bus.connecting())

        tokens = TokenVerifier.from_settings(settings)
        store = JobStore(trainer)
        hub = Hub(store, lambda job_id: bus.listen(subjects.job_feed(job_id)), _frame)
        metrics.WATCHERS.set_function(lambda: hub.watchers)
        metrics.WATCHED_JOBS.set_function(lambda: hub.watched)
        bindings = {name: bindings_of(SERVICES[name]) for name in channels}
        limits = Limits(
            settings.max_json_bytes, settings.read_timeout, settings.call_timeout, settings.work_timeout
        )
        transcoder = Transcoder(
            [(bindings[name], channel) for name, channel in channels.items()],
            tokens,
            limits,
            settings.idle_timeout,
        )
        provider = await stack.enter_async_context(ProviderSignIn.from_settings(settings))
        site = Site(
            document_of(channels),
            Health(channels, bus),
            JobSocket(hub, store, tokens),
            tokens,
            _web_app(),
            ProviderEndpoint(provider, settings.public_url) if provider else None,
        )
        application = Application(site, transcoder, settings.cors_origins)
        address = await stack.enter_async_context(http_server(application, settings.listen))
        yield App(address)


def _web_app() -> WebApp | None:
    try:
        return WebApp(BUILT)
    except FileNotFoundError as error:
        log.warning("the web app is not built; `make web` builds it", missing=error.filename)
        return None
