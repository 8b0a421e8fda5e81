"""Container runtimes, clusters, and programs that enter namespaces or change the root."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Grammar, Program, grammar, is_url, parse

MINERS: Final = frozenset(
    [
        "xmrig",
        "xmrig-proxy",
        "minerd",
        "cpuminer",
        "cpuminer-multi",
        "ethminer",
        "cgminer",
        "bfgminer",
        "t-rex",
        "lolminer",
        "nbminer",
        "teamredminer",
        "phoenixminer",
        "nanominer",
    ]
)

_RUN: Final = grammar(
    "-v,--volume= --mount= --privileged --pid= --net,--network= --ipc= --uts= --userns= --cgroupns= "
    "--cap-add= --cap-drop= "
    "--device= --security-opt= --entrypoint= -e,--env= --env-file= -p,--publish= --name= "
    "-w,--workdir= -u,--user= "
    "-h,--hostname= -l,--label= --label-file= -m,--memory= --cpus= --restart= --log-driver= "
    "--log-opt= --add-host= --dns= "
    "--link= --platform= --pull= --gpus= --shm-size= --tmpfs= --ulimit= --volumes-from= --cidfile= "
    "--health-cmd= "
    "--stop-signal= --runtime= --group-add= --ip= --mac-address= --sysctl= --index= -i,--interactive "
    "-t,--tty -d,--detach "
    "--rm --init -P --read-only",
    stop=True,
)
_EXEC: Final = grammar(
    "-e,--env= --env-file= -u,--user= -w,--workdir= --privileged -i,--interactive -t,--tty -d,--detach",
    stop=True,
)
_GLOBAL: Final = grammar(
    "-H,--host= -c,--context= --config= -l,--log-level= --tlscacert= --tlscert= --tlskey= -D --tls "
    "--tlsverify --url= --connection= -r,--remote --namespace,-n=",
    stop=True,
)
_HOST_NAMESPACES: Final = ("--pid", "--net", "--ipc", "--uts", "--userns", "--cgroupns")
_DANGEROUS_CAPS: Final = frozenset(
    {
        "all",
        "sys_admin",
        "sys_ptrace",
        "sys_module",
        "dac_read_search",
        "sys_rawio",
    }
)
_DESTROYS: Final = frozenset({"rm", "rmi", "prune", "down", "remove", "delete"})


def _runtime(act: Act) -> None:
    hosts = [value for value in act.all("-H", "--url") if value.startswith(("tcp:", "ssh:", "http"))]
    for host in hosts:
        act.is_("remote_runtime")
        act.talk("connect", host)
    for host in act.all("-H"):
        if host.startswith("unix:"):
            act.touch("connect", [host.removeprefix("unix://")])
    words = act.operands
    if words[:1] == ["container"] or words[:1] == ["image"]:
        words = words[1:]
    verb = words[0] if words else ""
    if verb in ("run", "create"):
        _run(act, words[1:])
    elif verb == "exec":
        sub = _sub(act, _EXEC, words[1:])
        act.does("execute")
        if hosts:
            act.does("workload_exec")
        if sub.has("--privileged"):
            act.is_("privileged_container")
        if sub.has("-i") and len(sub.operands) == 1:
            act.is_("interactive")
    elif verb == "cp":
        act.does("copy")
        pair = words[1:3]
        for index, word in enumerate(pair):
            if ":" not in word or word.startswith((".", "/", "~")):
                act.touch("copy_from" if index == 0 else "copy_to", [word])
    elif verb in ("push",):
        act.does("upload")
        act.is_("publish")
    elif verb == "pull":
        act.does("fetch")
    elif verb == "login":
        act.does("connect")
    elif verb == "compose" or act.program == "docker-compose":
        _compose(act, words[1:] if verb == "compose" else words)
    elif verb in ("stop", "kill"):
        act.does("process_kill")
        if any("defenseclaw" in word for word in words[1:]):
            act.is_("self_stop")
    elif verb in _DESTROYS or (len(words) > 1 and words[1] in _DESTROYS):
        act.does("delete")
        if "prune" in words or verb == "rm":
            act.is_("bulk" if "prune" in words else "force")


def _sub(act: Act, rules: Grammar, words: list[str]) -> Act:
    """Parse the words of a sub-command and add its options to the command's."""
    sub = Act(act.program, tuple(words))
    parse(sub, rules)
    act.options.extend(sub.options)
    return sub


