"""The error tree. The core raises; three edges translate: HTTP body, CLI exit code, audit row.

::

    DefenseClawError                      internal_error            500
    ├── BadRequest                        bad_request               400
    │   ├── BadJson                       bad_json                  400
    │   └── MissingField                  missing_field             400
    ├── Unauthorized                      unauthorized              401
    ├── Forbidden                         forbidden                 403
    │   ├── HostNotAllowed                host_not_allowed          403
    │   ├── CrossSite                     cross_site                403
    │   ├── MissingClient                 missing_client            403
    │   ├── OriginNotAllowed              origin_not_allowed        403
    │   └── ConnectorMismatch             connector_mismatch        403
    ├── NotFound                          not_found                 404
    ├── MethodNotAllowed                  method_not_allowed        405
    ├── RequestTimeout                    request_timeout           408
    ├── Conflict                          conflict                  409
    ├── BodyTooLarge                      body_too_large            413
    ├── UnsupportedMediaType              unsupported_media_type    415
    ├── RateLimited                       rate_limited              429
    ├── HeadersTooLarge                   headers_too_large         431
    ├── Unavailable                       unavailable               503
    │   ├── Overloaded                    overloaded                503
    │   ├── NoToken                       no_token                  503
    │   └── StoreUnavailable              store_unavailable         503
    ├── ConfigError                       config_invalid            400   CLI exit 1
    ├── PackError                         pack_invalid              400   CLI exit 1
    └── SetupError                        setup_failed              409   CLI exit 1
        ├── AgentNotFound                 agent_not_found           409   CLI exit 1
        └── ForeignContent                foreign_content           409   CLI exit 1

A code keeps its meaning once released. ``http_status`` is the answer of an HTTP door; a message says
what happened, a hint what to do. Neither ever holds content, a token or a secret.
"""

from __future__ import annotations


class DefenseClawError(Exception):
    """Base of everything the product raises on purpose."""

    code = "internal_error"
    http_status = 500
    exit_code = 1
    default_message = "internal error"

    def __init__(self, message: str | None = None, *, hint: str = "") -> None:
        super().__init__(message or self.default_message)
        self.hint = hint

    @property
    def message(self) -> str:
        """What happened, one sentence."""
        return str(self.args[0])


class BadRequest(DefenseClawError):
    """The request is understood but wrong."""

    code, http_status, default_message = "bad_request", 400, "bad request"


class BadJson(BadRequest):
    """The body is not one JSON value of the expected shape, or nests deeper than 64."""

    code, default_message = "bad_json", "invalid JSON body"


class MissingField(BadRequest):
    """A required field is absent or empty."""

    code, default_message = "missing_field", "a required field is missing"


class Unauthorized(DefenseClawError):
    """No token, or not one that opens this route."""

    code, http_status, default_message = "unauthorized", 401, "unauthorized"


class Forbidden(DefenseClawError):
    """Authenticated, but not allowed here."""

    code, http_status, default_message = "forbidden", 403, "forbidden"


class HostNotAllowed(Forbidden):
    """The Host header names neither loopback nor an allowed host."""

    code, default_message = "host_not_allowed", "host not allowed"


class CrossSite(Forbidden):
    """A browser sent this from another site."""

    code, default_message = "cross_site", "cross-site request rejected"


class MissingClient(Forbidden):
    """A state-changing request without ``X-DefenseClaw-Client``."""

    code, default_message = "missing_client", "missing X-DefenseClaw-Client header"


class OriginNotAllowed(Forbidden):
    """The Origin header is not local."""

    code, default_message = "origin_not_allowed", "non-localhost Origin rejected"


class ConnectorMismatch(Forbidden):
    """The body names another connector than the token belongs to."""

    code, default_message = "connector_mismatch", "connector does not match authenticated scope"


class NotFound(DefenseClawError):
    """No such route or thing."""

    code, http_status, default_message = "not_found", 404, "404 page not found"


class MethodNotAllowed(DefenseClawError):
    """The route exists, with other methods."""

    code, http_status, default_message = "method_not_allowed", 405, "method not allowed"


class RequestTimeout(DefenseClawError):
    """Header or body did not arrive in time."""

    code, http_status, default_message = "request_timeout", 408, "request not complete in time"


class Conflict(DefenseClawError):
    """The change does not fit the present state."""

    code, http_status, default_message = "conflict", 409, "conflict"


class BodyTooLarge(DefenseClawError):
    """The body exceeds the cap of its route."""

    code, http_status, default_message = "body_too_large", 413, "request body too large"


class UnsupportedMediaType(DefenseClawError):
    """The content type is not one the route takes."""

    code, http_status = "unsupported_media_type", 415
    default_message = "Content-Type must be application/json"


class RateLimited(DefenseClawError):
    """A remote caller exceeded its budget."""

    code, http_status, default_message = "rate_limited", 429, "rate limit exceeded"


class HeadersTooLarge(DefenseClawError):
    """Request line and headers exceed 32 KiB."""

    code, http_status, default_message = "headers_too_large", 431, "request headers too large"


class Unavailable(DefenseClawError):
    """The gateway cannot serve this now."""

    code, http_status, default_message = "unavailable", 503, "unavailable"


class Overloaded(Unavailable):
    """The bounded queue of evaluations is full."""

    code, default_message = "overloaded", "overloaded"


class NoToken(Unavailable):
    """The gateway has no token to compare with."""

    code, default_message = "no_token", "sidecar misconfigured: no gateway token"


class StoreUnavailable(Unavailable):
    """A verdict cannot be recorded."""

    code, default_message = "store_unavailable", "audit store unavailable"


class ConfigError(DefenseClawError):
    """The configuration is refused whole; the last good one stays."""

    code, http_status, default_message = "config_invalid", 400, "configuration is invalid"


class PackError(DefenseClawError):
    """A rule or pack is refused whole; the last good one stays."""

    code, http_status, default_message = "pack_invalid", 400, "rule pack is invalid"


class SetupError(DefenseClawError):
    """A connector cannot be installed or removed; nothing was left half done."""

    code, http_status, default_message = "setup_failed", 409, "setup failed"


class AgentNotFound(SetupError):
    """The agent is not on this machine."""

    code, default_message = "agent_not_found", "agent not found"


class ForeignContent(SetupError):
    """A file holds something of somebody else's where our entry would go."""

    code, default_message = "foreign_content", "the file holds content that is not ours"
