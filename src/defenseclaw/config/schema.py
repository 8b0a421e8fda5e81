"""The configuration, typed and documented. ``config.yaml`` decodes into :class:`Config`.

Key names and defaults: ``spec/cli-and-config.md`` §5-§9, as ruled in ``DECISIONS.md``. Unknown keys are
kept in the file and ignored here. Each field's sentence becomes its row in the configuration reference.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

ModeName = Literal["observe", "action"]
FailModeName = Literal["open", "closed"]
SeverityName = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Section(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mapping in the file."""


class ConfigReload(Section, frozen=True):
    """How changes of the file are taken up."""

    mode: Annotated[
        Literal["hot", "restart"],
        Meta(description="`hot` applies valid changes at once; `restart` waits for a restart."),
    ] = "hot"


class Gateway(Section, frozen=True):
    """The HTTP API of the gateway."""

    api_bind: Annotated[str, Meta(description="Address the API listens on.")] = "127.0.0.1"
    api_port: Annotated[Port, Meta(description="Port the API listens on.")] = 18970
    host: Annotated[str, Meta(description="Address of the upstream OpenClaw gateway.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the upstream OpenClaw gateway.")] = 18789
    token_env: Annotated[
        str, Meta(description="Environment variable that holds the gateway token; wins over all others.")
    ] = ""
    token: Annotated[str, Meta(description="Gateway token in plain text; the last resort.")] = ""
    allowed_hosts: Annotated[list[str], Meta(description="Host header names accepted besides loopback.")] = (
        field(default_factory=list)
    )
    max_pending: Annotated[
        int,
        Meta(ge=1, le=65536, description="Evaluations queued at once; past it 503 `overloaded`."),
    ] = 1024
    approval_timeout_s: Annotated[int, Meta(ge=1, description="Seconds a native approval waits.")] = 30
    config_reload: ConfigReload = field(default_factory=ConfigReload)


class Hilt(Section, frozen=True):
    """Approvals by a person (human in the loop)."""

    enabled: Annotated[bool, Meta(description="Ask a person before severe findings pass.")] = False
    min_severity: Annotated[
        SeverityName, Meta(description="Least severity that asks; CRITICAL always blocks.")
    ] = "HIGH"


class Llm(Section, frozen=True):
    """A language model and where it is asked."""

    provider: Annotated[
        Literal["openai", "anthropic", "gemini"] | None,
        Meta(description="Wire format; `openai` also for every compatible server, local ones included."),
    ] = None
    model: Annotated[str, Meta(description="Name of the model; `vllm/<name>` switches its thinking off.")] = (
        ""
    )
    base_url: Annotated[
        str,
        Meta(description="Address of the endpoint, https or loopback; empty for the provider's own."),
    ] = ""
    api_key_env: Annotated[
        str,
        Meta(
            description=(
                "Variable that holds the key, in the environment or in `.env`; default `DEFENSECLAW_LLM_KEY`."
            )
        ),
    ] = ""
    proxy: Annotated[
        str,
        Meta(description="`http://host:port` that https goes through; proxy variables are never read."),
    ] = ""


StrategyName = Literal["regex_only", "regex_judge", "judge_first"]


class Judge(Section, frozen=True):
    """The LLM judge: a second opinion on what the rules leave open."""

    enabled: Annotated[
        bool, Meta(description="Ask a language model; text leaves this machine, secrets taken out.")
    ] = False
    hook_connectors: Annotated[
        list[str], Meta(description="Connectors whose events are judged; `*` for all.")
    ] = field(default_factory=list)
    injection: Annotated[bool, Meta(description="Judge prompts for attacks on the agent.")] = True
    injection_result: Annotated[
        bool, Meta(description="Judge tool results, files and descriptions for instructions as well.")
    ] = False
    pii: Annotated[bool, Meta(description="Judge for personal data at all.")] = True
    pii_prompt: Annotated[bool, Meta(description="Judge prompts for personal data.")] = True
    pii_completion: Annotated[bool, Meta(description="Judge completions for personal data.")] = True
    tool_injection: Annotated[bool, Meta(description="Judge the arguments of tool calls.")] = True
    exfil: Annotated[bool, Meta(description="Judge prompts for requests to send data out.")] = True
    lifts: Annotated[
        bool,
        Meta(
            description=(
                "Let a judge take the weight off doubt about instructions (below HIGH, not blocking); else it"
                " only ever adds."
            )
        ),
    ] = False
    timeout: Annotated[
        int, Meta(ge=1, le=120, description="Seconds an inspect call may wait for judges.")
    ] = 30
    adjudication_timeout: Annotated[
        int, Meta(ge=1, le=120, description="Seconds to decide on a doubtful finding.")
    ] = 5
    hook_timeout: Annotated[
        int, Meta(ge=0, le=8, description="Seconds a hook may wait for judges; 0 means 5.")
    ] = 0
    max_chars: Annotated[
        int,
        Meta(
            ge=1000, le=200_000, description="Characters of a text that a judge sees; of more, both its ends."
        ),
    ] = 24_000
    max_tokens: Annotated[
        int, Meta(ge=64, le=32_768, description="Tokens of a judge's answer, thinking included.")
    ] = 1024
    llm: Llm = field(default_factory=Llm)
    fallbacks: Annotated[
        list[str], Meta(description="Models asked at the same endpoint when the first fails.")
    ] = field(default_factory=list)


