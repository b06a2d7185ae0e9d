"""The configuration: flags before environment before file before defaults, and a refusal that says what to do."""

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.area import Area
from canvas.board.rules import Cooldown
from canvas.config import Config, ConfigError, read_config, read_toml
from supervision.console.api.principals import Access
from supervision.server import ANY_ORIGIN, SAME_HOST, Origins, Proxies
from supervision.server.rate_limit import RateLimit


def refusal(*, option: str, value: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config({option: value}, {})
    return str(caught.value)


def test_defaults_hold_where_nothing_is_said() -> None:
    config = read_config({}, {}, {})
    assert config == Config()
    assert (config.host, config.port, config.width, config.height) == ("127.0.0.1", 8000, 1000, 1000)
    assert config.rate_limit == RateLimit(100, 200)
    assert config.tick == 0.010


def test_flag_comes_before_environment_before_file_before_default() -> None:
    flags, environment, file = {"port": "1"}, {"CANOPY_PORT": "2"}, {"port": 3}
    assert read_config(flags, environment, file).port == 1
    assert read_config({"port": None}, environment, file).port == 2
    assert read_config({}, {}, file).port == 3
    assert read_config({}, {}, {}).port == 8000


def test_options_of_different_sources_come_together() -> None:
    config = read_config({"port": "9000"}, {"CANOPY_WIDTH": "64"}, {"height": 32, "rate-limit": "off"})
    assert (config.port, config.width, config.height, config.rate_limit) == (9000, 64, 32, None)


def test_overridden_value_is_not_judged() -> None:
    assert read_config({"port": "1"}, {"CANOPY_PORT": "nonsense"}).port == 1


def test_other_variables_of_the_environment_mean_nothing() -> None:
    assert read_config({}, {"PORT": "1", "CANOPY": "1", "canopy_port": "1", "MY_CANOPY_PORT": "1"}) == Config()


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("CANOPY_PROT", "CANOPY_PORT"),
        ("CANOPY_PINGINTERVAL", "CANOPY_PING_INTERVAL"),
        ("CANOPY_MAX_CONNECTION", "CANOPY_MAX_CONNECTIONS"),
        ("CANOPY_rate_limit", None),
        ("CANOPY_NOSUCHTHING", None),
        ("CANOPY_", None),
    ],
)
def test_unknown_variable_is_refused_with_the_known_ones_and_the_near(variable: str, near: str | None) -> None:
    with pytest.raises(ConfigError, match=r"must be one of CANOPY_BACKGROUND, CANOPY_BASE_PATH, ") as caught:
        read_config({}, {variable: "1"})
    assert str(caught.value).endswith(f", got {variable!r}")
    assert ("did you mean" in str(caught.value)) == (near is not None)
    assert near is None or re.search(rf"did you mean .*{near}\b.*\?", str(caught.value))


@pytest.mark.parametrize("service", ["CANOPY", "CANOPY_WEB", "CANOPY_CONSOLE"])
def test_variables_that_a_service_of_our_name_puts_in_the_environment_mean_nothing(service: str) -> None:
    variables = {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "8000",
        "SERVICE_PORT_HTTP": "8000",
        "PORT": "tcp://10.0.0.1:8000",
        "PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "PORT_8000_TCP_PROTO": "tcp",
        "PORT_8000_TCP_PORT": "8000",
        "PORT_8000_TCP_ADDR": "10.0.0.1",
        "PORT_53_UDP": "udp://10.0.0.1:53",
    }
    assert read_config({}, {f"{service}_{name}": value for name, value in variables.items()}) == Config()


@pytest.mark.parametrize("name", ["rate-limit", "rate_limit"])
def test_file_may_write_names_with_dashes_or_underscores(name: str) -> None:
    assert read_config({}, {}, {name: "5/s"}).rate_limit == RateLimit(5, 10)


