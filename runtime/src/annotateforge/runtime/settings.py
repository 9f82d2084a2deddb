"""Settings, read once from the environment: `ANNOTATEFORGE_` and the field's name in upper case.

A process's settings class puts together what it needs: `class Settings(DatabaseSettings, StoreSettings,
ServiceSettings)`. What a process does not use is no field of its settings.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from annotateforge.runtime.provider_roles import RoleMapping, RoleName

Address = Annotated[str, StringConstraints(pattern=r"^(unix:.+|.+:\d+|dns:.+|ipv4:.+|ipv6:.+)$")]
"""Where a gRPC server is reached: host:port, or another target that gRPC understands."""

MIN_SECRET_BYTES = 32
"""RFC 7518, section 3.2: a key of HS256 is at least as long as its hash."""


class ProcessSettings(BaseSettings):
    """What every process reads."""

    model_config = SettingsConfigDict(
        env_prefix="ANNOTATEFORGE_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    log_format: Literal["console", "json"] = "json"
    """How log lines look."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""
    ready_fd: int | None = None
    """File descriptor to which `{"address": …}` and a newline are written once the process is ready."""
    metrics_listen: Address | None = None
    """host:port on which Prometheus can read this process's metrics; none by default."""

    @classmethod
    def read(cls) -> Self:
        """Read the environment. pydantic.ValidationError names what is missing or wrong."""
        return cls()


class ServiceSettings(ProcessSettings):
    """What every gRPC server reads."""

    listen: Address = "127.0.0.1:0"
    """Where to listen, host:port; port 0 takes a free one."""
    secret: SecretStr
    """The installation's key, with which its tokens are signed (HS256); at least 32 bytes."""
    oidc_issuer: str | None = None
    """OpenID Connect issuer whose tokens are accepted too; none by default."""
    oidc_audience: str = "annotateforge"
    """Audience that the issuer's tokens must name."""
    oidc_role_claim: Annotated[str, StringConstraints(min_length=1)] = "annotateforge_role"
    """Claim of the issuer that holds the role, or a list of roles or groups; dots lead into objects, such as
    realm_access.roles.
    """
    oidc_roles: Mapping[str, RoleName] = {}
    """The role by what that claim calls it, as a JSON object such as {"labellers": "editor"}; when empty,
    roles go by their own names.
    """
    oidc_default_role: RoleName | None = None
    """Role of whom the issuer gives none, such as viewer; without one they are refused."""
    oidc_subject_claim: Annotated[str, StringConstraints(min_length=1)] = "sub"
    """Claim of the issuer by which people are named here, such as email."""

    def role_mapping(self) -> RoleMapping:
        """How the issuer's claims become a role."""
        return RoleMapping(self.oidc_role_claim, self.oidc_roles, self.oidc_default_role)

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"must have at least {MIN_SECRET_BYTES} bytes; make one with: openssl rand -hex 32"
            )
        return secret


class DatabaseSettings(ProcessSettings):
    """What a process with tables reads."""

    database_url: Annotated[str, StringConstraints(pattern=r"^postgres(ql)?://")]
    """Postgres, such as postgresql://user:password@host/database or
    postgresql://postgres@/database?host=/socket/folder.
    """
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 8
    """Most connections that one process holds."""


class BusSettings(ProcessSettings):
    """What a process that listens or tells reads."""

    nats_url: Annotated[str, StringConstraints(pattern=r"^(nats|tls)://")]
    """NATS, such as nats://127.0.0.1:4222; several servers are separated by commas."""


class StoreSettings(ProcessSettings):
    """What a process with blobs reads."""

    store_url: Annotated[str, StringConstraints(pattern=r"^(file:///|s3://)")]
    """Where blobs are kept: file:///folder, or s3://bucket/prefix with the usual AWS_ variables for
    credentials and region.
    """
