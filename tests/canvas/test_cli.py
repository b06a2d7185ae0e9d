"""The command line: what is wrong is told in one line and exit code 2, and a running instance can be seen and hurt."""

import asyncio
import contextlib
import io
import json
import os
import re
import resource
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis.strategies import integers

from actors import SHUTDOWN, GenServer, Ref, start
from actors.debug import force_exit
from canvas.application import CanvasApplication
from canvas.cli import main
from canvas.listeners import MAX_DISMISSALS, OTHER_FILES, Capacity
from supervision import GAVE_UP
from supervision.console.terminal.client import ask_admin
from tests.support.full_pipe import FullPipe
from tests.support.instance import new_application, running
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

ROOT = Path(__file__).parent.parent.parent
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}


class Outcome:
    """What one command printed, and its exit code."""

    def __init__(self, code: int, output: str, errors: str) -> None:
        self.code = code
        self.output = output
        self.errors = errors

    @property
    def error(self) -> str:
        """The one line of a failure."""
        assert self.output == ""
        assert self.errors.endswith("\n")
        (line,) = self.errors.splitlines()
        assert line.startswith("canopy: ")
        return line.removeprefix("canopy: ")


Command = Callable[..., Outcome]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs `canopy ARGUMENT...` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("CANOPY_"):
            monkeypatch.delenv(name)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["canopy", *arguments])
        capfd.readouterr()
        configuration = structlog.get_config()
        try:
            with pytest.raises(SystemExit) as end:
                main()
        finally:
            structlog.configure(**configuration)
        output, errors = capfd.readouterr()
        return Outcome(end.value.code, output, errors)  # type: ignore[arg-type]

    return run