@pytest.mark.parametrize("name", ["prot", "server", "", "config"])
def test_unknown_name_in_the_file_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match="must be one of background, base_path, compression, ") as caught:
        read_config({}, {}, {name: 1})
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("host", "0.0.0.0", "0.0.0.0"), ("host", "::1", "::1"), ("port", "0", 0), ("port", 65_535, 65_535),
        ("data", "a/b", Path("a/b")), ("data", Path("a"), Path("a")), ("store", "memory", "memory"),
        ("durability", "none", "none"),
        ("width", "1", 1), ("height", 10_000, 10_000), ("background", "#12abEF", 0x12ABEF),
        ("tick", "0", 0.0), ("tick", 2.5, 0.0025), ("tick", "10000", 10.0),
        ("rate_limit", "100/s", RateLimit(100, 200)), ("rate_limit", "2.5", RateLimit(2.5, 5)),
        ("rate_limit", 20, RateLimit(20, 40)), ("rate_limit", "0.1/s", RateLimit(0.1, 1)), ("rate_limit", "off", None),
        ("rate_limit", False, None), ("max_connections", "1", 1), ("drain_timeout", "0", 0.0),
        ("log_level", "debug", "debug"), ("log_format", "json", "json"),
        ("show_values", True, True), ("show_values", "off", False),
        ("echo", True, True), ("echo", "off", False), ("echo", "yes", True),
        ("trusted_proxy", "10.0.0.0/8, unix", Proxies.parse(["10.0.0.0/8", "unix"])), ("trusted_proxy", "", Proxies()),
        ("trusted_proxy", ["::1"], Proxies.parse(["::1"])), ("origin", "*", ANY_ORIGIN), ("origin", "same", SAME_HOST),
        ("origin", "https://a.example", Origins(frozenset({"https://a.example"}), same_host=False)),
        ("max_connections_per_ip", "off", None), ("max_new_connections_per_ip", 3, 3), ("ping_interval", "0", 0.0),
        ("palette", "#FF0000, #00ff00,#FF0000", (0xFF0000, 0x00FF00)), ("palette", "off", None),
        ("cooldown", "5", Cooldown(5, 5)), ("cooldown", "1-30", Cooldown(1, 30)), ("cooldown", 2.5, Cooldown(2.5, 2.5)),
        ("locked", "0,0,10,5;20,30,1,1", (Area(0, 0, 10, 5), Area(20, 30, 1, 1))), ("locked", "", ()),
    ],
)  # fmt: skip
def test_good_value_is_read(option: str, value: Any, expected: Any) -> None:
    assert getattr(read_config({option: value}, {}), option) == expected