def _run(act: Act, words: list[str]) -> None:
    sub = _sub(act, _RUN, words)
    act.does("container_run")
    if sub.has("--privileged") and sub.value("--privileged").lower() not in ("false", "0"):
        act.is_("privileged_container")
    capabilities = {value.lower().removeprefix("cap_") for value in sub.all("--cap-add")}
    if sub.value("--pid") != "host":
        # To trace is to trace the container's own processes: every debugger in a container needs it.
        capabilities.discard("sys_ptrace")
    if not capabilities.isdisjoint(_DANGEROUS_CAPS):
        act.is_("dangerous_capability")
    if any(sub.value(name) == "host" for name in _HOST_NAMESPACES):
        act.is_("host_namespace")
    for target, source in _mounts(sub):
        act.mounts.append((target, source))
        act.touch("mount", [source])
        if source.rstrip("/") == "":
            act.is_("host_root_mount")
        if source.endswith(".sock"):
            act.is_("runtime_socket_mount")
    act.touch("metadata", sub.all("--env-file"))
    act.touch("mount", [value.partition(":")[0] for value in sub.all("--device")])
    image = sub.operand(0)
    words_run = [image.rpartition("/")[2].partition(":")[0], sub.value("--entrypoint"), sub.operand(1)]
    if any(word.rpartition("/")[2].lower() in MINERS for word in words_run):
        act.is_("image_miner", "miner")


def _mounts(sub: Act) -> list[tuple[str, str]]:
    """Return (place in the container, path of the host) of bind mounts."""
    pairs = [value.split(":")[:2] for value in sub.all("-v")]
    sources = [
        ((pair[1] if len(pair) > 1 else pair[0]), pair[0])
        for pair in pairs
        if pair[0].startswith(("/", "~", ".", "$")) or "/" in pair[0]
    ]
    for value in sub.all("--mount"):
        fields = dict(part.partition("=")[::2] for part in value.split(","))
        source = fields.get("source") or fields.get("src") or ""
        target = fields.get("target") or fields.get("dst") or fields.get("destination") or source
        if fields.get("type", "volume") == "bind" and source:
            sources.append((target, source))
    return sources


def _compose(act: Act, words: list[str]) -> None:
    sub = _sub(
        act, grammar("-f,--file= -p,--project-name= --env-file= --profile= -v,--volumes", stop=False), words
    )
    if sub.operand(0) == "up":
        act.does("container_run")
    elif sub.operand(0) == "down":
        act.does("delete")
        if sub.has("-v"):
            act.is_("bulk")
    act.touch("read", sub.all("-f"))
    act.touch("metadata", sub.all("--env-file"))


def _cluster(act: Act) -> None:
    """Describe kubectl and oc."""
    verb = act.operand(0)
    if act.has("--dry-run") and act.value("--dry-run") != "none":
        act.effect = "preview"
    elif verb in ("exec", "debug", "rsh", "attach"):
        act.does("workload_exec", "execute")
    elif verb == "run":
        act.does("container_run")
        _overrides(act, act.value("--overrides"))
        if any(word.rpartition("/")[2].partition(":")[0] in MINERS for word in act.all("--image")):
            act.is_("image_miner", "miner")
    elif verb == "cp":
        act.does("copy", "workload_exec")
    elif verb in ("delete", "drain", "cordon"):
        act.does("delete")
        act.is_("cloud_destroy")
        if act.has("--all", "-A"):
            act.is_("bulk")
    elif verb in ("get", "describe") and act.operand(1).split("/")[0] in ("secret", "secrets"):
        act.does("credential_read" if act.has("-o") else "read")
        if act.has("-o"):
            act.is_("stored_secret")
            act.emits.append("credential_store")
    elif verb in ("apply", "create", "replace", "patch"):
        act.does("config_change")
        for source in act.all("-f"):
            act.talk("download", source) if is_url(source) else act.touch("read", [source])
        if verb == "create" and act.operand(1) == "token":
            act.does("credential_read")
            act.is_("login_token")
    elif verb in ("port-forward", "proxy"):
        act.does("tunnel")
        act.is_("forward_tunnel")
    elif verb == "config" and act.operand(1) == "view" and act.has("--raw"):
        act.does("credential_read")
        act.is_("secret_value")
        act.emits.append("credential_store")


