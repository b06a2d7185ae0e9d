"""The console's port from outside: who is let in, and what every answer guards against."""

import re
import stat
from pathlib import Path

import orjson
import pytest

from actors import Ref, whereis
from canvas.application import CanvasApplication
from canvas.config import Config, ConfigError
from canvas.listeners import ListenerError
from supervision.console.api.principals import FREE_FAILURES, Access
from supervision.console.api.tokens import revoke_token
from supervision.console.web.gate import COOKIE
from supervision.server import Proxies
from tests.support.console import Asker, audit, console, cookie_of, log_in, logged_in
from tests.support.instance import new_application
from tests.support.raw_socket import HANDSHAKE
from tests.support.scenarios import live

IMG = "<img src=x onerror=alert(1)>"
FORMS = ["ban", "lift", "rollback"]


# Tokens and sessions.


@live
async def test_nothing_is_shown_without_a_token(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        for route in ann.application.console.routes:
            path = re.sub(r"\{\w+\}", "2", route.path)
            answer = await ann.anonymous().send(route.method, path, Origin="http://127.0.0.1")
            assert (path, answer.status) == (path, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in ("/static/index.html", "/nothing"):
            assert (await ann.anonymous().send("GET", path)).status == 401


@live
async def test_root_asks_for_the_token(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        answer = await ann.anonymous().send("GET", "/")
        assert answer.status == 401
        assert b'<form method="post" action="login">' in answer.body


@live
async def test_page_that_asks_for_the_token_says_why_the_last_one_was_refused(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        answer = await log_in(ann, "<img>")
        assert answer.status == 401
        assert b"the token is wrong" in answer.body
        assert b"img>" not in answer.body
        style = await ann.anonymous().send("GET", "/static/style.css")
        assert (style.status, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


@live
async def test_login_begins_a_session_whose_cookie_is_named_by_the_port(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        answer = await log_in(ann, ann.token or "")
        assert (answer.status, answer.headers["location"]) == (303, "./")
        name, *attributes = answer.headers["set-cookie"].split("; ")
        assert name.startswith(f"{COOKIE}_{ann.port}=")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes)
        assert ann.token is not None
        assert ann.token not in answer.headers["set-cookie"]
        shown = await ann.anonymous().send("GET", "/", Cookie=cookie_of(answer))
        assert shown.status == 200


@live
async def test_no_get_logs_in(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        for secret in (ann.token, (ann.application.console.link() or "").partition("=")[2]):
            for query in (f"token={secret}", f"code={secret}"):
                for path in ("/", "/login"):
                    answer = await ann.anonymous().send("GET", f"{path}?{query}")
                    assert "set-cookie" not in answer.headers
                    assert b"<form" in answer.body


@live
async def test_link_logs_in_once_and_with_its_role_alone(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        for role in Access:
            made = await ann.ask("POST", "links", {"role": role.value})
            root, _, code = made["url"].partition("#code=")
            assert root == ann.application.console.url == f"http://127.0.0.1:{ann.port}/"
            answer = await log_in(ann, code)
            session = await ann.anonymous().send("GET", "/api/v1/session", Cookie=cookie_of(answer))
            assert orjson.loads(session.body)["access"] == role.value
            assert (await log_in(ann, code)).status == 401
        await ann.reader().ask("POST", "links", status=403)


@live
async def test_nothing_that_began_with_a_token_outlives_it(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob = ann.holder("bob", Access.ADMINISTER)

        async def code() -> str:
            made: str = (await bob.ask("POST", "links"))["url"]
            return made.partition("#code=")[2]

        unused = await code()
        cookies = [await logged_in(bob), cookie_of(await log_in(bob, await code()))]
        origin = f"http://127.0.0.1:{ann.port}"
        for cookie in cookies:
            session = ann.anonymous()
            assert (await session.send("GET", "/api/v1/session", Cookie=cookie)).status == 200
            asked = {"Cookie": cookie, "Host": f"127.0.0.1:{ann.port}", "Origin": origin}
            answer = await session.send("POST", "/api/v1/links", **asked)
            assert answer.status == 403, "a session could go on for ever by links"
        revoke_token(tmp_path, "bob")
        for cookie in cookies:
            assert (await ann.anonymous().send("GET", "/api/v1/session", Cookie=cookie)).status == 401
        assert (await log_in(ann, unused)).status == 401


@live
async def test_login_by_the_form_and_logout(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob, origin = ann.anonymous(), f"http://127.0.0.1:{ann.port}"
        host = f"127.0.0.1:{ann.port}"
        answer = await bob.send("POST", "/login", f"token={ann.token}".encode(), Host=host, Origin=origin)
        cookie = cookie_of(answer)
        session = await bob.send("GET", "/api/v1/session", Cookie=f"other=1; {cookie}")
        assert orjson.loads(session.body)["access"] == "administer"
        gone = await bob.send("POST", "/logout", Host=host, Origin=origin, Cookie=cookie)
        assert gone.status == 303
        assert "Max-Age=0" in gone.headers["set-cookie"]
        assert (await bob.send("GET", "/api/v1/session", Cookie=cookie)).status == 401


@live
async def test_session_of_the_reading_token_may_only_read(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        cookie = await logged_in(ann.reader())
        origin = "http://127.0.0.1"
        session = await ann.anonymous().send("GET", "/api/v1/session", Cookie=cookie)
        assert orjson.loads(session.body) == {
            "access": "look", "who": "session of console-token-read (look) from 127.0.0.1", "application": "canopy",
            "servers": ["server"], "actions": [], "forms": []
        }  # fmt: skip
        crash = await ann.anonymous().send("POST", "/api/v1/actors/3/exit", Cookie=cookie, Origin=origin)
        assert crash.status == 403


@live
async def test_every_route_is_refused_to_the_roles_below_its_own(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        registry = whereis("registry")
        assert isinstance(registry, Ref)
        for role in (Access.LOOK, Access.MODERATE):
            asker = ann.holder(role.value, role)
            for route in ann.application.console.routes:
                if not role.covers(route.access):
                    path = re.sub(r"\{\w+\}", str(registry.id), route.path)
                    answer = await asker.send(route.method, path)
                    assert (path, answer.status) == (path, 403)
                    assert f"requires the role {route.access.value}" in answer.body.decode()
            assert (await asker.get("overview"))["actors"] > 10
            assert (await asker.send("GET", "/metrics")).status == 200
            session = await asker.get("session")
            assert session["actions"] == ([] if role is Access.LOOK else ["disconnect"])
            assert [form["id"] for form in session["forms"]] == ([] if role is Access.LOOK else FORMS)
        assert registry.is_alive()


@live
async def test_wrong_token_is_throttled_and_never_a_right_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervision.console.web.routes.DELAY", 0.0)
    async with console(tmp_path) as ann:
        mallory = Asker(ann.application, "x" * 43)
        cookie, link = await logged_in(ann), ann.application.console.link() or ""
        for _ in range(FREE_FAILURES):
            await mallory.ask("GET", "overview", status=401)
        for _ in range(3):
            refused = await mallory.send("GET", "/api/v1/overview")
            assert refused.status == (await log_in(mallory, "wrong")).status == 429
            assert int(refused.headers["retry-after"]) > 0
            assert (await ann.send("GET", "/api/v1/overview")).status == 200
            assert (await ann.reader().send("GET", "/metrics")).status == 200
            assert (await ann.anonymous().send("GET", "/api/v1/overview", Cookie=cookie)).status == 200
            await logged_in(ann)
        assert (await log_in(ann, link.partition("#code=")[2])).status == 303


@live
async def test_cookie_of_a_session_is_found_among_others_of_its_name(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        cookie, bob = await logged_in(ann), ann.anonymous()
        foreign = f"{COOKIE}_{ann.port}=foreign"
        for given in (f"{foreign}; {cookie}", f"{cookie}; {foreign}", "; ".join([foreign] * 50 + [cookie])):
            assert (await bob.send("GET", "/api/v1/overview", Cookie=given)).status == 200
        other = cookie.replace(str(ann.port), str(ann.port + 1))
        assert (await bob.send("GET", "/api/v1/overview", Cookie=other)).status == 401


@live
async def test_proxy_headers_do_not_make_another_address_of_a_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervision.console.web.routes.DELAY", 0.0)
    async with console(tmp_path) as ann:
        mallory = Asker(ann.application, "x" * 43)
        for number in range(FREE_FAILURES):
            address = f"10.0.0.{number}"
            headers = {"X_Forwarded_For": address, "Forwarded": f"for={address}", "X_Real_IP": address}
            assert (await mallory.send("GET", "/api/v1/overview", **headers)).status == 401
        assert (await mallory.send("GET", "/api/v1/overview", X_Forwarded_For="10.9.9.9")).status == 429
        local = await ann.anonymous().send("GET", "/api/v1/overview", X_Forwarded_For="127.0.0.1")
        assert local.status == 401


@live
async def test_form_or_header_that_makes_no_sense_is_a_wrong_token_and_crashes_nothing(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob = ann.anonymous()
        fields = "&".join(["token=x"] * 20)
        assert (await bob.send("POST", "/login", fields.encode())).status == 401
        assert (await bob.send("POST", "/login?" + fields)).status == 401
        assert (await bob.send("POST", "/login", b"\xff\x00=%zz&token=%ff")).status == 401
        assert (await bob.send("GET", "/metrics", Authorization="Bearer \xff")).status == 401
        name = f"{COOKIE}_{ann.port}"
        for cookie in (name, f"{name}=", f";;={name}; =", f"{name}=\xff", f"{name}=a; " * 50):
            answer = await bob.send("GET", "/api/v1/session", Cookie=cookie)
            assert (cookie, answer.status) == (cookie, 401)
        cookie = await logged_in(ann.reader())
        assert (await bob.send("GET", "/api/v1/session", Cookie=cookie)).status == 200
        assert (await bob.send("GET", "/api/v1/overview", Cookie=cookie)).body.count(b'"crashes":0') == 1


@live
async def test_number_that_is_none_of_those_allowed_is_refused(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        for number in ("-1", "0", "1001", "1e3", "%D9%A3", "9" * 40, "", "1.5", "nan"):
            refused = await ann.ask("GET", f"actors?limit={number}", status=400)
            assert refused["error"] == "limit must be an integer from 1 to 1000"
        trace = f"/api/v1/actors/{ann.application.top().id}/trace"
        for seconds in ("0", "-1", "61", "1e400", "9" * 400, "NaN", "null", "true", '"1"', "[" * 5000):
            answer = await ann.send("POST", trace, f'{{"seconds": {seconds}}}'.encode())
            assert (seconds, answer.status) == (seconds, 400)


# The files.


@live
async def test_tokens_are_made_once_and_are_the_owners_alone(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        first = ann.token
    for name in ("console-token", "console-token-read"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    async with console(tmp_path) as ann:
        assert ann.token == first
        assert ann.reader().token != ann.token


# Other sites.


@live
async def test_host_that_is_not_ours_is_refused_even_with_the_token(tmp_path: Path) -> None:
    async with console(tmp_path, console_names=("console.example",)) as ann:
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil@127.0.0.1", "a b"):
            answer = await ann.send("GET", "/api/v1/overview", Host=host)
            assert (host, answer.status in (400, 403)) == (host, True)
        for host in ("localhost", f"LOCALHOST:{ann.port}", "127.0.0.1", "[::1]:8001", "console.example", "10.1.2.3"):
            answer = await ann.send("GET", "/api/v1/overview", Host=host)
            assert (host, answer.status) == (host, 200)


@live
async def test_request_of_another_site_is_refused(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        cookie = await logged_in(ann)
        host = f"127.0.0.1:{ann.port}"
        bob = ann.anonymous()
        for origin in ("http://evil.example", "null", "https://" + host, "http://127.0.0.1:1", None):
            answer = await bob.send("POST", "/api/v1/drain", Cookie=cookie, Host=host, Origin=origin)
            assert (origin, answer.status) == (origin, 403)
        assert not ann.application.sockets.is_draining
        for origin in ("http://[", "http://[::1", f"http://{host}/", f"http://{host}@evil.example", f"http://a@{host}"):
            answer = await log_in(ann, ann.token or "", Host=host, Origin=origin)
            assert (origin, answer.status) == (origin, 403)
        shown = await bob.send("GET", "/api/v1/overview", Cookie=cookie, Host=host, Origin="http://evil.example")
        assert "access-control-allow-origin" not in shown.headers
        done = await bob.send("POST", "/api/v1/drain", Cookie=cookie, Host=host, Origin=f"http://{host}")
        assert done.status == 200
        assert ann.application.sockets.is_draining


@live
async def test_page_of_another_port_has_no_effect_and_leaves_no_line_in_the_audit_log(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        cookie, host = await logged_in(ann), f"127.0.0.1:{ann.port}"
        ours, lines = f"http://{host}", len(await audit(ann.application))
        for route in ann.application.console.routes:
            path = re.sub(r"\{\w+\}", str(ann.application.top().id), route.path)
            for site in ("same-site", "cross-site"):
                # The Origin is ours where a browser would send none.
                sent = {"Cookie": cookie, "Host": host, "Origin": ours, "Sec_Fetch_Site": site}
                assert (path, (await ann.anonymous().send(route.method, path, **sent)).status) == (path, 403)
        for _ in range(FREE_FAILURES + 1):
            answer = await log_in(ann, "wrong", Host=host, Origin=ours, Sec_Fetch_Site="same-site")
            assert answer.status == 403
        assert (await log_in(ann, "wrong", Host=host, Origin=ours, Sec_Fetch_Site="same-origin")).status == 401
        assert len(await audit(ann.application)) == lines + 1
        assert (await ann.anonymous().send("GET", "/", Cookie=cookie, Sec_Fetch_Site="same-site")).status == 200
        for site in ("same-origin", "none"):
            answer = await ann.anonymous().send("GET", "/api/v1/overview", Cookie=cookie, Sec_Fetch_Site=site)
            assert answer.status == 200


@live
async def test_nothing_that_gets_has_an_effect(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        await ann.ask("POST", f"actors/{ann.application.top().id}/trace")
        lines = len(await audit(ann.application))
        for route in ann.application.console.routes:
            if route.method == "GET":
                path = re.sub(r"\{\w+\}", str(ann.application.top().id), route.path)
                assert (await ann.send("GET", path)).status < 500
        assert len(await audit(ann.application)) == lines


@live
async def test_websocket_of_another_site_is_refused(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        cookie = await logged_in(ann)
        upgrade = {name.replace("-", "_"): value for name, value in HANDSHAKE.items() if name != "Host"}
        host = f"localhost:{ann.port}"
        for origin, status in (("http://evil.example", 403), (None, 403), (f"http://{host}", 101)):
            answer = await ann.anonymous().send(
                "GET", "/api/v1/live", Cookie=cookie, Host=host, Origin=origin, **upgrade
            )
            assert (origin, answer.status) == (origin, status)


@live
async def test_login_works_behind_a_proxy_that_speaks_tls(tmp_path: Path) -> None:
    origin = "https://console.example.org"
    named = {"Host": "console.example.org", "Origin": origin}
    async with console(tmp_path, console_origin=(origin,)) as ann:
        assert ann.application.console.url == f"{origin}/"
        for host in ("console.example.org", f"127.0.0.1:{ann.port}"):  # some pass it on, and some write their own
            answer = await log_in(ann, ann.token or "", **{**named, "Host": host})
            assert answer.status == 303
            assert answer.headers["set-cookie"].startswith(f"__Host-{COOKIE}_{ann.port}=")
            assert answer.headers["set-cookie"].endswith("; Secure")
            cookie = cookie_of(answer)
            sent = {"Cookie": cookie, "Host": host, "Origin": origin}
            assert (await ann.anonymous().send("POST", "/api/v1/actors/1/resume", **sent)).status == 200
            upgrade = {name.replace("-", "_"): value for name, value in HANDSHAKE.items() if name != "Host"}
            assert (await ann.anonymous().send("GET", "/api/v1/live", **sent, **upgrade)).status == 101


@live
async def test_proxy_that_is_trusted_tells_the_address_and_tls(tmp_path: Path) -> None:
    async with console(tmp_path, trusted_proxy=Proxies.parse(["127.0.0.1"]), console_names=("c.example",)) as ann:
        told = {"Host": "c.example", "X_Forwarded_Proto": "https", "X_Forwarded_For": "192.0.2.7"}
        answer = await log_in(ann, ann.token or "", Origin="https://c.example", **told)
        assert answer.status == 303
        assert answer.headers["set-cookie"].endswith("; Secure")
        session = await ann.anonymous().send("GET", "/api/v1/session", Cookie=cookie_of(answer), **told)
        assert orjson.loads(session.body)["who"] == "session of console-token (administer) from 192.0.2.7"
        assert (await log_in(ann, ann.token or "", Origin="http://c.example", **told)).status == 403


# What every answer guards against.


@live
async def test_every_answer_has_the_headers_that_guard_a_browser(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        answers = [
            await ann.send("GET", "/"),
            await ann.send("GET", "/api/v1/overview"),
            await ann.send("GET", "/metrics"),
            await ann.send("GET", "/nothing"),
            await ann.send("DELETE", "/api/v1/overview"),
            await ann.send("GET", "/api/v1/overview", Host="evil.example"),
            await ann.anonymous().send("GET", "/"),
            await ann.anonymous().send("GET", "/api/v1/overview"),
            await log_in(ann, "wrong"),
            await log_in(ann, ann.token or ""),
            await ann.anonymous().send("GET", "/login"),
        ]
        assert [answer.status for answer in answers] == [200, 200, 200, 404, 405, 403, 401, 401, 401, 303, 200]
        for answer in answers:
            policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == "'self'"
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cache-control"] == "no-store"


@live
async def test_malicious_label_comes_as_json_and_nothing_else(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        canvas = whereis("canvas")
        assert isinstance(canvas, Ref)
        canvas.label = IMG
        for path in ("tree", "actors", f"actors/{canvas.id}", "names", "openapi.json"):
            answer = await ann.send("GET", f"/api/v1/{path}")
            assert (path, answer.headers["content-type"]) == (path, "application/json")
        assert (await ann.get("actors?q=onerror"))["actors"][0]["label"] == IMG
        refused = await ann.send("GET", "/api/v1/actors/%3Cimg%3E")
        assert (refused.status, refused.headers["content-type"]) == (404, "application/json")
        for label in ("\udc80", "\x00\u2028</script>", "x" * 100_000):
            canvas.label = label
            assert len((await ann.get(f"actors/{canvas.id}"))["actor"]["label"]) == len(label)


@live
async def test_no_request_reaches_a_file_beside_the_pages(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        for path in ("/static/../tree.py", "/static/%2e%2e/tree.py", "//etc/passwd", "/static/", "/console-token"):
            assert ((await ann.send("GET", path)).status, path) == (404, path)


@live
async def test_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        answer = await ann.send("POST", "/api/v1/drain", b"x" * 70_000)
        assert answer.status == 413


# Where it listens.


def test_address_that_others_reach_is_refused_unless_asked_for(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(ConfigError, match="--console-host must be a loopback address, unless --tls-cert or "):
            Config(console_host=host)
        assert Config(console_host=host, console_insecure=True).console_host == host
        assert Config(console_host=host, console_port=None).console_port is None
        assert Config(console_host=host, tls_cert=Path("c")).console_host == host
    for host in ("127.0.0.1", "::1", "localhost", "127.3.2.1"):
        assert Config(console_host=host).console_host == host


def test_console_listens_on_loopback_by_default(tmp_path: Path) -> None:
    application = new_application(tmp_path, console_port=0)
    web = application.console.web
    assert web is not None
    assert web.listening[0].getsockname()[0] == "127.0.0.1"
    application.close()


def test_port_that_was_asked_for_and_is_taken_is_an_error_that_names_it(tmp_path: Path) -> None:
    first = new_application(tmp_path / "a", console_port=0)
    assert first.console.web is not None
    port = first.console.web.port
    with pytest.raises(ListenerError, match=f"--console-port {port} on 127.0.0.1 is in use by another program"):
        new_application(tmp_path / "b", console_port=port)
    first.close()


def test_port_that_is_meant_by_default_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_application(tmp_path / "a", console_port=0)
    assert first.console.web is not None
    monkeypatch.setattr("canvas.listeners.CONSOLE_PORT", first.console.web.port)
    second = new_application(tmp_path / "b", console_port="auto")
    assert second.console.web is not None
    assert second.console.web.port != first.console.web.port
    first.close()
    second.close()


def test_console_can_be_off(tmp_path: Path) -> None:
    application: CanvasApplication = new_application(tmp_path, console_port=None)
    assert application.console.web is None
    assert application.console.url is application.console.link() is None
    assert not (tmp_path / "console-token").exists()
    application.close()