class Instance:
    """A running `canopy run`.

    Attributes:
        log: what it has logged
        url: where it listens
        port: its port, or 0
    """

    def __init__(self, data: Path, *arguments: str, **options: Any) -> None:
        self.data = data
        command = [sys.executable, "-m", "canvas", "run", "--port", "0", "--data", str(data), *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        self.log = ""
        url = re.search(r'url(?:=|": ")([^\s"]+)', self.wait_for("canopy.ready"))
        assert url is not None
        self.url = url[1]
        self.port = int(self.url.rpartition(":")[2]) if self.url.startswith("http") else 0

    def wait_for(self, event: str) -> str:
        """Read the log up to a line with `event`; returns that line."""
        assert self.process.stderr is not None
        line: str
        for line in self.process.stderr:
            self.log += line
            if event in line:
                return line
        raise AssertionError(f"ended with {self.process.wait()} before {event}:\n{self.log}")

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        self.log += self.process.stderr.read()
        assert self.process.stdout.read() == ""
        return self.process.wait()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    """A running instance."""
    with started(tmp_path / "data", "--width", "16", "--height", "16") as running:
        yield running


@contextlib.contextmanager
def started(data: Path, *arguments: str, **options: Any) -> Iterator[Instance]:
    """Run an instance, and leave nothing of it behind."""
    running = Instance(data, *arguments, **options)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.end()
    for pipe in (running.process.stdout, running.process.stderr):
        assert pipe is not None
        pipe.close()


# What is wrong is told in one line.


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--port", "http"], "--port must be an integer from 0 to 65535, got 'http'"),
        (["--port", "65536"], "--port must be an integer from 0 to 65535, got '65536'"),
        (["--width", "0"], "--width must be an integer from 1 to 10000, got '0'"),
        (["--height", "-3"], "--height must be an integer from 1 to 10000, got '-3'"),
        (["--background", "white"], "--background must be a colour like #FFFFFF, got 'white'"),
        (["--store", "stone"], "--store must be one of sqlite, memory, got 'stone'"),
        (["--tick", "soon"], "--tick must be a number from 0 to 10000, got 'soon'"),
        (["--rate-limit", "much"], "--rate-limit must be a number per second like 100/s, or off, got 'much'"),
        (["--max-connections", "0"], "--max-connections must be an integer from 1 to 1000000, got '0'"),
        (["--unix-mode", "rw"], "--unix-mode must be file permissions like 0660, as a string, got 'rw'"),
        (["--base-path", "canvas"], "--base-path must be a path like /canvas, got 'canvas'"),
        (["--console-base-path", "/a b"], "--console-base-path must be a path like /canvas, got '/a b'"),
        (["--log-level", "loud"], "--log-level must be one of debug, info, warning, error, got 'loud'"),
        (["--config", "missing.toml"],
         "--config must be a readable file (No such file or directory), got 'missing.toml'"),
    ],
    ids=lambda part: part[0] if isinstance(part, list) else "",
)  # fmt: skip
def test_bad_value_is_told_with_what_is_allowed(command: Command, arguments: list[str], error: str) -> None:
    outcome = command("run", *arguments)
    assert (outcome.code, outcome.error) == (2, error)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--prot", "80"], ["run", "--port"], ["run", "extra"], ["paint"], ["tree", "--jsn"], ["crash"],
        ["crash", "1", "2"], ["--nonsense"], ["run", "--echo=maybe"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_bad_command_line_is_told_in_one_line(command: Command, arguments: list[str]) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2
    assert outcome.error


def test_bad_value_in_the_environment_is_told_with_its_variable(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANOPY_TICK", "never")
    outcome = command("run")
    assert (outcome.code, outcome.error) == (2, "CANOPY_TICK must be a number from 0 to 10000, got 'never'")


def test_bad_line_in_the_file_is_told_with_its_name(command: Command, tmp_path: Path) -> None:
    (tmp_path / "canopy.toml").write_text("color = 'red'\n")
    outcome = command("run", "--config", "canopy.toml")
    assert outcome.code == 2
    assert outcome.error.startswith("a name in the configuration file must be one of ")
    assert outcome.error.endswith("got 'color'")


def test_port_in_use_is_told_in_one_line(command: Command, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = command("run", "--port", str(port))
    assert (outcome.code, outcome.error) == (2, f"--port {port} on 127.0.0.1 is in use by another program")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "not a host", "h" * 300])
def test_host_that_cannot_be_listened_on_is_told_with_the_option(command: Command, host: str) -> None:
    outcome = command("run", "--host", host, "--port", "0")
    assert outcome.code == 2
    assert outcome.error.startswith(f"--host {host}")


def test_data_folder_that_is_a_file_is_told_with_the_option(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "file/below"):
        outcome = command("run", "--port", "0", "--data", name)
        assert outcome.code == 2
        assert outcome.error.startswith(f"--data {name}")


def test_data_folder_whose_name_is_too_long_for_a_socket_is_told_with_the_option(command: Command) -> None:
    name = "d" * 120
    outcome = command("run", "--port", "0", "--data", name)
    assert outcome.code == 2
    assert outcome.error.startswith(f"--data {name}")


@pytest.mark.parametrize("arguments", [["tree"], ["tree", "--json"], ["crash", "1"]], ids=" ".join)
def test_no_instance_is_told_in_one_line(command: Command, tmp_path: Path, arguments: list[str]) -> None:
    outcome = command(*arguments, "--data", str(tmp_path))
    assert outcome.code == 1
    assert outcome.error.startswith(f"no canopy answers at {tmp_path}/admin.sock (")


def test_help_is_no_error(command: Command) -> None:
    outcome = command("--help")
    assert outcome.code == 0
    for word in ("run", "tree", "crash"):
        assert word in outcome.output


# A running instance.


def test_instance_is_shown_hurt_and_stopped(instance: Instance, command: Command) -> None:
    data = str(instance.data)
    shown = command("tree", "--data", data)
    assert shown.code == 0
    lines = shown.output.splitlines()
    assert re.fullmatch(r"canopy <\d+>  Supervisor, \w+, 0 restarts, 0 waiting", lines[0])
    assert [line.strip("│├└─ ").split(" <")[0] for line in lines][1:7] == [
        "registry", "store", "encoder", "broadcaster", "canvas", "server"
    ]  # fmt: skip

    top = json.loads(command("tree", "--json", "--data", data).output)
    assert set(top) == {"ref", "label", "kind", "state", "restarts", "mailbox", "children"}
    children = {child["label"]: child for child in top["children"]}

    crashed = command("crash", children["canvas"]["ref"], "--data", data)
    assert (crashed.code, crashed.output) == (0, f"crashed canvas <{children['canvas']['ref']}>\n")
    again = json.loads(command("tree", "--json", "--data", data).output)
    assert {child["label"]: child["restarts"] for child in again["children"]} == {
        "registry": 0, "store": 0, "encoder": 0, "broadcaster": 0, "canvas": 1, "server": 0, "console": 0,
        "on_demand": 0,
    }  # fmt: skip

    refused = command("crash", top["ref"], "--data", data)
    assert (refused.code, refused.error) == (
        1, "the root of the tree cannot be ended: no supervisor would restart it"
    )  # fmt: skip
    for ref in ("424242", "canvas", "no such actor", "ä/../ö", "?"):
        unknown = command("crash", ref, "--data", data)
        assert (unknown.code, unknown.error) == (1, f"there is no actor {ref}")

    second = command("run", "--port", "0", "--data", data)
    assert second.code == 2
    assert second.error == f"--data {data} is in use by another canopy"

    instance.process.send_signal(signal.SIGTERM)
    assert instance.end() == 0
    assert "Traceback" not in instance.log
    assert not (instance.data / "admin.sock").exists()


def test_first_signal_says_goodbye_and_the_second_ends_at_once(instance: Instance) -> None:
    with socket.create_connection(("127.0.0.1", instance.port)) as client:
        client.sendall(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert client.recv(12) == b"HTTP/1.1 101"
        instance.process.send_signal(signal.SIGINT)
        while "connections=1" not in instance.wait_for("server.draining"):
            pass  # the console's server drains first
        instance.process.send_signal(signal.SIGINT)  # the client has not answered, and never will
        assert instance.end() == 1
    assert "Traceback" not in instance.log
    assert instance.log.splitlines()[-1] == "canopy: the application ended: killed"
    assert not (instance.data / "admin.sock").exists()


def test_instance_that_was_killed_leaves_nothing_that_stops_the_next(instance: Instance, tmp_path: Path) -> None:
    instance.process.kill()
    assert instance.end() == -signal.SIGKILL
    assert (instance.data / "admin.sock").is_socket()
    successor = Instance(instance.data)
    successor.process.send_signal(signal.SIGTERM)
    assert successor.end() == 0
    for pipe in (successor.process.stdout, successor.process.stderr):
        assert pipe is not None
        pipe.close()


@pytest.mark.parametrize(
    ("reason", "code", "lines"),
    [
        (GAVE_UP, 1, ["canopy: the application canopy gave up: its processes failed too often"]),
        ("crash", 1, ["canopy: the application canopy ended by itself: crash"]),
        (SHUTDOWN, 0, []),
    ],
    ids=["gave up", "crashed", "in order"],
)  # fmt: skip
def test_an_instance_that_ends_by_itself_exits_with_1_and_one_line_unless_that_is_in_order(
    command: Command, monkeypatch: pytest.MonkeyPatch, reason: object, code: int, lines: list[str]
) -> None:
    start = CanvasApplication.start

    async def start_and_end(self: CanvasApplication) -> Ref:
        top = await start(self)
        asyncio.get_running_loop().call_soon(force_exit, top, reason)
        return top

    monkeypatch.setattr(CanvasApplication, "start", start_and_end)
    outcome = command("run", "--port", "0", "--console-port", "off", "--store", "memory")
    assert outcome.code == code
    assert [line for line in outcome.errors.splitlines() if line.startswith("canopy: ")] == lines
    assert "Traceback" not in outcome.errors


def test_version_is_printed(command: Command) -> None:
    outcome = command("--version")
    assert (outcome.code, outcome.output, outcome.errors) == (0, f"canopy {version('canopy')}\n", "")


def test_unknown_variable_is_told_in_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANOPY_PROT", "80")
    outcome = command("run")
    assert outcome.code == 2
    assert outcome.error.startswith("a variable CANOPY_... of the environment must be one of CANOPY_BACKGROUND, ")
    assert "did you mean CANOPY_PORT" in outcome.error


# Tokens of the console.


def test_tokens_are_added_listed_and_revoked(command: Command, tmp_path: Path) -> None:
    added = command("token", "add", "ann", "--role", "moderate", "--for", "1d")
    assert (added.code, added.errors) == (0, "")
    secret = added.output.strip()
    assert len(secret) >= 43
    command("token", "add", "prometheus")
    listed = command("token", "list").output.splitlines()
    assert re.fullmatch(r"ann  moderate  until \d{4}-\d\d-\d\d \d\d:\d\d", listed[0])
    assert listed[1:] == ["prometheus  look  for good"]
    assert secret not in "".join(listed)
    assert stat.S_IMODE((tmp_path / "canopy-data").stat().st_mode) == 0o700
    assert command("token", "revoke", "ann").output == "ann is revoked\n"
    assert command("token", "list").output.splitlines() == listed[1:]


def test_token_that_cannot_be_is_refused_in_one_line(command: Command, tmp_path: Path) -> None:
    assert command("token", "revoke", "ann").error.endswith("canopy-data cannot be used: No such file or directory")
    command("token", "add", "ann")
    assert command("token", "add", "ann").error == "there is already a token ann: revoke it, or choose another name"
    assert command("token", "add", "bob", "--for", "ever").error == "--for must be a span like 30d or 12h, got 'ever'"
    assert command("token", "revoke", "eve").error == "there is no token eve"
    path = tmp_path / "canopy-data" / "tokens.json"
    path.chmod(0o666)
    assert "is writable by other users: check its content, then run chmod 600" in command("token", "list").error


def test_keys_of_identities_are_rotated(command: Command, tmp_path: Path) -> None:
    data = tmp_path / "canopy-data"
    data.mkdir()
    for keep, count in (("1", 2), ("1", 2), ("5", 3), ("0", 1)):
        rotated = command("rotate-identity", "--keep", keep)
        assert rotated.output == f"from the next start on, a new key signs; keys that verify: {count}\n"
        assert (data / "identity.key").stat().st_size == 32 * count


def test_folder_that_others_could_write_to_ends_the_start_with_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "canopy-data").mkdir()
    (tmp_path / "canopy-data").chmod(0o777)
    told = command("run", "--port", "0", "--console-port", "0").error
    path = tmp_path / "canopy-data"
    text = "is writable by other users: check its content, then run chmod 700"
    assert told == f"--data canopy-data: {path} {text} {path}"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_code_that_logs_in_is_told_to_a_terminal_alone(tmp_path: Path, is_terminal: bool) -> None:
    terminal, stderr = os.openpty() if is_terminal else os.pipe()
    command = [sys.executable, "-m", "canvas", "run", "--port", "0", "--console-port", "0", "--store", "memory"]
    with subprocess.Popen([*command, "--data", str(tmp_path)], cwd=ROOT, env=CLEAN, stderr=stderr) as process:
        os.close(stderr)
        with open(terminal, errors="replace") as lines:
            told = next(line for line in iter(lines.readline, "") if line.startswith("console: "))
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(OSError):  # what a terminal says when the other side has gone
                lines.read()
    if is_terminal:
        assert re.fullmatch(
            r"console: http://127\.0\.0\.1:\d+/#code=\S{43} \(logs in once, within 10 minutes\)\s*", told
        )
    else:
        link = f"`canopy token link --data {tmp_path}` prints a link that logs in"
        assert re.fullmatch(rf"console: http://127\.0\.0\.1:\d+/ \({re.escape(link)}\)\s*", told)


# What it listens on.


def get(address: socket.socket) -> bytes:
    """Ask for its health over a connected socket."""
    with address:
        address.sendall(b"GET /healthz HTTP/1.1\r\nHost: canopy\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: address.recv(4096), b""))


def test_every_line_of_a_json_log_is_an_object_and_none_shows_the_token(tmp_path: Path) -> None:
    with started(tmp_path / "data", "--log-format", "json", "--console-port", "0") as it:
        it.wait_for("canopy.console")
        it.process.send_signal(signal.SIGTERM)
        assert it.end() == 0
        events = {line["event"]: line for line in map(json.loads, it.log.splitlines())}
        assert list(events)[-1] == "application.stopped"
        assert events["canopy.console"]["url"].startswith("http://127.0.0.1:")
        assert (tmp_path / "data" / "console-token").read_text().strip() not in it.log


def test_instance_on_a_unix_socket_answers_and_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "canopy.sock"
    with started(tmp_path / "data", "--unix", str(path), "--unix-mode", "0660") as running:
        assert running.url == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        assert get(client).startswith(b"HTTP/1.1 200 OK")
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
    assert not path.exists()


def test_instance_may_have_a_file_for_every_connection(tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 1_000))

    with started(tmp_path / "data", "--max-connections", "500", preexec_fn=few) as running:
        assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE) == (500 + OTHER_FILES, 1_000)
    with started(tmp_path / "data", "--max-connections", "5000", preexec_fn=few) as running:
        assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE) == (1_000, 1_000)


