"""Node's `ws`: text, binary, fragments, a ping, compression, and the closing handshake."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.messages import BINARIES, FRAGMENTS, TEXTS
from tests.support.served import ROOT, Served

WS = ROOT / ".venv" / "node" / "node_modules" / "ws"


@pytest.fixture(scope="session")
def node() -> list[str]:
    """How to start the client."""
    path = shutil.which("node")
    if path is None or not WS.exists():
        pytest.skip("no Node with ws: `apt-get install nodejs npm` and `make .venv/node` to run this")
    return [path, str(Path(__file__).with_name("node_client.cjs")), str(WS)]


@pytest.mark.parametrize("compress", ["on", "off"])
def test_everything_comes_back(server: Served, node: list[str], compress: str) -> None:
    binaries = [base64.b64encode(data).decode() for data in BINARIES]
    messages = json.dumps({"texts": TEXTS, "binaries": binaries, "fragments": FRAGMENTS})
    outcome = subprocess.run([*node, server.echo, compress], input=messages, capture_output=True, text=True, check=True)
    told = json.loads(outcome.stdout)
    assert ("permessage-deflate" in told["extensions"]) is (compress == "on")
    assert (told["code"], told["reason"]) == (4001, "")
    pong = {"pong": "data"}
    assert pong in told["heard"]
    assert [each for each in told["heard"] if each != pong] == [
        *({"text": text} for text in TEXTS),
        *({"binary": data} for data in binaries),
        {"text": "".join(FRAGMENTS)},
    ]
