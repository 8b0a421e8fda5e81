"""The baselines a gateway is compared with: the same server with nothing behind it.

``echo`` is a bare ASGI application; ``handler`` decodes the inspect request and encodes a fixed verdict,
which is what the route would cost if inspection were free. Argument: port.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import uvicorn


class Tool(msgspec.Struct):
    tool: str
    args: Any = None
    session_id: str = ""


VERDICT = {
    "action": "allow",
    "raw_action": "allow",
    "severity": "NONE",
    "confidence": 0,
    "reason": "",
    "findings": [],
    "mode": "observe",
}
DECODER = msgspec.json.Decoder(Tool)
ENCODER = msgspec.json.Encoder()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] == "/handler":
        DECODER.decode(body)
        body = ENCODER.encode(VERDICT)
    elif scope["path"] == "/hook":
        body = b""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="error",
        access_log=False,
    )
