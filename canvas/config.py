"""Pure. The configuration: flags before environment before file before defaults."""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from actors.portable import PortableException
from canvas.board.area import Area
from canvas.board.grid import MAX_SIDE
from canvas.board.rules import Cooldown, Rules
from canvas.store import Durability
from supervision.console import Access
from supervision.server import SAME_HOST, Origins, Proxies, read_base_path
from supervision.server.rate_limit import RateLimit

STORES = ("sqlite", "memory")
DURABILITIES = ("full", "none")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("console", "json")
AUTO: Final = "auto"
"""The default of `--console-port`: 8001, or a free port if 8001 is taken."""
PREFIX: Final = "CANOPY_"
"""The prefix of our environment variables."""

_SERVICE_LINK = re.compile(
    rf"{PREFIX}(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_SERVICE_URL = re.compile(r"(?:tcp|udp|sctp)://")


class ConfigError(PortableException):
    """An option has an invalid value. The text names the option, the value and what is allowed."""

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"{option} must be {allowed}, got {value!r}")
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Config:
    """The options of `canopy run`. Times are in seconds."""

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path("canopy-data")
    store: str = "sqlite"
    durability: Durability = "full"
    width: int = 1000
    height: int = 1000
    background: int = 0xFFFFFF
    tick: float = 0.010
    rate_limit: RateLimit | None = RateLimit(100, 200)  # noqa: RUF009  # immutable
    palette: tuple[int, ...] | None = None
    cooldown: Cooldown | None = None
    locked: tuple[Area, ...] = ()
    read_only: bool = False
    unix: Path | None = None
    unix_mode: int = 0o600
    base_path: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxy: Proxies = Proxies()  # noqa: RUF009  # immutable
    origin: Origins = SAME_HOST
    max_connections: int = 15_000
    max_connections_per_ip: int | None = None
    max_new_connections_per_ip: int | None = None
    max_message_size: int = 64 * 1024
    request_timeout: float = 10.0
    ping_interval: float = 20.0
    pong_timeout: float = 20.0
    stall_timeout: float = 30.0
    drain_timeout: float = 10.0
    log_level: str = "info"
    log_format: Literal["console", "json"] = "console"
    show_values: bool = False
    compression: bool = True
    echo: bool = False
    console_host: str = "127.0.0.1"
    console_port: int | Literal["auto"] | None = AUTO
    console_base_path: str = ""
    console_names: tuple[str, ...] = ()
    console_origin: tuple[str, ...] = ()
    console_user_header: str | None = None
    console_users: tuple[tuple[str, Access], ...] = ()
    console_insecure: bool = False

    given: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The options that were set -> the name each was set by: a flag, an environment variable or a key of the file."""

    def __post_init__(self) -> None:
        is_guarded = self.console_insecure or self.tls_cert is not None or is_loopback(self.console_host)
        if self.console_port is not None and not is_guarded:
            allowed = "a loopback address, unless --tls-cert or --console-insecure is given"
            raise ConfigError("--console-host", self.console_host, allowed)
        if self.console_user_header is not None and self.trusted_proxy == Proxies():
            raise ConfigError("--console-user-header", self.console_user_header, "given with --trusted-proxy")
        if (self.console_user_header is None) != (not self.console_users):
            users = ",".join(f"{user}={role.value}" for user, role in self.console_users)
            raise ConfigError("--console-users", users, "given with --console-user-header, and that with it")

    @property
    def rules(self) -> Rules:
        """The rules of painting that these options make up."""
        return Rules(self.palette, self.locked, self.read_only, self.cooldown, self.rate_limit)


def read_config(
    flags: Mapping[str, Any], environment: Mapping[str, str], file: Mapping[str, Any] | None = None
) -> Config:
    """Build the configuration; flags win over the environment, and the environment over the file.

    Args:
        flags: option -> value from the command line, None if it was not given
        environment: `CANOPY_WIDTH` and so on
        file: option -> value from the TOML file

    Raises:
        ConfigError: for an unknown option in the file or the environment, or an invalid value.
    """
    known = set(_READERS)
    given: dict[str, tuple[str, Any]] = {}
    for name, value in (file or {}).items():
        option = name.replace("-", "_")
        if option not in known:
            raise _unknown("a name in the configuration file", name, sorted(known))
        given[option] = (name, value)
    variables = {PREFIX + option.upper(): option for option in sorted(known)}
    for variable, value in sorted(environment.items()):
        if not variable.startswith(PREFIX) or _is_service_link(variable, value):
            continue
        if variable not in variables:
            raise _unknown(f"a variable {PREFIX}... of the environment", variable, list(variables))
        given[variables[variable]] = (variable, value)
    for option in known:
        if flags.get(option) is not None:
            given[option] = ("--" + option.replace("_", "-"), flags[option])
    values = {option: _READERS[option](name, value) for option, (name, value) in given.items()}
    return Config(**values, given={option: name for option, (name, _) in given.items()})


def _is_service_link(variable: str, value: str) -> bool:
    """Tell whether Kubernetes or Docker set a variable, for a service called `canopy` or `canopy-...`.

    Examples: CANOPY_SERVICE_HOST, CANOPY_PORT_8000_TCP_ADDR, and CANOPY_PORT=tcp://10.0.0.1:8000 (Kubernetes: Service,
    environment variables).
    """
    is_url = variable.endswith("PORT") and _SERVICE_URL.match(value)
    return bool(is_url or _SERVICE_LINK.fullmatch(variable))


def _unknown(what: str, name: str, known: Sequence[str]) -> ConfigError:
    """Make the error for an unknown name and suggest similar ones. The common prefix does not count as similarity."""
    short = {each.removeprefix(PREFIX): each for each in known}
    near = " or ".join(short[each] for each in difflib.get_close_matches(name.removeprefix(PREFIX), short))
    return ConfigError(what, name, f"one of {', '.join(known)}" + (f" (did you mean {near}?)" if near else ""))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a configuration file.

    Raises:
        ConfigError: if the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError("--config", str(path), f"a readable file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("--config", str(path), f"a TOML file ({error})") from None


def _integer(low: int, high: int) -> Any:
    def read(option: str, value: Any) -> int:
        try:
            number = None if isinstance(value, bool | float) else int(value)
        except (TypeError, ValueError):
            number = None
        if number is None or not low <= number <= high:
            raise ConfigError(option, value, f"an integer from {low} to {high}")
        return number

    return read


def _optional(read: Any) -> Any:
    """Make a reader that reads `off` as None and leaves any other value to `read`."""

    def read_optional(option: str, value: Any) -> Any:
        if value == "off" or value is False:
            return None
        try:
            return read(option, value)
        except ConfigError as error:
            raise ConfigError(option, value, f"{error.allowed}, or off") from None

    return read_optional


def _listed(parse: Any, allowed: str, separator: str = ",") -> Any:
    """Make a reader for a list, or a text that joins its members with `separator`; `parse` gets the members."""

    def read(option: str, value: Any) -> Any:
        texts = value if isinstance(value, list) else str(value).split(separator)
        try:
            return parse([str(text).strip() for text in texts if str(text).strip()])
        except (ValueError, ConfigError):
            raise ConfigError(option, value, allowed) from None

    return read


def _number(low: float, high: float, unit: float = 1.0) -> Any:
    def read(option: str, value: Any) -> float:
        try:
            number = None if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = None
        if number is None or not low <= number <= high:
            raise ConfigError(option, value, f"a number from {low:g} to {high:g}")
        return number * unit

    return read


def _choice(*allowed: str) -> Any:
    def read(option: str, value: Any) -> str:
        if value not in allowed:
            raise ConfigError(option, value, "one of " + ", ".join(allowed) if len(allowed) > 1 else allowed[0])
        return str(value)

    return read


def _text(option: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(option, value, "a non-empty string")
    return value


def _path(option: str, value: Any) -> Path:
    if isinstance(value, Path):
        return value
    return Path(_text(option, value))


def _base_path(option: str, value: Any) -> str:
    try:
        return read_base_path(_text(option, value))
    except ValueError:
        raise ConfigError(option, value, "a path like /canvas") from None


def _switch(option: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise ConfigError(option, value, "true or false")


def _console_port(option: str, value: Any) -> int | str | None:
    if value == "off" or value is False:
        return None
    if value == AUTO:
        return AUTO
    try:
        port: int = _integer(0, 65_535)(option, value)
    except ConfigError:
        raise ConfigError(option, value, "an integer from 0 to 65535, auto or off") from None
    return port


def _names(option: str, value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ConfigError(option, value, "host names separated by commas")
    return tuple(name.strip() for name in names)


def _console_origins(texts: list[str]) -> tuple[str, ...]:
    """Read origins like `https://example.org`; neither `*` nor `same`, since the console knows its own origin."""
    origins = Origins.parse(texts)
    if origins.allowed is None or origins.same_host:
        raise ValueError(texts)
    return tuple(texts)


def _users(texts: list[str]) -> tuple[tuple[str, Access], ...]:
    pairs = [text.rpartition("=") for text in texts]
    if not all(user.strip() for user, _, _ in pairs):
        raise ValueError(texts)
    return tuple((user.strip(), Access(role.strip())) for user, _, role in pairs)


def _header(option: str, value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9-]{1,100}", value):
        return value
    raise ConfigError(option, value, "a header name like X-Remote-User")


def is_loopback(host: str) -> bool:
    """Tell whether `host` is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _color(option: str, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch("#[0-9A-Fa-f]{6}", value):
        return int(value[1:], 16)
    raise ConfigError(option, value, "a colour like #FFFFFF")


def read_rate_limit(option: str, value: Any) -> RateLimit | None:
    """Read `off`, `100/s` or `100`; the burst is twice the rate.

    Raises:
        ConfigError: for anything else.
    """
    text = str(value)
    if text == "off" or value is False:
        return None
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = -1.0
    if isinstance(value, bool) or not 0 < rate <= 1_000_000:
        raise ConfigError(option, value, "a number per second like 100/s, or off")
    return RateLimit(rate, max(1, round(2 * rate)))


def _mode(option: str, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch("0?[0-7]{3}", value):
        return int(value, 8)
    raise ConfigError(option, value, "file permissions like 0660, as a string")


def _colors(texts: list[str]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_color("palette", text) for text in texts))


def _areas(texts: list[str]) -> tuple[Area, ...]:
    return tuple(map(Area.parse, texts))


def _cooldown(option: str, value: Any) -> Cooldown:
    shortest, dash, longest = str(value).partition("-")
    try:
        cooldown = Cooldown(float(shortest), float(longest if dash else shortest))
    except ValueError:
        cooldown = Cooldown(-1.0, -1.0)
    if isinstance(value, bool) or not 0 < cooldown.shortest <= cooldown.longest <= 86_400:
        raise ConfigError(option, value, "seconds like 5, or 1-30 from few to many users")
    return cooldown


_READERS: dict[str, Any] = {
    "host": _text,
    "port": _integer(0, 65_535),
    "data": _path,
    "store": _choice(*STORES),
    "durability": _choice(*DURABILITIES),
    "width": _integer(1, MAX_SIDE),
    "height": _integer(1, MAX_SIDE),
    "background": _color,
    "tick": _number(0, 10_000, 0.001),
    "rate_limit": read_rate_limit,
    "palette": _optional(_listed(_colors, "colours like #FF0000,#00FF00")),
    "cooldown": _optional(_cooldown),
    "locked": _listed(_areas, "areas like 0,0,100,50;200,0,10,10", ";"),
    "read_only": _switch,
    "unix": _path,
    "unix_mode": _mode,
    "base_path": _base_path,
    "tls_cert": _path,
    "tls_key": _path,
    "trusted_proxy": _listed(Proxies.parse, "addresses or networks like 10.0.0.0/8, or unix"),
    "origin": _listed(Origins.parse, "origins like https://example.org, same, or *"),
    "max_connections": _integer(1, 1_000_000),
    "max_connections_per_ip": _optional(_integer(1, 1_000_000)),
    "max_new_connections_per_ip": _optional(_integer(1, 1_000_000)),
    "max_message_size": _integer(1_024, 1024 * 1024 * 1024),
    "request_timeout": _number(0.1, 3_600),
    "ping_interval": _number(0, 86_400),
    "pong_timeout": _number(0.1, 86_400),
    "stall_timeout": _number(0.1, 86_400),
    "drain_timeout": _number(0, 3_600),
    "log_level": _choice(*LOG_LEVELS),
    "log_format": _choice(*LOG_FORMATS),
    "compression": _switch,
    "echo": _switch,
    "show_values": _switch,
    "console_host": _text,
    "console_port": _console_port,
    "console_base_path": _base_path,
    "console_names": _names,
    "console_origin": _listed(_console_origins, "origins like https://console.example.org"),
    "console_user_header": _header,
    "console_users": _listed(_users, "users and their roles like ann=administer,*=look (look, moderate, administer)"),
    "console_insecure": _switch,
}