def _overrides(act: Act, text: str) -> None:
    if "privileged" in text or '"hostPID"' in text:
        act.is_("privileged_container")
    if re.search(r'"host(?:PID|IPC|Network)"\s{0,8}:\s{0,8}true', text) is not None:
        act.is_("host_namespace")
    if re.search(r'"hostPath"\s{0,8}:\s{0,8}\{[^{}]{0,256}?"path"\s{0,8}:\s{0,8}"/"', text) is not None:
        act.is_("host_root_mount")


def _system_container(act: Act) -> None:
    """Describe lxc and incus: a container is given its devices and its rights one by one."""
    words = [word.lower() for word in (*act.operands, *act.all("-c", "-d"))]
    if words[:1] in (["init"], ["launch"], ["config"]):
        act.does("container_run")
    if "security.privileged=true" in words or words[-2:] == ["security.privileged", "true"]:
        act.is_("privileged_container")
    if any(word in ("source=/", "path=/,source=/") or word.endswith(",source=/") for word in words):
        act.is_("host_root_mount")


def _runtime_exec(act: Act) -> None:
    """Describe crictl, ctr and nerdctl-like tools that exec into workloads."""
    words = act.operands
    if words[:1] == ["exec"] or (
        len(words) > 1 and words[0] in ("task", "tasks", "t") and words[1] == "exec"
    ):
        act.does("workload_exec", "execute")
    elif words[:1] == ["run"]:
        act.does("container_run")
        if act.has("--privileged"):
            act.is_("privileged_container")
        for _, source in _mounts(act):
            act.touch("mount", [source])
            if source.rstrip("/") == "":
                act.is_("host_root_mount")


def _nsenter(act: Act) -> None:
    act.does("namespace_enter", "execute")
    target = act.value("-t")
    files = [
        value for name in ("-m", "-u", "-i", "-n", "-p", "-U", "-C", "-T") for value in act.all(name) if value
    ]
    if target == "1" or any(re.match(r"/proc/1/", value) for value in files):
        act.is_("host_init")
    act.touch("execute", files)


def _unshare(act: Act) -> None:
    act.does("namespace_enter", "execute")


def _chroot(act: Act) -> None:
    act.does("root_change", "execute")
    root = act.operand(0)
    if re.match(r"/proc/(?:1|\d+)/root/?$", root) or root.rstrip("/") in (
        "/host",
        "/mnt/host",
        "/hostfs",
        "/rootfs",
    ):
        act.is_("host_init")
    act.touch("execute", [root])


def _mount(act: Act) -> None:
    act.does("config_change")
    if len(act.operands) > 1:
        act.touch("mount", act.operands[:2])
    elif act.program == "umount":
        act.touch("mount", act.operands)


PROGRAMS: Final[dict[str, Program]] = {
    **{
        name: Program(_GLOBAL, _runtime)
        for name in ("docker", "podman", "nerdctl", "docker-compose", "finch", "buildah")
    },
    **{
        name: Program(
            grammar(
                "-n,--namespace= -c,--container= -f,--filename= -o,--output= -l,--selector= "
                "--context= --kubeconfig= --image= "
                "--overrides= --as= -s,--server= --token= -A,--all-namespaces --all --raw --dry-run "
                "-i -t -it -w --grace-period= "
                "--patch= -p= --type=",
            ),
            _cluster,
        )
        for name in ("kubectl", "oc", "k3s", "microk8s", "kubecolor")
    },
    "crictl": Program(grammar("-r= -i= -t -it"), _runtime_exec),
    "ctr": Program(
        grammar("-n,--namespace= -a,--address= --exec-id= --privileged -t --mount= -v= --rm"), _runtime_exec
    ),
    **{
        name: Program(grammar("-c,--config= -d,--device= -p,--profile= -n= -s="), _system_container)
        for name in ("lxc", "incus")
    },
    "nsenter": Program(
        grammar(
            "-t,--target= -m,--mount -u,--uts -i,--ipc -n,--net -p,--pid -U,--user -C,--cgroup "
            "-T,--time -a,--all -r,--root -w,--wd -S= -G=",
            stop=True,
        ),
        _nsenter,
    ),
    "unshare": Program(
        grammar("--map-root-user,-r -m -u -i -n -p -U -f --propagation= --root= --wd=", stop=True), _unshare
    ),
    "chroot": Program(grammar("--userspec= --groups= --skip-chdir", stop=True), _chroot),
    "mount": Program(grammar("-t= -o= -L= -U= --bind --rbind -a -v"), _mount),
    "umount": Program(grammar("-l -f -a -t="), _mount),
}
