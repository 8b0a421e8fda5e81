"""Containers, clusters and virtual machines: what goes with its data when it is removed."""

from __future__ import annotations

from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.programs.base import Act, Describe
from defenseclaw.detection.programs.losses.calls import Call, apply, calls, options_of

_RUNTIME: Final = (
    *calls(
        "volumes_lost", "volume rm|remove|prune", "system prune --volumes", "system reset", "volume rm|prune"
    ),
    *calls("volumes_lost", "machine rm|reset"),
    *calls("containers_lost", "system prune", "container prune", "image prune -a", "image prune --all"),
    *calls("containers_lost", "pod prune", "pod rm --all", "rm --all", "rmi --all", "rm -a", "rmi -a"),
    *calls("workloads_lost", "stack rm|remove|down", "service rm|remove", "node rm|remove --force"),
    *calls("workloads_lost", "swarm leave --force", "swarm leave -f", "secret rm|remove", "config rm|remove"),
)


def _compose(act: Act) -> None:
    """Describe Docker Compose, whose own options may stand before the sub-command."""
    goes = not {"down", "rm"}.isdisjoint(act.operands)
    if goes and ("--volumes" in act.words or _has_flags(act, "v")):
        act.does("delete")
        act.is_("volumes_lost")


def _runtime(act: Act) -> None:
    if act.operands[:1] == ["compose"]:
        _compose(act)
        return
    apply(act, _RUNTIME)
    words = act.operands
    if words[:1] in (["rm"], ["rmi"]) or words[:2] in (["container", "rm"], ["image", "rm"]):
        # `docker rm -f $(docker ps -aq)`: whichever there are.
        if any(word == UNKNOWN for word in words) and not {"-f", "--force"}.isdisjoint(options_of(act)):
            act.is_("containers_lost")
        elif words[0] == "rm" and _has_flags(act, "v") and _has_flags(act, "f"):
            act.is_("volumes_lost")


def _has_flags(act: Act, letter: str) -> bool:
    return any(word[0] == "-" and word[1:2] != "-" and letter in word for word in act.words if len(word) > 1)


_CLUSTER_WIDE: Final = frozenset(
    {
        "ns",
        "namespace",
        "namespaces",
        "pv",
        "persistentvolume",
        "persistentvolumes",
        "pvc",
        "persistentvolumeclaim",
        "persistentvolumeclaims",
        "crd",
        "crds",
        "customresourcedefinition",
        "customresourcedefinitions",
        "node",
        "nodes",
        "no",
        "project",
        "projects",
        "statefulset",
        "statefulsets",
        "sts",
        "storageclass",
        "sc",
        "clusterrole",
        "clusterrolebinding",
        "all",
    }
)
"""Kinds that take everything in them along, or the data itself."""
_COME_AGAIN: Final = frozenset(
    {"pod", "pods", "po", "replicaset", "rs", "event", "events", "ev", "job", "jobs"}
)
"""Kinds that their controller makes again, or that have run and are done."""


def _cluster(act: Act) -> None:
    words = [word.lower() for word in act.operands]
    if words[:1] == ["delete"]:
        _cluster_delete(act, words)
    elif words[:1] == ["drain"]:
        # Pods come up elsewhere; what they kept on the node, and those nothing restarts, do not.
        if not {"--delete-emptydir-data", "--delete-local-data", "--force"}.isdisjoint(act.words):
            act.is_("workloads_lost")
    elif words[:1] in (["scale"], ["replace"]) and not {"--replicas=0", "--force"}.isdisjoint(act.words):
        act.is_("workloads_lost")
    elif words[:1] == ["patch"] and any("finalizers" in word for word in act.words):
        act.is_("cluster_lost")


def _cluster_delete(act: Act, words: list[str]) -> None:
    kinds = {part.partition("/")[0].partition(".")[0] for word in words[1:2] for part in word.split(",")}
    options = options_of(act)
    if kinds & _CLUSTER_WIDE or not {"-A", "--all-namespaces"}.isdisjoint(options):
        act.is_("cluster_lost")
    elif kinds - _COME_AGAIN or not kinds or not {"--all", "--force"}.isdisjoint(options):
        act.is_("workloads_lost")


_HELM: Final = calls("workloads_lost", "uninstall|delete|del|un")


def _rows(rows: tuple[Call, ...]) -> Describe:
    return lambda act: apply(act, rows)


def _key_value_store(act: Act) -> None:
    """Describe etcdctl: a whole range of keys, or a member with what only it holds."""
    apply(act, calls("data_lost", "del --prefix", "del --from-key", "del * *", "member remove"))
    if act.operands[:2] == ["del", ""]:
        act.is_("cluster_lost")


TABLE: Final[dict[str, Describe]] = {
    **dict.fromkeys(("docker", "podman", "nerdctl", "finch", "buildah"), _runtime),
    **dict.fromkeys(("docker-compose", "podman-compose"), _compose),
    **dict.fromkeys(("kubectl", "oc", "microk8s", "kubecolor"), _cluster),
    "helm": _rows(_HELM),
    "helmfile": _rows(calls("workloads_lost", "destroy|delete")),
    "argocd": _rows(
        calls("workloads_lost", "app delete", "appset delete", "cluster rm", "repo rm", "proj delete")
    ),
    "flux": _rows(calls("workloads_lost", "uninstall", "delete")),
    "istioctl": _rows(calls("workloads_lost", "uninstall")),
    "nomad": _rows(
        calls("workloads_lost", "job stop -purge", "stop -purge", "namespace delete", "system gc")
    ),
    "kops": _rows(calls("cluster_lost whole_lost", "delete cluster --yes")),
    "eksctl": _rows(calls("cluster_lost", "delete cluster|nodegroup|fargateprofile")),
    "kubeadm": _rows(calls("cluster_lost", "reset")),
    "talosctl": _rows(calls("cluster_lost", "reset")),
    "rke": _rows(calls("cluster_lost", "remove")),
    "k3s-uninstall.sh": _rows(calls("cluster_lost", "")),
    "etcdctl": _key_value_store,
    "consul": _rows(calls("data_lost", "kv delete -recurse", "kv delete --recurse")),
    "vagrant": _rows(calls("machines_lost", "destroy")),
    "multipass": _rows(calls("machines_lost", "delete --purge", "delete -p", "purge")),
    "virsh": _rows(
        calls(
            "machines_lost",
            "undefine --remove-all-storage",
            "undefine --storage",
            "vol-delete|pool-delete|vol-wipe",
        )
    ),
    **dict.fromkeys(
        ("lxc", "incus"),
        _rows(calls("machines_lost", "delete|rm", "storage delete", "storage volume delete")),
    ),
    **dict.fromkeys(("qm", "pct"), _rows(calls("machines_lost", "destroy"))),
    "vboxmanage": _rows(
        calls(
            "machines_lost", "unregistervm --delete", "unregistervm --delete-all", "closemedium * * --delete"
        )
    ),
    "orb": _rows(calls("machines_lost", "delete|rm|reset")),
    "colima": _rows(calls("volumes_lost", "delete")),
}
