"""Reverse proxies, as an operator sets them up: nginx, Caddy and HAProxy in front of the canvas and of its console."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest
import trustme

PACKAGES = {"nginx": "nginx-light", "caddy": "caddy", "haproxy": "haproxy"}
NGINX = """
daemon off; master_process off; error_log stderr notice; pid $folder/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path $folder/body; proxy_temp_path $folder/proxy; fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
  map $$http_upgrade $$connection_upgrade { default upgrade; '' close; }
  proxy_http_version 1.1;
  proxy_set_header Host $$http_host;
  proxy_set_header Upgrade $$http_upgrade;
  proxy_set_header Connection $$connection_upgrade;
  proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $$scheme;
  server {
    listen 127.0.0.1:$port $tls;
    ssl_certificate $folder/chain.pem; ssl_certificate_key $folder/chain.pem;
    location $canvas_path/ { proxy_pass http://127.0.0.1:$canvas$slash; }
    location $console_path/ { proxy_pass http://127.0.0.1:$console$slash; }
  }
}
"""
CADDY = """
{
	admin off
	auto_https off
}
$scheme://127.0.0.1:$port {
	$tls
	$handle $console_path/* {
		reverse_proxy 127.0.0.1:$console
	}
	$handle $canvas_path/* {
		reverse_proxy 127.0.0.1:$canvas
	}
}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  option forwardfor
frontend web
  bind 127.0.0.1:$port $tls
  http-request set-header X-Forwarded-Proto $scheme
  use_backend console if { path_beg $console_path/ }
  default_backend canvas
backend canvas
  $cut_canvas
  server canvas 127.0.0.1:$canvas
backend console
  $cut_console
  server console 127.0.0.1:$console
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs.

    Attributes:
        canvas, console: URLs, with a slash at the end
    """

    canvas: str
    console: str


@dataclass(frozen=True)
class Mount:
    """Where a proxy serves what it is in front of.

    Attributes:
        is_tls: it speaks TLS with clients
        base: the base paths of the canvas and the console; the canvas may be at the root
        is_cut: it cuts them off from the requests that it passes on
    """

    is_tls: bool
    base: tuple[str, str]
    is_cut: bool = False


@contextlib.contextmanager
def proxy(name: str, mount: Mount, canvas: int, console: int) -> Iterator[Proxy]:
    """Run a proxy in front of the ports of a canvas and its console."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"no {name}: `apt-get install {PACKAGES[name]}` to run this")
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(f"{folder}/chain.pem")
        port, scheme = _free_port(), "https" if mount.is_tls else "http"
        canvas_path, console_path = mount.base
        values = {
            "folder": folder,
            "port": port,
            "canvas": canvas,
            "console": console,
            "scheme": scheme,
            "canvas_path": canvas_path,
            "console_path": console_path,
            "slash": "/" if mount.is_cut else "",
            "handle": "handle_path" if mount.is_cut else "handle",
            "cut_canvas": f"http-request replace-path {canvas_path}(/.*) \\1" if mount.is_cut else "",
            "cut_console": f"http-request replace-path {console_path}(/.*) \\1" if mount.is_cut else "",
        }
        chain = f"{folder}/chain.pem"
        template, tls, arguments, ready = {
            "nginx": (NGINX, "ssl", ["-p", folder, "-e", "stderr", "-c"], "using the"),
            "caddy": (CADDY, f"tls {chain} {chain}", ["run", "--adapter", "caddyfile", "--config"], "serving initial"),
            "haproxy": (HAPROXY, f"ssl crt {chain}", ["-W", "-db", "-f"], "Loading success"),
        }[name]
        config = Path(folder, "config")
        config.write_text(Template(template).substitute(values, tls=tls if mount.is_tls else ""))
        environment = {**os.environ, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        command = [program, *arguments, str(config)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            try:
                _wait_for(ready, process)
                root = f"{scheme}://127.0.0.1:{port}"
                yield Proxy(f"{root}{canvas_path}/", f"{root}{console_path}/")
            finally:
                process.terminate()
                process.communicate()


def _wait_for(text: str, process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if text in line:
            return
    raise AssertionError(f"ended with {process.wait()}:\n{''.join(told)}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
