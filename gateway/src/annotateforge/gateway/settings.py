"""Settings of the gateway, read from the environment as `runtime.settings` says."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from annotateforge.runtime.settings import Address, BusSettings, ServiceSettings

MIB = 1024 * 1024

Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$")]
"""Scheme, host and port of a web page, such as https://app.example.com; * for every one."""


class Settings(BusSettings, ServiceSettings):
    """What the gateway reads."""

    listen: Address = "127.0.0.1:8000"
    """Where to listen, host:port; port 0 takes a free one."""
    dataset_address: Address
    """The dataset service, host:port or another gRPC target."""
    trainer_address: Address
    """The trainer service."""
    registry_address: Address
    """The registry service."""
    inference_address: Address | None = None
    """The inference service; without it there are no routes for predictions."""

    public_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")] | None = None
    """Where browsers reach the web app, such as https://forge.example; needed where a proxy takes TLS off,
    by default what they themselves say.
    """
    oidc_client_id: str | None = None
    """The installation as the issuer knows it; with it the web app offers signing in at the issuer's page.
    """
    oidc_client_secret: SecretStr | None = None
    """Its password there; without one it is a public client."""
    oidc_scopes: Annotated[str, StringConstraints(pattern=r"(^|\s)openid(\s|$)")] = "openid profile email"
    """What is asked for, separated by blanks."""
    oidc_name: str | None = None
    """What people call the issuer; by default its host."""
    oidc_session_seconds: Annotated[int, Field(ge=60, le=30 * 24 * 3600)] = 12 * 3600
    """Seconds after which people sign in there again."""

    cors_origins: tuple[Origin, ...] = ()
    """Origins such as https://app.example.com whose pages may call the API, as a JSON list; none by
    default.
    """
    read_timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds that a GET may take, and for which a service may leave a download at a standstill."""
    call_timeout: Annotated[float, Field(gt=0)] = 660.0
    """Seconds that any other plain call may take: creating a job may freeze a data set first."""
    work_timeout: Annotated[float, Field(gt=0)] = 6.5 * 3600
    """Seconds for which a service may work on an upload once it has it, or without telling of progress."""
    idle_timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds for which a client may neither send nor take any byte of a body."""
    reread_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How often the events of watched jobs are read from the trainer while NATS is away."""
    max_json_bytes: Annotated[int, Field(ge=1024)] = 10 * MIB
    """Most bytes of a JSON body."""

    @field_validator("oidc_client_id")
    @classmethod
    def _has_issuer(cls, client_id: str | None, info: ValidationInfo) -> str | None:
        if client_id is not None and info.data.get("oidc_issuer") is None:
            raise ValueError("needs ANNOTATEFORGE_OIDC_ISSUER too")
        return client_id

    @field_validator("oidc_client_secret")
    @classmethod
    def _has_client(cls, word: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if word is not None and info.data.get("oidc_client_id") is None:
            raise ValueError("needs ANNOTATEFORGE_OIDC_CLIENT_ID too")
        return word

    def addresses(self) -> Mapping[str, str]:
        """Addresses of the services that there are, by name."""
        found = {
            "dataset": self.dataset_address,
            "trainer": self.trainer_address,
            "registry": self.registry_address,
            "inference": self.inference_address,
        }
        return {name: address for name, address in found.items() if address is not None}
