"""Clouds and infrastructure as code: what is deleted there, by the kind of service it belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from defenseclaw.detection.programs.base import Act, Describe
from defenseclaw.detection.programs.losses.calls import apply, calls, options_of

_READS: Final = (
    "list",
    "ls",
    "get",
    "describe",
    "show",
    "help",
    "info",
    "status",
    "plan",
    "view",
    "log",
    "create",
    "add",
    "find",
    "search",
    "cat",
    "diff",
    "check",
    "wait",
    "head",
    "batch-get",
    "scan",
    "query",
    "run",
    "start",
    "tail",
    "ssh",
    "exec",
    "deploy",
    "update",
    "set",
    "put",
    "cp",
    "lookup",
    "import",
    "export",
    "validate",
    "login",
)
"""Sub-commands that end the search for a verb: what follows them is a name."""
_VERBS: Final = (
    "delete",
    "destroy",
    "terminate",
    "purge",
    "remove",
    "rm",
    "rb",
    "deregister",
    "unsubscribe",
    "erase",
    "nuke",
    "schedule-key-deletion",
    "batch-delete",
    "apps:destroy",
    "pg:reset",
    "addons:destroy",
    "down",
)
_MAX_WORDS: Final = 6
_NOTHING_LOST: Final = frozenset({"delete-message", "delete-message-batch"})
"""Calls that only take away what was read."""
_SETTING: Final = re.compile(
    r"rule|polic|tag|label|binding|role|permission|timer|token|scope-?map|associat|attach|alarm|dashboard|webhook"
    r"|replicat|acl|member|metadata|health|alias|extension|component|completion|context|config|setting|cache|^task"
)
"""Words of calls that take away a setting, which can be made again from what is known."""

_AWS: Final[Mapping[str, str]] = {
    "s3": "storage_lost",
    "s3api": "storage_lost",
    "s3control": "storage_lost",
    "glacier": "backup_lost",
    "efs": "storage_lost",
    "fsx": "storage_lost",
    "rds": "database_lost",
    "dynamodb": "database_lost",
    "redshift": "database_lost",
    "elasticache": "database_lost",
    "docdb": "database_lost",
    "neptune": "database_lost",
    "opensearch": "database_lost",
    "es": "database_lost",
    "sqs": "queue_lost",
    "sns": "queue_lost",
    "kinesis": "queue_lost",
    "kafka": "queue_lost",
    "secretsmanager": "secret_lost",
    "ssm": "secret_lost",
    "kms": "secret_lost",
    "acm": "secret_lost",
    "backup": "backup_lost",
    "ecr": "release_lost",
    "ecr-public": "release_lost",
    "eks": "cluster_lost",
    "ecs": "workloads_lost",
    "codepipeline": "pipeline_lost",
    "codebuild": "pipeline_lost",
    "organizations": "resources_lost whole_lost",
}
_GCLOUD: Final[Mapping[str, str]] = {
    "projects": "resources_lost whole_lost",
    "storage": "storage_lost",
    "sql": "database_lost",
    "firestore": "database_lost",
    "spanner": "database_lost",
    "bigtable": "database_lost",
    "redis": "database_lost",
    "secrets": "secret_lost",
    "kms": "secret_lost",
    "pubsub": "queue_lost",
    "container": "cluster_lost",
    "artifacts": "release_lost",
    "builds": "pipeline_lost",
}
_AZ: Final[Mapping[str, str]] = {
    "group": "resources_lost",
    "keyvault": "secret_lost",
    "storage": "storage_lost",
    "sql": "database_lost",
    "cosmosdb": "database_lost",
    "postgres": "database_lost",
    "mysql": "database_lost",
    "redis": "database_lost",
    "servicebus": "queue_lost",
    "eventhubs": "queue_lost",
    "backup": "backup_lost",
    "aks": "cluster_lost",
    "acr": "release_lost",
    "pipelines": "pipeline_lost",
    "repos": "repository_lost",
}
_OTHERS: Final[Mapping[str, str]] = {
    "pg:reset": "database_lost",
    "databases": "database_lost",
    "database": "database_lost",
    "db": "database_lost",
    "r2": "storage_lost",
    "kv:namespace": "database_lost",
    "d1": "database_lost",
    "projects": "resources_lost whole_lost",
    "kubernetes": "cluster_lost",
    "k8s": "cluster_lost",
    "oke": "cluster_lost",
    "secrets": "secret_lost",
    "secret": "secret_lost",
    "volumes": "storage_lost",
    "volume": "storage_lost",
    "firestore:delete": "database_lost",
    "database:remove": "database_lost",
}


def _verb(words: list[str]) -> str:
    """Return the first word that destroys, empty when a harmless verb stands before it."""
    for word in words[:_MAX_WORDS]:
        if word in _NOTHING_LOST or _SETTING.search(word):
            return ""
        if any(word == verb or word.startswith((f"{verb}-", f"{verb}_")) for verb in _VERBS) or word.endswith(
            (":destroy", ":delete", ":remove", ":reset")
        ):
            return word
        if any(word == read or word.startswith((f"{read}-", f"{read}_")) for read in _READS):
            return ""
    return ""


def _cloud(kinds: Mapping[str, str]) -> Describe:
    def describe(act: Act) -> None:
        words = [word.lower() for word in act.operands]
        verb = _verb(words)
        if not verb:
            return
        known = [kinds[word] for word in words[: words.index(verb) + 1] if word in kinds]
        act.does("delete")
        act.is_(*(known[0] if known else "resources_lost").split())

    return describe


_AWS_EVERYWHERE: Final = _cloud(_AWS)
_AWS_EXTRA: Final = (
    *calls("storage_lost whole_lost", "s3 rb --force"),
    *calls("database_lost whole_lost", "rds delete-db-instance|delete-db-cluster --skip-final-snapshot"),
    *calls("secret_lost whole_lost", "secretsmanager delete-secret --force-delete-without-recovery"),
    *calls("secret_lost", "kms disable-key"),
    *calls("sync_delete", "s3 sync --delete"),
    *calls("database_lost", "dynamodb delete-table"),
    *calls("backup_lost", "ec2 delete-snapshot", "rds delete-db-snapshot|delete-db-cluster-snapshot"),
)


def _aws(act: Act) -> None:
    if any(local in act.value("--endpoint-url") for local in ("localhost", "127.0.0.1")):
        return  # an emulator
    _AWS_EVERYWHERE(act)
    apply(act, _AWS_EXTRA)
    words = [word.lower() for word in act.operands]
    if words[:2] == ["s3", "rm"]:
        # One object is not the bucket: `s3 rm` without --recursive names it.
        _whole_bucket(act, words[2:])


def _whole_bucket(act: Act, targets: list[str]) -> None:
    if not {"--recursive", "-r"}.isdisjoint(options_of(act)):
        bare = [word for word in targets if word.partition("://")[2].rstrip("/*").count("/") == 0]
        if bare:
            act.is_("whole_lost")


_AZ_EXTRA: Final = (
    *calls("resources_lost whole_lost", "group delete --yes", "group delete -y"),
    *calls("storage_lost", "storage blob delete-batch", "storage account delete"),
    *calls("secret_lost whole_lost", "keyvault purge"),
)
_AZ_EVERYWHERE: Final = _cloud(_AZ)


def _azure(act: Act) -> None:
    _AZ_EVERYWHERE(act)
    apply(act, _AZ_EXTRA)


_GSUTIL: Final = calls("storage_lost", "rm", "* rm", "rb", "* rb")
_OBJECTS: Final[dict[str, Describe]] = {
    "gsutil": lambda act: apply(act, (*_GSUTIL, *calls("sync_delete", "rsync -d", "* rsync -d"))),
    "rclone": lambda act: apply(
        act,
        (
            *calls("storage_lost", "delete|deletefile|purge|cleanup|rmdir|rmdirs"),
            *calls("sync_delete", "sync|bisync", "move|moveto|dedupe"),
        ),
    ),
    "mc": lambda act: apply(act, calls("storage_lost", "rm|rb|undo")),
    "s3cmd": lambda act: apply(
        act, (*calls("storage_lost", "del|rm|rb"), *calls("sync_delete", "sync --delete-removed"))
    ),
    "s5cmd": lambda act: apply(act, calls("storage_lost", "rm|rb", "* rm|rb")),
    "azcopy": lambda act: apply(
        act, (*calls("storage_lost", "remove|rm"), *calls("sync_delete", "sync --delete-destination"))
    ),
    "b2": lambda act: apply(
        act, calls("storage_lost", "delete-bucket|delete-file-version|rm", "bucket delete", "file hide")
    ),
}

_TERRAFORM: Final = (
    *calls(
        "infrastructure_lost",
        "destroy",
        "apply -destroy",
        "apply --destroy",
        "run-all destroy",
        "run --all destroy",
    ),
    *calls("infrastructure_lost", "state rm", "workspace delete", "state push -force"),
    *calls(
        "whole_lost",
        "destroy -auto-approve",
        "destroy --auto-approve",
        "destroy --terragrunt-non-interactive",
    ),
)
_PULUMI: Final = (
    *calls("infrastructure_lost", "destroy|down|dn", "stack rm|delete", "state delete"),
    *calls("whole_lost", "destroy|down --yes", "destroy|down -y", "destroy|down --skip-preview"),
)
_KITS: Final = (
    *calls("infrastructure_lost", "destroy"),
    *calls("whole_lost", "destroy --force", "destroy -f"),
)
_SERVERLESS: Final = calls("infrastructure_lost", "remove|delete|terminate|undeploy", "app|env|svc delete")


def _terraform(act: Act) -> None:
    apply(act, _TERRAFORM)
    if "infrastructure_lost" in act.traits and act.operands[:1] == ["apply"]:
        apply(act, calls("whole_lost", "apply -auto-approve", "apply --auto-approve"))


_STACKS: Final[dict[str, Describe]] = {
    **dict.fromkeys(("terraform", "tofu", "terragrunt"), _terraform),
    "pulumi": lambda act: apply(act, _PULUMI),
    **dict.fromkeys(("cdk", "cdktf"), lambda act: apply(act, _KITS)),
    **dict.fromkeys(
        ("serverless", "sls", "sst", "sam", "amplify", "eb", "copilot", "chalice", "zappa"),
        lambda act: apply(act, _SERVERLESS),
    ),
}


_VENDORS: Final = (
    "doctl",
    "hcloud",
    "linode-cli",
    "scw",
    "vultr-cli",
    "ibmcloud",
    "oci",
    "cf",
    "exo",
    "civo",
    "upctl",
    "ovhai",
    "heroku",
    "fly",
    "flyctl",
    "vercel",
    "netlify",
    "railway",
    "render",
    "firebase",
    "supabase",
    "wrangler",
    "databricks",
    "snow",
    "neonctl",
    "neon",
    "pscale",
    "turso",
    "atlas",
    "mongocli",
    "cockroach",
    "ccloud",
    "confluent",
    "koyeb",
    "northflank",
    "platform",
    "shopify",
    "stripe",
    "ldcli",
    "algolia",
    "twilio",
    "aliyun",
    "tccli",
    "yc",
    "openstack",
    "nova",
    "cloudflare",
    "flarectl",
    "tailscale",
    "auth0",
    "okta",
    "pd",
    "datadog-ci",
)

TABLES: Final[tuple[dict[str, Describe], ...]] = (
    {"aws": _aws, "gcloud": _cloud(_GCLOUD), "az": _azure},
    _OBJECTS,
    _STACKS,
    {name: _cloud(_OTHERS) for name in _VENDORS},
    {"bq": lambda act: apply(act, calls("data_lost", "rm", "* rm"))},
)
