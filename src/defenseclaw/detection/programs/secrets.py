"""Vendor programs: reading secret values out of stores, and destroying what they manage."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.programs.base import Act, Program, grammar, is_url

_COMMON: Final = grammar(
    "--profile= --region= --output= --query= --project= --account= --subscription= -n,--name= "
    "--vault-name= --secret-id= "
    "--secret= --vault= --fields= --field= -f,--file= -o= -t,--tag= --format= --namespace= "
    "--endpoint-url= --filter= "
    "--yes,-y --force --recursive --dryrun,--dry-run -w -g --reveal --show-token --with-decryption "
    "--version-id= --delete"
)

_SECRET_CALLS: Final[dict[str, tuple[str, ...]]] = {
    "aws": ("secretsmanager get-secret-value", "secretsmanager batch-get-secret-value"),
    "gcloud": ("secrets versions access",),
    "az": ("keyvault secret show", "keyvault secret download", "keyvault key download"),
    "vault": ("kv get", "unwrap"),
    "op": ("read", "item get"),
    "pass": ("show",),
    "gopass": ("show", "cat"),
    "security": ("find-generic-password", "find-internet-password", "dump-keychain", "export"),
    "secret-tool": ("lookup", "search"),
    "keepassxc-cli": ("show", "export", "clip"),
    "kwallet-query": ("-r",),
    "docker-credential-desktop": ("get",),
    "docker-credential-osxkeychain": ("get",),
    "docker-credential-pass": ("get",),
    "git-credential-store": ("get",),
    "git-credential-osxkeychain": ("get",),
}
"""Calls that print a value of a vendor's secret manager or of the user's own key ring."""
_STORE_CALLS: Final[dict[str, tuple[str, ...]]] = {
    "aws": ("iam create-access-key", "configure export-credentials"),
    "gcloud": ("iam service-accounts keys create",),
    "az": ("storage account keys list", "ad sp create-for-rbac", "acr credential show"),
    "vault": ("read", "token create", "write auth"),
    "op": ("document get", "inject", "run"),
    "bw": ("get", "export", "list items"),
    "lpass": ("show", "export"),
    "rbw": ("get",),
    "heroku": ("config", "config:get"),
    "doppler": ("secrets get", "secrets download", "configure get token"),
    "infisical": ("secrets", "export"),
    "npm": ("token create",),
    "sops": ("-d", "decrypt"),
    "chamber": ("read", "export", "env"),
    "consul": ("kv get",),
    "oci": ("secrets secret-bundle get",),
    "ibmcloud": ("secrets-manager secret",),
}
"""Calls that print what may be secret among much that is not, or makes a new credential."""
_LOGIN_CALLS: Final[dict[str, tuple[str, ...]]] = {
    "aws": ("ecr get-login-password", "sts get-session-token", "sso get-role-credentials"),
    "gcloud": (
        "auth print-access-token",
        "auth print-identity-token",
        "auth application-default print-access-token",
        "config config-helper",
    ),
    "az": ("account get-access-token",),
    "vault": ("print token",),
    "gh": ("auth token", "auth status --show-token"),
    "glab": ("auth status --show-token",),
    "heroku": ("auth:token",),
    "fly": ("auth token",),
    "flyctl": ("auth token",),
    "ibmcloud": ("iam oauth-tokens",),
    "doctl": ("auth token",),
    "wrangler": ("auth token",),
}
"""Calls that print the short-lived token of the program's own log-in, made to be handed on."""
_CALLS: Final = (
    ("secret_value", _SECRET_CALLS),
    ("stored_secret", _STORE_CALLS),
    ("login_token", _LOGIN_CALLS),
)
_DESTROY_WORD: Final = re.compile(
    r"^(?:.*[-:_])?(?:r?delete\w*|destroy|terminate|purge|remove|wipe|nuke|drop|flushall|flushdb|flush|rm|rb|prune|"
    r"forget|expunge|reset|uninstall|revoke|deregister|unregister|unsubscribe|disable|clear|unlink|truncate|erase)"
    r"(?:[-:_s].*)?$"
)
_DESTROY_OPTIONS: Final = ("--delete", "--remove", "--purge", "--destroy")
_HARMLESS_VERBS: Final = re.compile(
    r"^(?:list|ls|get|describe|show|help|head|info|status|plan|view|cat|diff|log|logs)"
)
_SQL_DESTROY: Final = re.compile(
    r"(?i)\b(?:drop\s+(?:database|table|schema|user|role|keyspace|collection|index|view)|truncate\s+(?:table\s+)?\w|"
    r"delete\s+from\s+[\w.\"`]+\s*(?:;|$)|dropdatabase|\.drop\(|deletemany\(\s*\{\s*\}|flushall|flushdb|alter\s+table\s+\S+\s+drop)"
)
_SQL_SHELL: Final = re.compile(
    r"(?i)(?:\\!|(?:^|;)\s*system)\s+([^\n;]+)|copy\s.+\s(?:from|to)\s+program\s+'([^']+)'"
)