BAD: list[tuple[str, list[Any], str]] = [
    ("host", ["", 5, True], "a non-empty string"),
    ("port", ["", "-1", "65536", "http", "8000.0", 80.0, True, [80]], "an integer from 0 to 65535"),
    ("data", ["", 7, True], "a non-empty string"),
    ("store", ["", "sqlite3", "Memory", 1, None.__class__], "one of sqlite, memory"),
    ("durability", ["", "half", "Full", True], "one of full, none"),
    ("width", ["0", "-1", "10001", 1.5, True, "1e3", "9" * 5_000], "an integer from 1 to 10000"),
    ("height", ["0", "10001", "tall"], "an integer from 1 to 10000"),
    ("background", ["white", "FFFFFF", "#FFF", "#FFFFFFF", "#GGGGGG", "#+12345", "#-12345", "#1_2345", 0xFFFFFF],
     "a colour like #FFFFFF"),
    ("tick", ["-1", "10001", "nan", "inf", "fast", True], "a number from 0 to 10000"),
    ("rate_limit", ["", "0", "-5/s", "nan", "inf", "1e7/s", "100/m", "OFF", True, "/s"],
     "a number per second like 100/s, or off"),
    ("max_connections", ["0", "-1", "1000001", "many"], "an integer from 1 to 1000000"),
    ("trusted_proxy", ["proxy.example", "10.0.0.0/33", "10.0.0.1/8", 5.5],
     "addresses or networks like 10.0.0.0/8, or unix"),
    ("origin", ["example.org", "https://", "https://a/b", "https://user@a", 7],
     "origins like https://example.org, same, or *"),
    ("max_connections_per_ip", ["0", "-1", "few", True], "an integer from 1 to 1000000, or off"),
    ("max_message_size", ["0", "1023", "1MB"], "an integer from 1024 to 1073741824"),
    ("ping_interval", ["-1", "off", "nan"], "a number from 0 to 86400"),
    ("palette", ["red", "#FF", "#FF0000;#00FF00", 5], "colours like #FF0000,#00FF00, or off"),
    ("cooldown", ["", "0", "-1", "30-1", "1-", "fast", True, "nan", "1-inf"],
     "seconds like 5, or 1-30 from few to many users, or off"),
    ("locked", ["0,0", "0,0,0,0", "-1,0,1,1", "a,b,c,d", "0,0,1,1,0,0,1,1"], "areas like 0,0,100,50;200,0,10,10"),
    ("drain_timeout", ["-1", "3601", "nan", "forever"], "a number from 0 to 3600"),
    ("log_level", ["", "INFO", "verbose", 3], "one of debug, info, warning, error"),
    ("log_format", ["", "JSON", "logfmt", 1], "one of console, json"),
    ("echo", ["", "maybe", 1, 2.0], "true or false"),
    ("show_values", ["", "maybe", 1], "true or false"),
    ("console_port", ["", "none", "-1", "65536", True, 1.5], "an integer from 0 to 65535, auto or off"),
    ("console_names", ["", "a,,b", 1, [1]], "host names separated by commas"),
    ("console_origin", ["*", "same", "https://a,same", "example.org", "https://a/b", 1],
     "origins like https://console.example.org"),
    ("console_user_header", ["", "a b", "a:b", "ä", 1], "a header name like X-Remote-User"),
    ("console_users", ["ann", "ann=root", "=look", "ann=", 1],
     "users and their roles like ann=administer,*=look (look, moderate, administer)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [(option, value, allowed) for option, values, allowed in BAD for value in values],
    ids=lambda part: str(part)[:20],
)
def test_bad_value_is_refused_with_option_value_and_what_is_allowed(option: str, value: Any, allowed: str) -> None:
    flag = "--" + option.replace("_", "-")
    assert refusal(option=option, value=value) == f"{flag} must be {allowed}, got {value!r}"


def test_refusal_names_the_source_of_the_value() -> None:
    with pytest.raises(ConfigError, match=re.escape("CANOPY_RATE_LIMIT must be")):
        read_config({}, {"CANOPY_RATE_LIMIT": "lots"})
    with pytest.raises(ConfigError, match=r"^rate-limit must be"):
        read_config({}, {}, {"rate-limit": "lots"})


def test_configuration_knows_what_was_given_and_under_which_name() -> None:
    config = read_config({"width": "7", "port": None}, {"CANOPY_HEIGHT": "5"}, {"rate-limit": 3})
    assert config.given == {"width": "--width", "height": "CANOPY_HEIGHT", "rate_limit": "rate-limit"}


def test_every_option_is_read_and_has_a_flag() -> None:
    every = {
        "host": "h", "port": "1", "data": "d", "store": "memory", "width": "1", "height": "1", "background": "#000000",
        "tick": "1", "rate_limit": "1", "max_connections": "1", "drain_timeout": "1", "log_level": "error",
        "log_format": "json", "show_values": "on",
        "compression": "on", "echo": "on", "console_host": "::1", "console_port": "off", "console_names": "a,b",
        "console_origin": "https://a.example,https://b.example:8443", "console_user_header": "X-Remote-User",
        "console_users": "ann=administer,*=look",
        "console_insecure": "on", "unix": "u", "unix_mode": "0660",
        "base_path": "/a/", "console_base_path": "/b", "tls_cert": "c", "tls_key": "k",
        "trusted_proxy": "10.0.0.0/8,unix", "origin": "https://example.org,same", "max_connections_per_ip": "5",
        "max_new_connections_per_ip": "off",
        "max_message_size": "2000", "request_timeout": "1", "ping_interval": "0", "pong_timeout": "1",
        "stall_timeout": "1", "durability": "none", "palette": "#FF0000", "cooldown": "5",
        "locked": "0,0,1,1", "read_only": "yes",
    }  # fmt: skip
    assert set(every) == set(Config.__dataclass_fields__) - {"given"}
    assert read_config(every, {}) == read_config({}, {f"CANOPY_{name.upper()}": each for name, each in every.items()})


def test_header_of_users_needs_a_proxy_that_is_trusted_and_their_roles() -> None:
    header, roles = {"console_user_header": "X-Remote-User"}, {"console_users": "ann=look"}
    proxy = {"trusted_proxy": "10.0.0.1"}
    for flags in ({**header, **roles}, {**header, **proxy}, roles, {**roles, **proxy}):
        with pytest.raises(ConfigError, match="--console-user"):
            read_config(flags, {})
    assert read_config({**header, **roles, **proxy}, {}).console_users == (("ann", Access.LOOK),)


@given(
    st.sampled_from(sorted(Config.__dataclass_fields__)),
    st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.integers()) | st.none(),
)
def test_any_value_of_any_option_is_read_or_refused(option: str, value: Any) -> None:
    with contextlib.suppress(ConfigError):
        config = read_config({}, {}, {option: value})
        assert 0 <= config.background <= 0xFFFFFF


# The file.


def test_file_is_toml(tmp_path: Path) -> None:
    file = tmp_path / "canopy.toml"
    file.write_text('port = 9000\nrate-limit = "50/s"\necho = true\n')
    config = read_config({}, {}, read_toml(file))
    assert (config.port, config.rate_limit, config.echo) == (9000, RateLimit(50, 100), True)


def test_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "canopy.toml"
    file.write_text("port 9000\n")
    with pytest.raises(ConfigError, match=r"--config must be a TOML file \(.*line 1.*canopy\.toml'"):
        read_toml(file)


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "canopy.toml"
    file.write_bytes(b"host = '\xff'\n")
    with pytest.raises(ConfigError, match="--config must be a TOML file"):
        read_toml(file)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--config must be a readable file"):
        read_toml(tmp_path / name)
