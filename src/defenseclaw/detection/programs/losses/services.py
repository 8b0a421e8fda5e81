"""Services behind a vendor's program: secrets, backups, queues, pipelines, repositories, packages."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Describe
from defenseclaw.detection.programs.losses.calls import Call, apply, calls

_GONE: Final = "delete|remove|rm|destroy|purge|del"


def _rows(*rows: tuple[Call, ...]) -> Describe:
    joined = tuple(row for group in rows for row in group)
    return lambda act: apply(act, joined)


_VAULT: Final = calls(
    "secret_lost",
    "secrets disable",
    "auth disable",
    "audit disable",
    "kv destroy|delete",
    "kv metadata delete",
    "delete",
    "policy delete",
    "lease revoke -prefix",
    "lease revoke -force",
    "lease revoke --prefix",
    "namespace delete",
    "operator raft remove-peer",
)
_SECRETS: Final[dict[str, Describe]] = {
    **dict.fromkeys(("vault", "bao"), _rows(_VAULT)),
    "op": _rows(
        calls("secret_lost", "item|document|vault|user|group|connect|service-account delete", "* suspend")
    ),
    "doppler": _rows(
        calls(
            "secret_lost", "secrets|configs|projects|environments|workplace delete", "configs tokens revoke"
        )
    ),
    "infisical": _rows(calls("secret_lost", "secrets delete")),
    "bw": _rows(calls("secret_lost", "delete")),
    **dict.fromkeys(("pass", "gopass"), _rows(calls("secret_lost", "rm|remove|delete"))),
    "lpass": _rows(calls("secret_lost", "rm")),
    "rbw": _rows(calls("secret_lost", "remove|rm|purge")),
    "keepassxc-cli": _rows(calls("secret_lost", "rm|rmdir")),
    "security": _rows(
        calls(
            "secret_lost", "delete-keychain|delete-generic-password|delete-internet-password|delete-identity"
        )
    ),
    "secret-tool": _rows(calls("secret_lost", "clear")),
    "gpg": _rows(
        calls("secret_lost", "--delete-secret-keys", "--delete-secret-and-public-key", "--delete-secret-key")
    ),
    "chamber": _rows(calls("secret_lost", "delete")),
    "keytool": _rows(calls("secret_lost", "-delete")),
}

_BACKUPS: Final[dict[str, Describe]] = {
    "restic": _rows(calls("backup_lost", "forget", "prune", "key remove")),
    "borg": _rows(calls("backup_lost", "delete !--cache-only", "prune", "repo-delete|rdelete", "compact")),
    "velero": _rows(
        calls("backup_lost", "backup|restore|schedule|snapshot|backup-location delete", "delete")
    ),
    "kopia": _rows(calls("backup_lost", "snapshot delete|expire", "repository delete", "manifest delete")),
    "duplicacy": _rows(calls("backup_lost", "prune")),
    "duplicity": _rows(
        calls(
            "backup_lost",
            "remove-older-than|remove-all-but-n-full|remove-all-inc-of-but-n-full --force",
            "cleanup --force",
        )
    ),
    "tarsnap": _rows(calls("backup_lost", "-d", "--nuke")),
    "tmutil": _rows(calls("backup_lost", "delete|deletelocalsnapshots|deleteinprogress")),
    "timeshift": _rows(calls("backup_lost", "--delete", "--delete-all")),
    "snapper": _rows(calls("backup_lost", "delete|rm")),
    "pgbackrest": _rows(calls("backup_lost", "stanza-delete|expire")),
    **dict.fromkeys(("wal-g", "wal-e"), _rows(calls("backup_lost", "delete"))),
    "barman": _rows(calls("backup_lost", "delete")),
    "vssadmin": _rows(calls("backup_lost whole_lost", "delete shadows", "resize shadowstorage")),
    "wbadmin": _rows(calls("backup_lost whole_lost", "delete catalog|systemstatebackup|backup")),
    "diskshadow": _rows(calls("backup_lost", "delete")),
}

_KAFKA: Final[dict[str, tuple[str, ...]]] = {
    "kafka-topics": ("--delete",),
    "kafka-delete-records": ("--offset-json-file",),
    "kafka-consumer-groups": ("--delete", "--delete-offsets", "--reset-offsets --execute"),
    "kafka-acls": ("--remove",),
    "kafka-configs": ("--delete-config",),
    "kafka-streams-application-reset": ("--execute", "--force"),
    "zookeeper-shell": ("deleteall",),
}


def _kafka(rows: tuple[str, ...]) -> Describe:
    return _rows(calls("queue_lost", *rows))


_QUEUES: Final[dict[str, Describe]] = {
    **{f"{name}{end}": _kafka(rows) for name, rows in _KAFKA.items() for end in ("", ".sh")},
    "rpk": _rows(calls("queue_lost", "topic delete|trim-prefix", "group delete")),
    "rabbitmqctl": _rows(
        calls(
            "queue_lost",
            "delete_user|delete_vhost|delete_queue|purge_queue|reset|force_reset|forget_cluster_node",
        )
    ),
    "rabbitmqadmin": _rows(calls("queue_lost", "delete|purge")),
    "nats": _rows(
        calls(
            "queue_lost",
            f"stream|str|s {_GONE}",
            f"consumer|con|c {_GONE}",
            f"kv {_GONE}",
            f"bucket {_GONE}",
            f"object|obj {_GONE}",
        )
    ),
    "pulsar-admin": _rows(
        calls(
            "queue_lost", "topics|namespaces|tenants|subscriptions delete", "topics delete-partitioned-topic"
        )
    ),
}

_PIPELINES: Final[dict[str, Describe]] = {
    "circleci": _rows(
        calls(
            "pipeline_lost", "context|orb|namespace|pipeline|project|runner delete", "context remove-secret"
        )
    ),
    "gitlab-runner": _rows(calls("pipeline_lost", "unregister")),
    "drone": _rows(calls("pipeline_lost", "repo|secret|orgsecret rm", "repo disable")),
    "woodpecker-cli": _rows(calls("pipeline_lost", "repo|secret rm")),
    "tkn": _rows(calls("pipeline_lost", "* delete")),
    "argo": _rows(calls("pipeline_lost", "delete --all", "cron delete", "template delete")),
}
_JENKINS: Final = calls(
    "pipeline_lost",
    "delete-job|delete-node|delete-view|delete-builds|delete-credentials|delete-credentials-domain",
    "* delete-job|delete-node|delete-view|delete-builds|delete-credentials|delete-credentials-domain",
)


def _java(act: Act) -> None:
    """Describe the Jenkins client, which runs as ``java -jar jenkins-cli.jar … <call>``."""
    jar = next((index for index, word in enumerate(act.words) if word.endswith("jenkins-cli.jar")), -1)
    if jar < 0:
        return
    for word in act.words[jar + 1 :]:
        client = Act("jenkins-cli", (word,), operands=[word])
        apply(client, _JENKINS)
        if client.traits:
            act.does("delete")
            act.is_(*client.traits)


_FORGE: Final = (
    *calls("repository_lost", "repo|project delete", "repo|project archive", "release delete|delete-asset"),
    *calls("repository_lost", "gist|snippet delete", "issue delete"),
    *calls(
        "secret_lost", "secret|variable delete|remove", "ssh-key|gpg-key delete", "repo deploy-key delete"
    ),
    *calls("pipeline_lost", "run|workflow delete|disable", "ci|pipeline delete", "codespace delete"),
)


_FORGE_OWNER: Final = re.compile(r"^/?(?:repos/[^/]+/[^/]+|projects/[^/]+)(?=/|$)")
_FORGE_PATHS: Final = (
    (re.compile(r"^/(?:git/refs|repository/(?:branches|tags))/"), "remote_branch_lost"),
    (re.compile(r"^/(?:\w+/)?(?:secrets|variables|keys|hooks|deploy_keys)/"), "secret_lost"),
    (re.compile(r"^/(?:actions/runs|pipelines|jobs)/"), "pipeline_lost"),
    (
        re.compile(
            r"^/(?:[\w/]{1,80}/)?(?:comments|labels|reactions|assignees|requested_reviewers|notes|subscription"
            r"|caches|artifacts|award_emoji|lock)(?:/|$|\?)|^/?(?:user/starred|notifications)/"
        ),
        "",
    ),
)
"""What a call of the forge's interface deletes, by its path below the repository; the rest is content."""