def _vendor(act: Act) -> None:
    words = [word.lower() for word in act.operands]
    joined = " ".join([*words, *act.options])
    if act.has("--dryrun"):
        act.effect = "preview"
        return
    for trait, calls in _CALLS:
        for call in calls.get(act.program, ()):
            if (joined + " ").startswith(call + " ") or (call.startswith("-") and call in act.options):
                act.does("credential_read")
                act.is_(trait)
                act.emits.append("credential_store")
    if act.program == "aws" and words[:1] == ["ssm"] and act.has("--with-decryption"):
        act.does("credential_read")
        act.is_("stored_secret")
        act.emits.append("credential_store")
    if act.program == "pass" and len(words) == 1 and words[0] not in _PASS_VERBS:
        act.does("credential_read")
        act.is_("secret_value")
        act.emits.append("credential_store")
    if act.program == "aws" and words[:2] == ["configure", "get"] and re.search(r"secret|token|key", joined):
        act.does("credential_read")
        act.is_("secret_value")
    _copies(act, words)
    verbs = [word for word in words[:4] if not is_url(word)]
    named = any(_DESTROY_WORD.match(verb) for verb in verbs) and not _HARMLESS_VERBS.match(verbs[-1])
    if named or (act.has(*_DESTROY_OPTIONS) and "sync_delete" not in act.traits):
        act.does("delete")
        act.is_("cloud_destroy")
        if act.has("--force", "--yes"):
            act.is_("force")
        if act.has("--recursive"):
            act.is_("recursive")
    for word in act.operands:
        if is_url(word):
            act.talk("connect", word)


_PASS_VERBS: Final = frozenset(
    [
        "ls",
        "list",
        "find",
        "grep",
        "insert",
        "add",
        "edit",
        "generate",
        "rm",
        "mv",
        "cp",
        "git",
        "init",
        "help",
        "version",
        "otp",
    ]
)


def _copies(act: Act, words: list[str]) -> None:
    """Describe object-store copies: ``aws s3 cp``, ``az storage blob upload``, ``rclone copy``."""
    verb = next(
        (
            word
            for word in words
            if word in ("cp", "mv", "sync", "rsync", "copy", "move", "copyto", "upload", "put")
        ),
        "",
    )
    if not verb:
        return
    pair = act.operands[words.index(verb) + 1 :]
    if len(pair) >= 2 and _is_remote(pair[-1]):
        act.does("upload")
        act.touch("read", [word for word in pair[:-1] if not _is_remote(word)], "upload")
        act.talk("upload", _service(act.program, pair[-1]), "https")
        act.args = "network"
        if "-" in pair[:-1]:
            act.stdin = "network"
    elif len(pair) >= 2 and _is_remote(pair[0]):
        act.does("fetch", "write")
        act.talk("download", _service(act.program, pair[0]), "https")
        act.touch("write", pair[-1:], "download")
        if pair[-1] == "-":
            act.emits.append("network")
    elif verb == "upload":
        act.does("upload")
        act.touch("read", act.all("-f"), "upload")
        act.talk("upload", _service(act.program, ""), "https")
    if verb in ("sync", "rsync") and act.has("--delete"):
        act.is_("sync_delete")