def test_crowd_leaves_the_application_the_files_it_needs(tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    with started(tmp_path / "data", preexec_fn=few) as running, contextlib.ExitStack() as stack:
        address = "127.0.0.1", running.port
        visitor, *crowd = (stack.enter_context(socket.create_connection(address)) for _ in range(160))
        crowd[-1].recv(1_000)  # by now everybody was let in, or refused
        paths = ("/healthz", "/api/pixel?x=1&y=5", "/api/canvas.png?every=50")
        for path in paths:
            visitor.sendall(f"GET {path} HTTP/1.1\r\nHost: canopy\r\n\r\n".encode())
        visitor.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: visitor.recv(65_536), b""))
        assert answers.count(b"HTTP/1.1 200 OK\r\n") == len(paths)
        running.process.send_signal(signal.SIGTERM)
        running.end()
    (line,) = (line for line in running.log.splitlines() if "canopy.fewer_connections" in line)
    assert "max_connections=50" in line


@given(files=integers(8, 2_000_000))
def test_capacity_leaves_files_for_what_is_no_client(files: int) -> None:
    capacity = Capacity.of(files)
    rest = files - capacity.connections - capacity.dismissals
    assert rest == min(OTHER_FILES - MAX_DISMISSALS, files // 2 - files // 8)
    assert capacity.connections >= files // 2
    assert 0 < capacity.dismissals <= MAX_DISMISSALS


def test_instance_with_a_certificate_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with started(tmp_path / "data", "--tls-cert", str(certificate), "--tls-key", str(key)) as running:
        assert running.url == f"https://127.0.0.1:{running.port}"
        with urllib.request.urlopen(f"{running.url}/healthz", context=trust) as response:
            assert response.status == 200


def write_certificate(authority: trustme.CA, folder: Path) -> bytes:
    """Write cert.pem and key.pem; returns the certificate as a client sees it."""
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def certificate_at(port: int, trust: ssl.SSLContext) -> bytes | None:
    """The certificate that a server shows."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        return client.getpeercert(binary_form=True)


def test_sighup_reloads_the_certificate_and_ends_nothing(tmp_path: Path) -> None:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    first = write_certificate(authority, tmp_path)
    options = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with started(tmp_path / "data", *options) as running:
        plain = socket.create_connection(("127.0.0.1", running.port))
        with trust.wrap_socket(plain, server_hostname="127.0.0.1") as before:
            assert before.getpeercert(binary_form=True) == first

            second = write_certificate(authority, tmp_path)
            running.process.send_signal(signal.SIGHUP)
            running.wait_for("canopy.reloaded")
            assert certificate_at(running.port, trust) == second != first

            (tmp_path / "key.pem").write_text("no key")
            running.process.send_signal(signal.SIGHUP)
            assert "--tls-cert" in running.wait_for("canopy.not_reloaded")
            assert certificate_at(running.port, trust) == second

            before.sendall(b"GET /healthz HTTP/1.1\r\nHost: canopy\r\nConnection: close\r\n\r\n")
            assert before.recv(4096).startswith(b"HTTP/1.1 200 OK")
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0


@live
async def test_reloading_gives_the_new_certificate_to_the_console_too(tmp_path: Path) -> None:
    write_certificate(trustme.CA(), tmp_path)
    options = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    application = new_application(tmp_path / "data", console_host="0.0.0.0", console_port=0, **options)
    async with running(application):
        assert application.console.web is not None
        servers = (application.sockets, application.console.web)
        before = [sockets.policy.tls for sockets in servers]
        write_certificate(trustme.CA(), tmp_path)
        application.reload_certificates()
        after = [sockets.policy.tls for sockets in servers]
        assert None not in before + after
        assert set(before).isdisjoint(after)
        assert application.console.admin.policy.tls is None


def test_sighup_ends_no_instance_without_a_certificate(instance: Instance) -> None:
    instance.process.send_signal(signal.SIGHUP)
    instance.wait_for("canopy.reloaded")
    instance.process.send_signal(signal.SIGTERM)
    assert instance.end() == 0


def test_instance_takes_over_the_socket_that_systemd_has_bound(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = door.fileno()

        def hand_over() -> None:  # between fork and exec, as systemd does it
            os.dup2(number, 3)
            os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), "1"
            os.execve(sys.executable, [sys.executable, *arguments], os.environ)

        arguments = ["-m", "canvas", "run", "--data", str(tmp_path / "data"), "--width", "16", "--height", "16"]
        with started(tmp_path / "data", preexec_fn=hand_over, pass_fds=(number, 3)) as running:
            assert running.port == door.getsockname()[1]
            assert get(socket.create_connection(door.getsockname())).startswith(b"HTTP/1.1 200 OK")


# A log that is not read.


@contextlib.contextmanager
def unread(data: Path, stderr: int | None, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """Run an instance without reading its log; yields its process and its address.

    Its socket is handed over as systemd does it: a client can connect before the process listens, and waits until then.
    """
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = door.fileno()
        command = [sys.executable, "-m", "canvas", "run", "--data", str(data), "--console-port", "off", *arguments]

        def hand_over() -> None:
            os.dup2(number, 3)
            if stderr is None:
                os.close(2)
            environment = {**CLEAN, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
            os.execve(sys.executable, command, environment)

        process = subprocess.Popen(command, cwd=ROOT, preexec_fn=hand_over, pass_fds=(number, 3), stderr=stderr)
        try:
            yield process, door.getsockname()
        finally:
            process.kill()
            process.wait()


def is_healthy(address: Any) -> bool:
    """Tell whether an instance that will listen there, or does, answers."""
    return get(socket.create_connection(address, timeout=60)).startswith(b"HTTP/1.1 200 OK")


def log_usage(data: Path) -> float:
    """How full the queue of the log is, from 0 to 1."""
    limits = ask_admin(data, "GET", "/api/v1/overview")["limits"]
    return float(next(usage["share"] for usage in limits if usage["name"] == "log"))


def test_instance_starts_if_nobody_reads_its_log(tmp_path: Path) -> None:
    full = FullPipe()
    with unread(tmp_path, full.writing) as (_, address):
        assert is_healthy(address)
    assert full.read() == b""


def test_instance_starts_without_a_stderr(tmp_path: Path) -> None:
    with unread(tmp_path, None) as (_, address):
        assert is_healthy(address)


def test_instance_whose_log_is_no_longer_read_serves_and_stops(tmp_path: Path) -> None:
    pipe = FullPipe()
    with unread(tmp_path, pipe.writing) as (process, address):
        pipe.read_until(b"canopy.ready")
        pipe.fill()
        for level in ("debug", "info"):
            ask_admin(tmp_path, "POST", "/api/v1/log-level", {"level": level})
        assert is_healthy(address)
        assert log_usage(tmp_path) > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    pipe.close()


def test_log_flows_again_when_it_is_read(tmp_path: Path) -> None:
    pipe = FullPipe()
    with unread(tmp_path, pipe.writing) as (process, _):
        pipe.read_until(b"canopy.ready")
        pipe.fill()
        ask_admin(tmp_path, "POST", "/api/v1/log-level", {"level": "debug"})
        pipe.read_until(b"console.action")
        process.send_signal(signal.SIGTERM)
        pipe.read_until(b"server.draining")
        assert process.wait(60) == 0
    pipe.close()


def test_command_that_fails_ends_with_its_exit_code_if_nobody_reads_why(tmp_path: Path) -> None:
    full = FullPipe()
    with unread(tmp_path, full.writing, "--tick", "never") as (process, _):
        assert process.wait(60) == 2
    full.close()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--tls-cert", "missing.pem"], "--tls-cert missing.pem cannot be used: No such file or directory"),
        (["--tls-key", "key.pem"], "--tls-key key.pem needs --tls-cert"),
        (["--unix", "no/such/folder.sock"], "--unix no/such/folder.sock cannot be used: No such file or directory"),
    ],
)
def test_door_that_cannot_be_opened_is_told_with_the_option(command: Command, arguments: list[str], error: str) -> None:
    outcome = command("run", "--port", "0", *arguments)
    assert (outcome.code, outcome.error) == (2, error)


def test_certificate_that_is_none_is_told_in_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    outcome = command("run", "--port", "0", "--tls-cert", "cert.pem")
    assert outcome.code == 2
    assert outcome.error.startswith("--tls-cert cert.pem cannot be used: ")


def test_encrypted_key_is_told_without_asking_for_its_passphrase(tmp_path: Path, command: Command) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    certificate = tmp_path / "cert.pem"
    certificate.write_bytes(issued.cert_chain_pems[0].bytes() + encrypted)
    outcome = command("run", "--port", "0", "--tls-cert", str(certificate))
    assert outcome.code == 2
    assert outcome.error.endswith(" cannot be used: the key is encrypted; use one without a passphrase")


def test_console_port_in_use_is_told_in_one_line(command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = command("run", "--port", "0", "--console-port", str(port))
    assert (outcome.code, outcome.error) == (2, f"--console-port {port} on 127.0.0.1 is in use by another program")


# Looking and touching.

EVIL = "\x1b[31mEve[/]\nroot <1>"


@pytest.mark.parametrize(
    "arguments",
    [
        ["top"], ["actor", "1"], ["crashes"], ["crashes", "1"], ["trace", "1"], ["tree", "--watch"],
        ["exit", "1", "--reason", "kill", "--yes"], ["restart", "1", "--yes"], ["suspend", "1", "--yes"],
        ["resume", "1", "--yes"], ["drain", "--yes"], ["log-level", "info", "--yes"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_instance_is_told_by_every_command(command: Command, tmp_path: Path, arguments: list[str]) -> None:
    outcome = command(*arguments, "--data", str(tmp_path))
    assert outcome.code == 1
    assert outcome.error.startswith(f"no canopy answers at {tmp_path}/admin.sock (")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["exit", "1"], "Missing option '--reason'"),
        (["exit", "1", "--reason", "boredom"], "'boredom' is not one of 'crash', 'shutdown', 'kill'"),
        (["log-level", "loud"], "'loud' is not one of"),
        (["crashes", "--case"], "--case needs the number of a crash"),
        (["console"], "the console needs a terminal"),
        (["drain"], "Disconnect all clients? Confirm with --yes: there is no terminal to ask on"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)  # fmt: skip
def test_what_cannot_be_meant_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    outcome = command(*arguments)
    assert outcome.code == 2
    assert error in outcome.error


def test_top_and_actor_are_text_or_json(instance: Instance, command: Command) -> None:
    data = str(instance.data)
    shown = command("top", "--limit", "3", "--sort", "label", "--data", data).output.splitlines()
    assert shown[0].startswith("up ")
    assert re.fullmatch(r"3 of \d+ actors; msgs and time of the last \d+ s", shown[2])
    assert shown[4].split()[:3] == ["Ref", "Label", "State"]
    assert [line.split()[1] for line in shown[5:]] == ["web", "store", "server"]
    refused = command("top", "--sort", "beauty", "--data", data)
    assert refused.error.startswith("sort must be one of ref, label, ")

    seen = json.loads(command("top", "--json", "--limit", "99", "--data", data).output)
    assert seen["overview"]["actors"] == seen["total"] == len(seen["actors"]) > 10
    (canvas,) = [row["ref"] for row in seen["actors"] if row["label"] == "canvas"]
    lines = command("actor", canvas, "--state", "--data", data).output.splitlines()
    assert lines[0] == f"canvas <{canvas}>"
    assert ["path", "canopy", "master", "/", "canopy", "/", "canvas"] in [line.split() for line in lines]
    assert any(line.startswith("self._grid") for line in lines)
    details = json.loads(command("actor", canvas, "--json", "--data", data).output)
    assert details["actor"]["label"] == "canvas"
    assert "state" not in details


def test_actors_are_touched_and_the_answer_is_told(instance: Instance, command: Command) -> None:
    data = str(instance.data)

    def ref_of(label: str) -> str:
        seen = json.loads(command("top", "--json", "--limit", "99", "--data", data).output)
        (ref,) = [row["ref"] for row in seen["actors"] if row["label"] == label]
        return str(ref)

    images = ref_of("images")
    for action in ("suspend", "resume", "restart"):
        done = command(action, images, "--yes", "--data", data)
        assert (done.code, done.output) == (0, f"done: {action} images <{images}>\n")
    images = ref_of("images")
    killed = command("exit", images, "--reason", "kill", "--yes", "--data", data)
    assert (killed.code, killed.output) == (0, f"done: kill images <{images}>\n")
    assert ref_of("images") != images
    gone = command("restart", images, "--yes", "--data", data)
    assert (gone.code, gone.error) == (1, f"there is no actor {images}")
    assert command("log-level", "debug", "--yes", "--data", data).output == "done: set log level debug\n"
    traced = command("trace", ref_of("images"), "--seconds", "0.01", "--data", data)
    assert (traced.code, traced.errors) == (0, "the trace ended: the time limit was reached\n")
    assert command("crashes", "--data", data).output == "nothing has crashed\n"
    assert command("crashes", "1", "--data", data).error == "there is no crash 1, or it is no longer kept"
    assert command("drain", "--yes", "--data", data).output == "done: drain\n"
    assert json.loads(command("top", "--json", "--data", data).output)["overview"]["is_draining"] is True


def test_watching_goes_on_until_it_is_interrupted(instance: Instance) -> None:
    for arguments in (["tree", "--json"], ["top"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "canvas", *arguments, "--watch", "--data", str(instance.data)],
            cwd=ROOT, env={**CLEAN, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            seen = 0
            for line in process.stdout:
                assert line.strip().isprintable()
                seen += line.startswith(("{", "up "))
                if seen == 2:
                    break
            process.send_signal(signal.SIGINT)
            assert process.stderr.read() == ""
        assert process.returncode == 0


@pytest.mark.parametrize("answer", ["y", "n"])
def test_terminal_is_asked(instance: Instance, command: Command, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    (top,) = [json.loads(command("tree", "--json", "--data", str(instance.data)).output)]
    (store,) = [child["ref"] for child in top["children"] if child["label"] == "store"]
    terminal = io.StringIO(f"{answer}\n")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    outcome = command("exit", store, "--reason", "crash", "--data", str(instance.data))
    question = f"End store <{store}> by crash? [y/N]: "
    expected = (0, f"{question}done: crash store <{store}>\n") if answer == "y" else (1, question)
    assert (outcome.code, outcome.output) == expected


@live
async def test_command_tells_of_a_ban_what_the_console_tells(command: Command, tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        eve = await WebSocketClient.open(application, "/ws?name=Eve")
        texts = {
            ("ban", "Eve", "--for", "1d"): "Eve (user1) is banned for 1 day. 1 connection was closed.",
            ("unban", "Eve"): "Eve (user1) is no longer banned.",
        }
        for arguments, text in texts.items():
            outcome = await asyncio.to_thread(command, *arguments, "--data", str(tmp_path))
            assert (outcome.code, outcome.output.splitlines()[-1]) == (0, text)  # below what the instance logs
        assert (await eve.end())[0] == 4403


@live
async def test_labels_are_text_in_every_command(command: Command, tmp_path: Path) -> None:
    async with running(new_application(tmp_path)):
        evil = await start(GenServer, name=EVIL)
        for arguments in (["top", "--limit", "100"], ["actor", str(evil.id)], ["crash", str(evil.id)]):
            outcome = await asyncio.to_thread(command, *arguments, "--data", str(tmp_path))
            assert outcome.code == 0, outcome.errors
            assert r"\x1b[31mEve[/]\nroot <1>" in outcome.output
            assert all(line.isprintable() for line in outcome.output.split("\n"))


@pytest.mark.parametrize("arguments", [["tree"], ["top"], ["run", "--port", "nonsense"]], ids=" ".join)
def test_only_the_console_imports_textual(tmp_path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "canvas", *arguments, "--data", str(tmp_path)]
    imported = subprocess.run(command, cwd=ROOT, env=CLEAN, capture_output=True, text=True, check=False).stderr
    assert "| canvas.cli.console\n" in imported.replace("|   ", "| ").replace("  ", "")
    assert "textual" not in imported