def _forge(act: Act) -> None:
    apply(act, _FORGE)
    if act.operands[:1] != ["api"]:
        return
    method = act.value("-X") or next(
        (word.partition("=")[2] for word in act.words if word.startswith("--method=")), ""
    )
    if method.upper() != "DELETE":
        return
    act.does("delete")
    path = next((word for word in act.operands[1:] if "/" in word), "")
    below = _FORGE_OWNER.sub("", path)
    lost = next((trait for pattern, trait in _FORGE_PATHS if pattern.search(below)), "repository_lost")
    if lost:
        act.is_(lost)


_PACKAGES: Final[dict[str, Describe]] = {
    **dict.fromkeys(("npm", "pnpm"), _rows(calls("release_lost", "unpublish"))),
    "yarn": _rows(calls("release_lost", "unpublish", "npm unpublish")),
    "gem": _rows(calls("release_lost", "yank !--undo")),
    "cargo": _rows(calls("release_lost", "yank !--undo")),
    "dotnet": _rows(calls("release_lost", "nuget delete")),
    "nuget": _rows(calls("release_lost", "delete")),
    **dict.fromkeys(("vsce", "ovsx"), _rows(calls("release_lost", "unpublish"))),
    "pod": _rows(calls("release_lost", "trunk delete|deprecate")),
    "anaconda": _rows(calls("release_lost", "remove")),
    "mix": _rows(calls("release_lost", "hex.publish --revert", "hex.package revert")),
    **dict.fromkeys(("crane", "skopeo"), _rows(calls("release_lost", "delete"))),
    "regctl": _rows(calls("release_lost", "tag|image|repo delete|rm")),
}

TABLES: Final[tuple[dict[str, Describe], ...]] = (
    _SECRETS,
    _BACKUPS,
    _QUEUES,
    _PIPELINES,
    _PACKAGES,
    {"gh": _forge, "glab": _forge, "hub": _forge, "java": _java},
)