def _is_remote(word: str) -> bool:
    return is_url(word) or re.match(r"^[\w-]{2,}:(?!/)", word) is not None


def _service(program: str, target: str) -> str:
    if is_url(target) and not target.startswith(("s3:", "gs:", "az:", "r2:")):
        return target
    return {
        "aws": "s3.amazonaws.com",
        "gsutil": "storage.googleapis.com",
        "gcloud": "storage.googleapis.com",
    }.get(program, "blob.core.windows.net" if program == "az" else UNKNOWN)


def _forge(act: Act) -> None:
    """Describe gh and glab."""
    _vendor(act)
    words = act.operands
    if words[:2] in (["gist", "create"], ["snippet", "create"]):
        act.does("upload")
        act.touch("read", words[2:], "upload")
        act.talk("upload", "api.github.com", "https")
        act.stdin = "network"
        act.args = "network"
    elif words[:1] == ["api"]:
        act.does("connect")
        act.talk("connect", "api.github.com", "https")
        method = act.value("-X").upper()
        if method == "DELETE":
            act.is_("cloud_destroy")
            act.does("delete")
    elif words[:2] in (["secret", "set"], ["variable", "set"]):
        act.does("upload")
        act.stdin = "network"


def _infrastructure(act: Act) -> None:
    """Describe terraform, tofu, pulumi, cdk, helm and kin."""
    words = [word.lower() for word in act.operands]
    verb = words[0] if words else ""
    if verb in ("destroy", "uninstall", "delete", "down", "purge", "remove") or (
        verb == "apply" and act.has("-destroy", "--destroy")
    ):
        act.does("delete")
        act.is_("cloud_destroy")
        if act.has("-auto-approve", "--auto-approve", "--yes", "-y", "--force"):
            act.is_("force")
    elif (
        words[:2]
        in (["state", "rm"], ["state", "push"], ["workspace", "delete"], ["stack", "rm"], ["stack", "delete"])
        or verb == "taint"
    ):
        act.does("delete")
        act.is_("cloud_destroy")
    elif verb in ("apply", "up", "deploy", "install", "upgrade"):
        act.does("config_change")
    elif verb in ("output",) and act.has("-raw", "-json"):
        act.does("read")


def _database(act: Act) -> None:
    act.does("connect")
    host = act.value("-h")
    if host:
        act.talk("connect", host, "db")
    for word in act.operands:
        if is_url(word):
            act.talk("connect", word)
    texts = [*act.all("-c", "-e", "--eval", "-q", "-Q"), *act.operands]
    for text in texts:
        if _SQL_DESTROY.search(text):
            act.does("delete")
            act.is_("database_destroy")
        for match in _SQL_SHELL.finditer(text):
            act.is_("shell_escape")
            act.nested.append(match[1] or match[2])
    words = {word.lower() for word in act.operands}
    if act.program in ("dropdb", "dropuser") or (act.program == "mysqladmin" and "drop" in words):
        act.does("delete")
        act.is_("database_destroy")
    if act.program in ("redis-cli", "valkey-cli") and words & {"flushall", "flushdb", "debug", "shutdown"}:
        act.does("delete")
        act.is_("database_destroy")
    act.touch("read", act.all("-f"))
    act.stdin = "drop"


