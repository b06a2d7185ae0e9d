"""What the server allows its clients, as the configuration and the limits of the process say."""

import resource
from typing import Any

import pytest
from structlog.testing import capture_logs

from canvas.config import Config
from canvas.listeners import MAX_DISMISSALS, OTHER_FILES, Capacity, policy_of, raise_open_file_limit
from protocol import Compression, Limits
from supervision.server.addresses import Proxies

PROXIES = Proxies.parse(["10.0.0.0/8"])


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The soft and the hard limit of open files; only of these, and only for the test."""
    limits = [100_000, 100_000]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.__setitem__(slice(None), new))
    return limits


@pytest.mark.parametrize(
    ("option", "given", "name", "expected"),
    [
        ("max_connections", 7, "max_connections", 7),
        ("max_connections", 1_000_000, "max_connections", 100_000 - OTHER_FILES),
        ("max_connections_per_ip", 3, "max_per_address", 3),
        ("max_connections_per_ip", None, "max_per_address", None),
        ("max_new_connections_per_ip", 4, "max_arrivals", 4),
        ("max_message_size", 5_000, "limits", Limits(message=5_000)),
        ("compression", True, "compression", Compression()),
        ("compression", False, "compression", None),
        ("tls_cert", None, "tls", None),
        ("trusted_proxy", PROXIES, "proxies", PROXIES),
        ("request_timeout", 1.5, "request_timeout", 1.5),
        ("ping_interval", 2.5, "ping_interval", 2.5),
        ("ping_interval", 0.0, "ping_interval", None),
        ("pong_timeout", 3.5, "pong_timeout", 3.5),
        ("stall_timeout", 4.5, "stall_timeout", 4.5),
    ],
)
def test_option_is_the_rule_of_the_server(limits: list[int], option: str, given: Any, name: str, expected: Any) -> None:
    assert getattr(policy_of(Config(**{option: given})), name) == expected


@pytest.mark.parametrize("files", [*range(1, 60), 128, 256, 400, 599, 600, 601, 1_024, 1_600, 1_601, 4_096, 100_000])
def test_at_least_half_of_the_files_are_for_clients_and_so_many_at_most_for_all_else(files: int) -> None:
    capacity = Capacity.of(files)
    others = files - capacity.connections
    assert 2 * capacity.connections >= files
    assert capacity.dismissals == min(MAX_DISMISSALS, files // 8)
    assert capacity.dismissals <= others <= OTHER_FILES
    if files >= 8 * MAX_DISMISSALS:
        assert others == OTHER_FILES


UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised", "warned"),
    [
        (1_024, 100_000, 15_000, 15_000 + OTHER_FILES, None),
        (1_024, UNLIMITED, 15_000, 15_000 + OTHER_FILES, None),
        (50_000, 100_000, 15_000, 50_000, None),
        (15_000 + OTHER_FILES, 100_000, 15_000, 15_000 + OTHER_FILES, None),
        (UNLIMITED, UNLIMITED, 15_000, UNLIMITED, None),
        (1_024, 4_096, 15_000, 4_096, 4_096 - OTHER_FILES),
        (4_096, 4_096, 15_000, 4_096, 4_096 - OTHER_FILES),
    ],
)
def test_process_takes_the_files_that_clients_need_and_says_so_if_it_cannot(
    limits: list[int], soft: int, hard: int, connections: int, raised: int, warned: int | None
) -> None:
    limits[:] = soft, hard
    with capture_logs() as logs:
        raise_open_file_limit(connections)
    assert limits == [raised, hard]
    told = [(log["event"], log["wanted"], log["max_connections"], log["open_files"]) for log in logs]
    expected = ("canopy.fewer_connections", connections, warned, raised)
    assert told == ([] if warned is None else [expected])


def test_system_that_refuses_more_files_is_no_failure(limits: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    limits[:] = 1_024, UNLIMITED

    def refuse(*_: object) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with capture_logs() as logs:
        raise_open_file_limit(15_000)
    assert [log["max_connections"] for log in logs] == [Capacity.of(1_024).connections]
