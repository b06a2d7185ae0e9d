"""The same jobs on `picows`: its C-level `send` from a listener's callback, on uvloop, as its documentation has them.

An echo sends the frame's payload back without copying it; the canvas sends one frame per change to each transport in
the set of viewers. picows's own transports (aiofastnet) are on, as they are by default. The message limit is 1 MiB, and
there is no compression and no keep-alive ping, as in the other servers. TCP_NODELAY is set by picows.
"""

from __future__ import annotations

import secrets
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from tests.bench.pixels import Pixels

viewers: set[WSTransport] = set()
pixels = Pixels()
TEXT = WSMsgType.TEXT
CLOSE = WSMsgType.CLOSE


class Echo(WSListener):
    """Sends every message back."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        if frame.msg_type == CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())


class Painter(WSListener):
    """Tells everybody of every change."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Greet."""
        self.user_id = secrets.token_hex(4)
        for text in pixels.greeting(self.user_id):
            transport.send(TEXT, text)
        viewers.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        if frame.msg_type == TEXT:
            text = pixels.paint(frame.get_payload_as_memoryview(), self.user_id)
            for viewer in viewers:
                viewer.send(TEXT, text)
        elif frame.msg_type == CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget a viewer."""
        viewers.discard(transport)


def choose(request: WSUpgradeRequest) -> WSListener:
    """Choose the job by the path."""
    return Echo() if request.path == b"/echo" else Painter()


async def run(port: int) -> None:
    """Serve until the process is ended."""
    server = await ws_create_server(choose, "127.0.0.1", port, max_frame_size=2**20, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))
