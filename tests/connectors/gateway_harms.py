"""What a gateway may answer that is no verdict, for whatever asks it: each harms the fake gateway."""


def status(code):
    def harm(gateway):
        gateway.says(action="allow")
        gateway.reply.status = code

    return harm


def body(content):
    def harm(gateway):
        gateway.reply.body = content

    return harm


def cut(gateway):
    gateway.says(action="allow", reason="x" * 1000)
    gateway.reply.cut = True


def redirect(gateway):
    gateway.says(action="allow")
    gateway.reply.status = 302
    gateway.reply.headers["Location"] = f"http://{gateway.address}/elsewhere"


def long_head(gateway):
    gateway.says(action="allow")
    gateway.reply.headers["X-Long"] = "x" * 70_000


HARMS = {
    **{str(code): status(code) for code in (204, 400, 401, 403, 429, 500, 503)},
    "no-json": body(b"<html>"),
    "null": body(b"null"),
    "no-object": body(b'["allow"]'),
    "no-action": body(b"{}"),
    "unknown-action": body(b'{"action":"maybe"}'),
    "action-no-text": body(b'{"action":{"a":1}}'),
    "not-utf8": body(b'{"action":"allow","x":"\xff"}'),
    "deep": body(b"[" * 100_000),
    "cut": cut,
    "redirect": redirect,
    "long-head": long_head,
}