def _dump(act: Act) -> None:
    act.does("read")
    act.emits.append("credential_store" if act.program in ("pg_dumpall",) else "process")
    act.touch("write", [*act.all("-f"), *act.all("-r"), *act.all("-o")], "to")
    if act.program in ("pg_restore", "mongorestore") and act.has("-c", "--clean", "--drop"):
        act.does("delete")
        act.is_("database_destroy")


_SQL: Final = grammar(
    "-h,--host,--hostname= -p,--port= -U,-u,--username,--user= -d,--dbname,--database= -c,--command= "
    "-e,--execute= -f,--file= "
    "--eval= -n= -a= -q= -Q= -s -t -A -X -D= -S= -o="
)
_IAC: Final = grammar(
    "-auto-approve -destroy -raw -json -var= -var-file= -target= -out= --stack= -n,--namespace= "
    "-f,--values= --yes -y --force --auto-approve --destroy",
    words=False,
)

PROGRAMS: Final[dict[str, Program]] = {
    **{
        name: Program(_COMMON, _vendor)
        for _, calls in _CALLS
        for name in calls
        if name not in ("npm", "gh", "glab")
    },
    **{
        name: Program(_COMMON, _vendor)
        for name in (
            "gsutil",
            "rclone",
            "restic",
            "borg",
            "velero",
            "s3cmd",
            "mc",
            "azcopy",
            "linode-cli",
            "hcloud",
            "vercel",
            "netlify",
            "firebase",
            "supabase",
            "railway",
            "render",
            "eksctl",
            "kops",
            "nats",
            "circleci",
            "rabbitmqctl",
            "rabbitmqadmin",
            "kafka-topics",
            "kafka-acls",
            "kafka-consumer-groups",
            "etcdctl",
            "argocd",
            "flux",
            "nomad",
            "cf",
            "scw",
            "vultr-cli",
            "exo",
            "b2",
            "duplicacy",
            "kopia",
            "glacier",
            "sam",
            "serverless",
            "sls",
            "copilot",
            "eb",
            "amplify",
            "pct",
            "qm",
            "virsh",
            "vagrant",
            "multipass",
            "lxc",
            "incus",
            "VBoxManage",
            "vboxmanage",
            "snap",
            "flatpak",
            "turso",
            "planetscale",
            "pscale",
            "neonctl",
            "stripe",
            "twilio",
            "shopify",
            "launchdarkly",
            "ldcli",
            "mongocli",
            "atlas",
            "cockroach",
            "databricks",
            "snow",
            "bq",
            "cloudflared-access",
        )
    },
    "gh": Program(
        grammar(
            "-X,--method= -f= -F= -H= -R,--repo= -t,--title= -b,--body= -d,--desc= -p,--public -w "
            "--show-token --yes --force -q,--jq= --json="
        ),
        _forge,
    ),
    "glab": Program(grammar("-X= -f= -F= -R= -t= -d= -p --show-token"), _forge),
    **{
        name: Program(_IAC, _infrastructure)
        for name in (
            "terraform",
            "tofu",
            "terragrunt",
            "pulumi",
            "cdk",
            "cdktf",
            "helm",
            "helmfile",
            "ansible-galaxy",
            "packer",
            "crossplane",
            "sst",
        )
    },
    **{
        name: Program(_SQL, _database, frozenset({"--help", "--version", "-V"}))
        for name in (
            "psql",
            "mysql",
            "mariadb",
            "mongosh",
            "mongo",
            "redis-cli",
            "valkey-cli",
            "sqlcmd",
            "cqlsh",
            "clickhouse-client",
            "dropdb",
            "dropuser",
            "createdb",
            "mysqladmin",
            "usql",
            "pgcli",
            "mycli",
            "duckdb",
            "influx",
        )
    },
    **{
        name: Program(_SQL, _dump)
        for name in (
            "pg_dump",
            "pg_dumpall",
            "mysqldump",
            "mariadb-dump",
            "mongodump",
            "pg_restore",
            "mongorestore",
            "mongoexport",
        )
    },
}
