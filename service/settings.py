"""Every option of the service: one frozen object, made once and passed down.

Options beat environment (``GLYPHSCOPE_PORT``) beats ``glyphscope.toml`` (table ``[serve]`` of the
file in the working folder) beats the defaults here.
"""

import ipaddress
import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from glyphscope.errors import InvalidInput

PREFIX = "GLYPHSCOPE_"
TOML_FILE = Path("glyphscope.toml")
TABLE = "serve"

SECRET = ("admin_key",)
"""Settings whose value no message shows."""

Location = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


def _proxy(text: str) -> str:
    if text != "*":
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"{error}; * is every address") from None
    return text


Proxy = Annotated[str, AfterValidator(_proxy)]


class Settings(BaseSettings):
    """Where to listen, what to serve, and how much to take on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535, description="0 takes any free port")] = 8000
    workers: Annotated[
        int | None,
        Field(ge=1, le=256, description="processes that serve, each with its own models"),
    ] = None
    device: Annotated[
        str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    ] = "auto"
    store: Location = Field(
        Path(__file__).parents[1] / "checkpoints", description="folder of published checkpoints"
    )
    state: Location = Field(
        Path("~/.cache/glyphscope"), description="folder of the queue and of finished pictures"
    )
    queue: Annotated[
        str,
        Field(
            pattern=r"^$|^rediss?://",
            description="redis://... for workers on other machines; empty is SQLite in `state`",
        ),
    ] = ""
    threads: Annotated[
        int, Field(ge=1, le=256, description="threads inside one forward pass, a process")
    ] = 1
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is logged, one JSON line each"
    )
    cors_origins: tuple[str, ...] = Field(
        (), description="origins whose pages may call the service; none by default"
    )
    max_body_bytes: Annotated[
        int, Field(ge=1024, description="of a request, unpacked; larger ones are answered 413")
    ] = 32 * 1024 * 1024
    max_batch_images: Annotated[
        int, Field(ge=1, description="images in one request; more are answered 413")
    ] = 1024
    max_waiting_images: Annotated[
        int, Field(ge=1, description="images waiting for a process; more are answered 503")
    ] = 4096
    max_waiting_jobs: Annotated[
        int, Field(ge=1, description="unfinished maximisations; more are answered 503")
    ] = 64
    max_cache_bytes: Annotated[
        int,
        Field(ge=2**20, description="of finished pictures; those not used for longest go first"),
    ] = 2 * 2**30
    drawing_threads: Annotated[
        int | None,
        Field(ge=1, le=256, description="cores that a worker draws one maximisation on, at most 8"),
    ] = None
    analysis_processes: Annotated[
        int,
        Field(
            ge=0,
            le=64,
            description="processes for attributions and the like; 0 is a thread of the server",
        ),
    ] = 1
    max_waiting_analyses: Annotated[
        int, Field(ge=1, description="analyses waiting for a process; more are answered 503")
    ] = 32
    analysis_seconds: Annotated[
        float, Field(gt=0, le=3600, description="after which an analysis is given up, 504")
    ] = 60.0
    max_answer_values: Annotated[
        int, Field(ge=1, description="numbers in one answer of activation maps")
    ] = 8_000_000
    max_loaded: Annotated[int, Field(ge=1, description="checkpoints held in memory")] = 8
    watch_seconds: Annotated[
        float, Field(gt=0, le=60, description="how often the store is looked at for changes")
    ] = 0.25
    admin_key: Annotated[
        str,
        Field(repr=False, description="who sends it may move versions; empty: nobody may"),
    ] = ""
    admin_port: Annotated[
        int | None,
        Field(ge=0, le=65535, description="admin calls are taken on this port alone; 0 is any"),
    ] = None
    api_keys: Location | None = Field(
        None, description="TOML file of clients and their keys; without it everybody may ask"
    )
    client_rate: Annotated[
        float,
        Field(ge=0, description="requests a second of one client; more are answered 429; 0: any"),
    ] = 0.0
    client_burst: Annotated[
        int, Field(ge=0, description="requests of one client at once; 0: what comes in a second")
    ] = 0
    trusted_proxies: tuple[Proxy, ...] = Field(
        ("127.0.0.1", "::1"),
        description="addresses or networks whose X-Forwarded-For and -Proto are believed",
    )
    request_deadline_seconds: Annotated[
        float, Field(gt=0, description="from a request's first header to its answer; then 504")
    ] = 90.0
    header_seconds: Annotated[
        float, Field(gt=0, description="for the headers of a request; then 408")
    ] = 10.0
    keep_alive_seconds: Annotated[
        int, Field(ge=1, description="an idle connection stays open; longer than a proxy's does")
    ] = 75
    max_requests: Annotated[
        int, Field(ge=1, description="at once, a process; more are answered 503")
    ] = 512
    max_connections: Annotated[
        int, Field(ge=1, description="open, a process; on more of them only health is answered")
    ] = 1024
    max_waiting_bytes: Annotated[
        int, Field(ge=1024, description="of bodies being answered, a process; more are 503")
    ] = 512 * 1024 * 1024
    drain_delay_seconds: Annotated[
        float,
        Field(ge=0, description="after SIGTERM still serve all, not ready, while balancers notice"),
    ] = 0.0
    drain_seconds: Annotated[
        int, Field(ge=1, description="how long running requests may finish after SIGTERM")
    ] = 10
    hang_seconds: Annotated[
        float, Field(ge=1, description="a process whose event loop is silent so long is replaced")
    ] = 30.0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _toml_table())

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for the processes that are started."""
        values = self.model_dump(mode="json")
        return {
            PREFIX + name.upper(): value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
            if value is not None
        }


def load_settings(**options: object) -> Settings:
    """Options that are None count as not given. Raises ``InvalidInput`` naming the setting."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ", ".join(Settings.model_fields)
        if first["type"] == "extra_forbidden":
            raise InvalidInput(f"unknown setting {name!r}; known: {known}") from None
        given_as = "" if name in SECRET else f", not {first['input']!r}"
        raise InvalidInput(
            f"setting {name} ({PREFIX}{name.upper()}): {first['msg']}{given_as}"
        ) from None
    except SettingsError as error:
        raise InvalidInput(f"{error}") from None


def _toml_table() -> dict[str, object]:
    try:
        found = tomllib.loads(TOML_FILE.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{TOML_FILE} cannot be read: {error}") from None
    loose = [name for name, value in found.items() if not isinstance(value, dict)]
    if loose:
        raise InvalidInput(f"{TOML_FILE}: {loose[0]!r} must stand in a table, such as [{TABLE}]")
    table: dict[str, object] = found.get(TABLE, {})
    return table