class ConnectorGuardrail(Section, frozen=True):
    """Posture of one connector; what is left out is inherited from `guardrail`."""

    enabled: Annotated[bool, Meta(description="Whether this connector is governed.")] = True
    mode: Annotated[ModeName | None, Meta(description="`observe` records, `action` enforces.")] = None
    hook_fail_mode: Annotated[
        FailModeName | None, Meta(description="What happens when we cannot decide.")
    ] = None
    block_message: Annotated[str | None, Meta(description="Text shown to the agent on a block.")] = None
    rule_pack_dir: Annotated[
        str | None,
        Meta(
            description=(
                "Rule pack: `default`, `strict`, `permissive`, or the absolute path of a folder with rules of"
                " your own."
            )
        ),
    ] = None
    hilt: Hilt | None = None


class Guardrail(Section, frozen=True):
    """What is inspected and what follows."""

    enabled: Annotated[bool, Meta(description="Master switch.")] = True
    mode: Annotated[ModeName, Meta(description="`observe` records, `action` enforces.")] = "observe"
    hook_fail_mode: Annotated[
        FailModeName | None,
        Meta(
            description="What happens when we cannot decide; default `open` in observe, `closed` in action."
        ),
    ] = None
    block_message: Annotated[str, Meta(description="Text shown to the agent on a block.")] = ""
    rule_pack_dir: Annotated[
        str,
        Meta(
            description=(
                "Rule pack: `default`, `strict`, `permissive`, or the absolute path of a folder with rules of"
                " your own, added to those of the profile that its last part names (`default` if none)."
            )
        ),
    ] = "default"
    connector: Annotated[
        str, Meta(description="Primary connector; its mode is the legacy `connector_mode`.")
    ] = ""
    connectors: dict[str, ConnectorGuardrail] = field(default_factory=dict)
    hilt: Hilt = field(default_factory=Hilt)
    detection_strategy: Annotated[
        StrategyName,
        Meta(
            description=(
                "When the judge is asked: never, about what the rules leave open, or always. Without"
                " `judge.enabled` it never is."
            )
        ),
    ] = "regex_judge"
    detection_strategy_prompt: Annotated[StrategyName | None, Meta(description="The same for prompts.")] = (
        None
    )
    detection_strategy_completion: Annotated[
        StrategyName | None, Meta(description="The same for completions.")
    ] = "regex_only"
    detection_strategy_tool_call: Annotated[
        StrategyName | None, Meta(description="The same for tool calls.")
    ] = None
    judge_sweep: Annotated[
        bool, Meta(description="With `regex_judge`: judge also where the rules found nothing.")
    ] = True
    judge: Judge = field(default_factory=Judge)


class Audit(Section, frozen=True):
    """The audit store."""

    retention_days: Annotated[
        int, Meta(ge=0, description="Rows older than this are pruned; 0 keeps them for ever.")
    ] = 90
    durability: Annotated[
        Literal["process", "power"],
        Meta(description="`process` survives SIGKILL of the gateway, `power` also loss of power."),
    ] = "process"
    jsonl: Annotated[bool, Meta(description="Write `gateway.jsonl` beside the store.")] = True


class Agent(Section, frozen=True):
    """Default identity of agents on events that carry none."""

    id: Annotated[str, Meta(description="Agent id of events that name none.")] = ""
    name: Annotated[str, Meta(description="Agent name of events that name none.")] = ""


class Telemetry(Section, frozen=True):
    """What agents report of themselves."""

    native_otlp: Annotated[
        bool,
        Meta(
            description=(
                "Have agents with telemetry of their own send it to the gateway; refused while the gateway"
                " has no route that receives it."
            )
        ),
    ] = False


class Config(Section, frozen=True):
    """The whole of ``config.yaml``."""

    config_version: Annotated[int, Meta(description="Format of the file; leave it as it is.")] = 7
    gateway: Gateway = field(default_factory=Gateway)
    guardrail: Guardrail = field(default_factory=Guardrail)
    audit: Audit = field(default_factory=Audit)
    agent: Agent = field(default_factory=Agent)
    telemetry: Telemetry = field(default_factory=Telemetry)
    llm: Llm = field(default_factory=Llm)
    environment: Annotated[
        str, Meta(description="Name of this installation, shown by `defenseclaw status`.")
    ] = ""
