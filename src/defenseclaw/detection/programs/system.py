"""Disks, services, jobs, processes, accounts, privileges, kernel settings and miners."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Program, grammar
from defenseclaw.detection.programs.containers import MINERS
from defenseclaw.detection.programs.interpreters import SHELLS, inspect_code

OURS: Final = "defenseclaw"
_PRIVILEGED_GROUPS: Final = frozenset(
    [
        "root",
        "sudo",
        "wheel",
        "admin",
        "docker",
        "lxd",
        "incus",
        "podman",
        "adm",
        "disk",
        "shadow",
        "administrators",
    ]
)
_DEFENDERS: Final = re.compile(
    r"audit|apparmor|selinux|falcon|osquery|wazuh|clamav|firewalld|\bufw\b|rsyslog|syslogd|journald|sysmon|fail2ban"
)
"""Services that watch or filter."""
_KILL_SIGNALS: Final = re.compile(r"^-(?:9|kill|sigkill|s(?:ignal)?)$", re.IGNORECASE)
_SIGNAL: Final = re.compile(r"^-(?:\d{1,2}|(?:SIG)?[A-Z]{3,6}\d?)$", re.IGNORECASE)


# ---- disks ------------------------------------------------------------------------------------------


def _format(act: Act) -> None:
    act.does("disk_write")
    act.touch("write", act.operands)


def _wipefs(act: Act) -> None:
    if act.has("-n") or not act.has("-a", "-o"):
        act.does("list")
        return
    _format(act)


def _partition(act: Act) -> None:
    """Describe fdisk, parted, sgdisk: they write unless they only list."""
    if act.has("-l", "--list", "-p", "--print", "--info", "-i", "-s", "-v") and not act.has(
        "-z", "-Z", "-o", "-d", "-n"
    ):
        act.does("list")
        return
    if act.program == "parted" and "print" in act.operands and len(act.operands) < 3:
        act.does("list")
        return
    act.does("disk_write")
    act.touch("write", act.operands[:1])


def _cryptsetup(act: Act) -> None:
    if act.operand(0).lower() in (
        "luksformat",
        "erase",
        "lukserase",
        "reencrypt",
        "luksremovekey",
        "lukskillslot",
        "format",
    ):
        act.does("disk_write")
        act.touch("write", act.operands[1:2])


def _by_verb(act: Act, verbs: frozenset[str]) -> None:
    words = [word.lower() for word in act.operands]
    if verbs.intersection(words):
        act.does("disk_write")
        act.touch("write", [word for word in act.operands if "/" in word or word.startswith("disk")])
    else:
        act.does("list")


def _diskutil(act: Act) -> None:
    _by_verb(
        act,
        frozenset(
            {"erasedisk", "erasevolume", "reformat", "zerodisk", "secureerase", "partitiondisk", "randomdisk"}
        ),
    )


def _nvme(act: Act) -> None:
    _by_verb(act, frozenset({"format", "sanitize", "write-zeroes", "dsm", "write"}))


def _hdparm(act: Act) -> None:
    if any("erase" in option or "security" in option or "write" in option for option in act.options):
        act.does("disk_write")
        act.touch("write", act.operands)


def _badblocks(act: Act) -> None:
    if act.has("-w", "-n"):
        act.does("disk_write")
        act.touch("write", act.operands[:1])


def _volume(act: Act) -> None:
    """Describe LVM, mdadm, zpool, zfs, btrfs: only what destroys."""
    words = {act.program, *(word.lower() for word in act.operands)}
    if words & {"lvremove", "vgremove", "pvremove", "destroy", "labelclear", "delete", "pvcreate"} or act.has(
        "--zero-superblock"
    ):
        act.does("disk_write", "delete")
        if act.has("-r", "-R", "-f"):
            act.is_("force")
        act.touch("write", [word for word in act.operands if word.startswith("/dev/")])


# ---- services and jobs ------------------------------------------------------------------------------


_PACKAGED: Final = frozenset(
    [
        "nginx",
        "apache2",
        "httpd",
        "caddy",
        "haproxy",
        "traefik",
        "docker",
        "containerd",
        "podman",
        "crio",
        "kubelet",
        "k3s",
        "postgresql",
        "mysql",
        "mysqld",
        "mariadb",
        "mongod",
        "redis",
        "redis-server",
        "memcached",
        "rabbitmq-server",
        "elasticsearch",
        "opensearch",
        "kibana",
        "grafana-server",
        "prometheus",
        "node_exporter",
        "influxdb",
        "influxd",
        "php-fpm",
        "php8.1-fpm",
        "php8.2-fpm",
        "php8.3-fpm",
        "ssh",
        "sshd",
        "cron",
        "crond",
        "chronyd",
        "chrony",
        "ntp",
        "ntpd",
        "systemd-timesyncd",
        "systemd-networkd",
        "systemd-resolved",
        "networkmanager",
        "bluetooth",
        "cups",
        "avahi-daemon",
        "ufw",
        "firewalld",
        "fail2ban",
        "nftables",
        "libvirtd",
        "virtqemud",
        "lxd",
        "snapd",
        "fstrim.timer",
        "tlp",
        "acpid",
        "dbus",
        "rsyslog",
        "auditd",
        "pipewire",
        "pipewire-pulse",
        "pulseaudio",
        "gdm",
        "gdm3",
        "lightdm",
        "sddm",
        "ollama",
        "jenkins",
        "gitlab-runner",
        "tailscaled",
        "wpa_supplicant",
        "wireplumber",
        "pipewire-media-session",
        "xdg-desktop-portal",
        "syncthing",
        "mpd",
        "transmission-daemon",
        "plexmediaserver",
        "jellyfin",
        "emby-server",
        "smbd",
        "nmbd",
        "smb",
        "nfs-server",
        "nfs-kernel-server",
        "rpcbind",
        "vsftpd",
        "proftpd",
        "dovecot",
        "postfix",
        "exim4",
        "opendkim",
        "named",
        "bind9",
        "unbound",
        "dnsmasq",
        "isc-dhcp-server",
        "squid",
        "varnish",
        "lighttpd",
        "tomcat",
        "tomcat9",
        "tomcat10",
        "uwsgi",
        "gunicorn",
        "supervisor",
        "supervisord",
        "celery",
        "nats-server",
        "kafka",
        "zookeeper",
        "cassandra",
        "couchdb",
        "neo4j",
        "clickhouse-server",
        "minio",
        "vault",
        "consul",
        "nomad",
        "etcd",
        "loki",
        "promtail",
        "alertmanager",
        "telegraf",
        "collectd",
        "netdata",
        "zabbix-agent",
        "filebeat",
        "logstash",
        "munge",
        "slurmd",
        "slurmctld",
        "qemu-guest-agent",
        "open-vm-tools",
        "vmtoolsd",
        "vboxservice",
        "amazon-ssm-agent",
        "cloud-init",
        "unattended-upgrades",
        "apt-daily.timer",
        "dnf-automatic.timer",
        "logrotate.timer",
        "man-db.timer",
        "smartd",
        "smartmontools",
        "thermald",
        "irqbalance",
        "power-profiles-daemon",
        "upower",
        "udisks2",
        "modemmanager",
        "iwd",
        "connman",
        "systemd-homed",
        "systemd-oomd",
        "systemd-timesyncd",
        "getty",
        "serial-getty",
        "apparmor",
        "polkit",
        "usbguard",
        "xrdp",
        "gpm",
        "snapper-timeline.timer",
        "btrfs-scrub",
        "zfs-zed",
        "zfs.target",
        "wg-quick",
        "openvpn",
        "strongswan",
        "zerotier-one",
        "cloudflared",
    ]
)
"""Services that come with a distribution or a well-known package: enabling one hides nothing."""


def _is_packaged(unit: str) -> bool:
    name = unit.lower().removesuffix(".service").removesuffix(".socket")
    return name.partition("@")[0] in _PACKAGED


_RUN_LEVEL_VERBS: Final = {"defaults": "enable", "on": "enable", "off": "disable"}


def _service(act: Act) -> None:
    """Describe systemctl, service, rc-service, launchctl, sc."""
    words = [word.lower() for word in act.operands]
    verb, units = (words[0], act.operands[1:]) if words else ("", [])
    if act.program in ("service", "rc-service", "initctl") and len(words) > 1 and act.program != "initctl":
        verb, units = words[1], act.operands[:1]
    if act.program in ("update-rc.d", "chkconfig") and len(words) > 1:
        verb, units = _RUN_LEVEL_VERBS.get(words[1], words[1]), act.operands[:1]
    if verb in (
        "enable",
        "reenable",
        "preset",
        "link",
        "load",
        "bootstrap",
        "add-wants",
        "submit",
        "create",
        "edit",
        "set-default",
    ):
        act.does("schedule")
        act.is_("schedule_install")
        if not units or not all(_is_packaged(unit) for unit in units):
            act.is_("service_enable")
        act.touch("execute", [unit for unit in units if "/" in unit])
    elif verb in ("stop", "disable", "mask", "kill", "unload", "bootout", "remove", "delete", "condstop"):
        act.does("schedule", "process_kill")
        act.is_("service_stop")
        if any(OURS in unit.lower() for unit in units):
            act.is_("self_stop")
        if any(_DEFENDERS.search(unit) for unit in units):
            act.is_("firewall_off")
    elif verb in ("start", "restart", "reload", "try-restart", "kickstart"):
        act.is_("service_start")
        if any(OURS in unit.lower() for unit in units) and verb != "start":
            act.is_("self_stop")
    elif verb in ("poweroff", "reboot", "halt", "kexec", "rescue", "emergency", "suspend", "hibernate"):
        act.is_("power_off")
    elif verb in ("daemon-reload", "daemon-reexec", "set-environment", "import-environment"):
        act.does("config_change")
    else:
        act.does("list")


def _crontab(act: Act) -> None:
    if act.has("-l"):
        act.does("list")
        act.is_("schedule_list")
    elif act.has("-r") and not act.operands:
        act.does("schedule", "delete")
        act.is_("schedule_remove")
    else:
        act.does("schedule")
        act.is_("schedule_install")
        act.stdin = "file"
        act.touch("read", act.operands)


def _at(act: Act) -> None:
    if act.program in ("atq",) or act.has("-l"):
        act.is_("schedule_list")
    elif act.program == "atrm" or act.has("-r", "-d"):
        act.does("schedule")
        act.is_("schedule_remove")
    else:
        act.does("schedule", "execute")
        act.is_("schedule_install", "interpreter", "shell", "stdin_code")
        act.language = "sh"
        act.stdin = "drop" if act.has("-f") else "code"
        act.touch("execute", act.all("-f"), "code")


def _systemd_run(act: Act) -> None:
    act.does("schedule", "execute")
    if any(option.startswith("--on-") for option in act.options):
        act.is_("schedule_install")


# ---- processes --------------------------------------------------------------------------------------


def _kill(act: Act) -> None:
    if act.words[:1] in (("-l",), ("-L",)):
        return
    act.does("process_kill")
    words = list(act.words)
    if any(_KILL_SIGNALS.match(word) for word in words[:1]) or act.value("-s").upper() in (
        "9",
        "KILL",
        "SIGKILL",
    ):
        act.is_("kill_force")
    targets = [
        word for index, word in enumerate(words) if not (index == 0 and _SIGNAL.match(word)) and word != "--"
    ]
    if act.has("-s"):
        targets = [word for word in targets if word not in ("-s", act.value("-s"))]
    if any(word in ("-1", "0") for word in targets) and (len(words) > 1 or words == ["0"]):
        act.is_("kill_all")
    if words[:1] == ["-1"] and len(words) > 1:
        # A leading -1 is the hang-up signal, not every process.
        act.traits.discard("kill_all")
        if "-1" in words[1:]:
            act.is_("kill_all")


def names_ours(pattern: str) -> bool:
    """Whether a pattern of process names finds ours: a part of our name, or an expression that matches it."""
    pattern = pattern.lower()
    if (pattern in OURS and len(pattern) > 3) or OURS in pattern:
        return True
    if len(pattern) > 64 or len(pattern.strip(".*^$+?[]()|\\")) < 4:
        return False
    literal = re.sub(r"\[([^\]^\\-])\]", r"\1", pattern)
    if not re.fullmatch(r"[\w.*^$ /-]+", literal) or literal.count("*") > 2:
        return False
    try:
        return re.search(literal, f"{OURS}-gateway run") is not None
    except re.error:
        return False


def _pkill(act: Act) -> None:
    act.does("process_kill")
    words = list(act.words)
    if any(_KILL_SIGNALS.match(word) for word in words):
        act.is_("kill_force")
    patterns = [word for word in act.operands if not _SIGNAL.match(word)]
    for pattern in patterns:
        if names_ours(pattern):
            act.is_("self_stop")
        if pattern in (".", "", ".*", "^", "*"):
            act.is_("kill_all")
        if _DEFENDERS.search(pattern):
            act.is_("firewall_off")
    if not patterns and act.has("-u", "-U", "-g"):
        act.is_("kill_all")


def _shutdown(act: Act) -> None:
    if not act.has("-c"):
        act.is_("power_off")


# ---- accounts and privileges ------------------------------------------------------------------------


def _useradd(act: Act) -> None:
    act.does("account_change")
    if act.value("-u") == "0":
        act.is_("uid_zero")
    groups = ",".join(
        [
            *act.all("-G"),
            *act.all("-g"),
            *(act.operands[1:] if act.program in ("adduser", "addgroup") else []),
        ]
    )
    if _PRIVILEGED_GROUPS.intersection(re.split(r"[,\s]", groups.lower())):
        act.is_("privileged_group")
    if act.has("-p"):
        act.is_("password_change")


def _gpasswd(act: Act) -> None:
    act.does("account_change")
    if act.has("-a", "-A", "-M") and _PRIVILEGED_GROUPS.intersection(act.operands + act.all("-g")):
        act.is_("privileged_group")


def _directory_service(act: Act) -> None:
    """Describe dscl and dseditgroup of macOS."""
    text = " ".join(act.words).lower()
    if re.search(r"-(?:append|create|passwd|change|delete)\b|edit\b", text):
        act.does("account_change")
        if re.search(r"admin|wheel|uniqueid 0\b", text):
            act.is_("privileged_group")


def _passwd(act: Act) -> None:
    if act.has("-S"):
        return
    act.does("account_change")
    act.is_("password_change")
    if act.program == "chpasswd":
        act.stdin = "file"


def _visudo(act: Act) -> None:
    if not act.has("-c"):
        act.does("config_change", "write")
        act.touch("write", act.all("-f") or ["/etc/sudoers"])


def _sudo(act: Act) -> None:
    act.does("privilege")
    if act.has("-l"):
        act.is_("privilege_list")
    elif act.has("-e"):
        act.does("write")
        act.touch("write", act.operands)
    elif (act.has("-s", "-i") and not act.operands) or (
        act.operands and act.operands[0].rpartition("/")[2] in SHELLS and len(act.operands) == 1
    ):
        act.is_("privileged_shell")
    act.stdin = "pass"


def _su(act: Act) -> None:
    act.does("privilege")
    if not act.has("-c"):
        act.is_("privileged_shell")
        act.stdin = "code"


# ---- kernel, firewall, logs, mining -----------------------------------------------------------------


def _firewall(act: Act) -> None:
    words = [word.lower() for word in act.words]
    if act.program in ("iptables", "ip6tables"):
        if {"-f", "--flush", "-x"} & set(words) or ("-p" in words and "accept" in words and len(words) < 5):
            act.is_("firewall_off")
        act.does("config_change")
    elif (
        {"disable", "off", "flush", "reset", "stop"} & set(words)
        or words[:1] in (["0"], ["permissive"])
        or "-d" in words
    ):
        act.does("config_change")
        act.is_("firewall_off")


def _mktemp(act: Act) -> None:
    if not act.has("-u"):
        act.touch("write", [word for word in act.operands if "/" in word])


def _kill_port(act: Act) -> None:
    act.does("process_kill")


def _multiplexer(act: Act) -> None:
    """Describe tmux and screen: what they start, or type into a window, is run by a shell."""
    verb = act.operand(0)
    if act.program == "tmux":
        if verb.startswith("kill-") and any(OURS in word for word in act.words):
            act.does("process_kill")
            act.is_("self_stop")
        elif verb.startswith(("new", "split", "respawn", "run", "popup", "display-popup", "neww", "send")):
            words = act.operands[1:]
            words = [word for word in words if word not in ("Enter", "C-m", "KPEnter")]
            if words:
                act.does("execute")
                act.nested.append(" ".join(words) if not verb.startswith("send") else "".join(words))
    elif act.operands and not act.has("-r", "-x", "-ls", "-list"):
        act.does("execute")
        at = act.operands.index("stuff") + 1 if "stuff" in act.operands else 0
        act.nested.append(" ".join(act.operands[at:]))


def _sysctl(act: Act) -> None:
    if act.has("-w", "-p") or any("=" in word for word in act.operands):
        act.does("config_change")
        if "kernel.randomize_va_space=0" in act.operands:
            act.is_("firewall_off")


def _module(act: Act) -> None:
    act.does("config_change")
    act.touch("execute", [word for word in act.operands if "/" in word or word.endswith(".ko")])


def _journal(act: Act) -> None:
    if act.has("--vacuum-time", "--vacuum-size", "--vacuum-files", "--rotate"):
        act.is_("log_clear")
    act.does("read")


def _auditctl(act: Act) -> None:
    if act.has("-D") or act.value("-e") == "0":
        act.is_("log_clear", "firewall_off")
        act.does("config_change")


def _miner(act: Act) -> None:
    act.does("execute", "connect")
    act.is_("miner")
    for value in act.all("-o", "--url", "--pool"):
        act.talk("connect", value)


def _printenv(act: Act) -> None:
    if not act.operands or act.program == "env":
        act.does("environment_read")
        act.emits.append("environment")


def _env(act: Act) -> None:
    names = [word.partition("=")[0] for word in act.operands if "=" in word]
    program = [word for word in act.operands if "=" not in word]
    if any(
        name in ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "BASH_ENV", "PYTHONSTARTUP")
        or name.startswith("DYLD_")
        for name in names
    ):
        act.is_("loader_variable")
    if not program:
        _printenv(act)


def _ps(act: Act) -> None:
    act.does("list")
    act.emits.append("process")
    if any(
        re.fullmatch(r"-?[auxw]*e[auxwf]*ww?", word) for word in act.words[:1] if not word.startswith("-")
    ):
        act.does("environment_read")


def _getent(act: Act) -> None:
    act.does("list")
    if act.operand(0) in ("shadow", "gshadow"):
        act.touch("read", [f"/etc/{act.operand(0)}"], "stdout")


def _date(act: Act) -> None:
    _query(act)
    # What is no date comes back in the complaint about it.
    act.touch("read", act.all("-f"), "stdout")


def _query(act: Act) -> None:
    act.does("list")
    act.emits.append("process")


_DUMPS_MEMORY: Final = re.compile(
    r"\s*(?:generate-core-file|gcore|dump\s+(?:binary\s+)?memory|process\s+save-core|memory\s+read\s+.*--outfile)"
).match


def _debugger(act: Act) -> None:
    act.does("execute")
    if act.program == "gcore":
        act.does("read")
        act.touch("read", [f"/proc/{process}/mem" for process in act.operands])
    for text in act.all("-ex", "-o"):
        if _DUMPS_MEMORY(text) is not None and act.has("-p"):
            act.does("read")
            act.touch("read", [f"/proc/{act.value('-p')}/mem"])
    for text in act.all("-ex"):
        match = re.match(r"\s*(?:shell|!)\s*(.+)", text)
        if match:
            act.is_("shell_escape")
            act.nested.append(match[1])
        script = re.match(r"\s*(?:py|python)\s+(.+)", text, re.DOTALL)
        if script:
            act.code, act.language = script[1], "python"
            act.is_("inline_code")
            inspect_code(act, act.code, act.language)


def _defaults(act: Act) -> None:
    if act.operand(0) in ("write", "delete", "import"):
        act.does("config_change")


def _wrapper(act: Act) -> None:
    """Describe a program that runs another, which is a command of its own: bytes pass through it."""
    act.stdin = act.args = "pass"


def _xargs(act: Act) -> None:
    act.touch("read", act.all("-a"), "stdout")


def _nothing(act: Act) -> None:
    """Say nothing: a builtin whose operands are no paths."""


_MKFS: Final = grammar("-t,--type= -L= -U= -O= -b= -E= -m= -N= -F -f -q -n=")
_WRAPPER: Final = grammar(stop=True)
_XARGS: Final = grammar("-a,--arg-file= -E= -I= -J= -L= -n= -P= -R= -S= -s= -d= -j= -0 -r -t -p", stop=True)
_ACCOUNT: Final = grammar(
    "-u,--uid= -g,--gid= -G,--groups= -a,--append -d,--home= -s,--shell= -p,--password= "
    "-c,--comment= -e= -l= -f= -k= "
    "-m -M -o -r -N -U --ingroup= --gecos= --system --disabled-password"
)

PROGRAMS: Final[dict[str, Program]] = {
    **{
        name: Program(_MKFS, _format, frozenset({"--help", "--version", "-V"}))
        for name in (
            "mkfs",
            "mkfs.ext2",
            "mkfs.ext3",
            "mkfs.ext4",
            "mkfs.xfs",
            "mkfs.btrfs",
            "mkfs.vfat",
            "mkfs.fat",
            "mkfs.ntfs",
            "mkfs.exfat",
            "mkfs.f2fs",
            "mkfs.minix",
            "mke2fs",
            "mkswap",
            "mkdosfs",
            "mkntfs",
            "blkdiscard",
            "newfs",
            "newfs_hfs",
            "newfs_apfs",
        )
    },
    "wipefs": Program(grammar("-a,--all -f,--force -n,--no-act -o,--offset= -t= -b -q -i -p -O="), _wipefs),
    **{
        name: Program(
            grammar(
                "-l,--list -p,--print -o,--clear -Z,--zap-all -z,--zap -d= -n= -t= -c= -i= -s -v "
                "--info -b= -C= -H= -S= -u"
            ),
            _partition,
        )
        for name in ("fdisk", "sfdisk", "cfdisk", "gdisk", "sgdisk", "parted")
    },
    "cryptsetup": Program(grammar("-c= -s= -h= -d,--key-file= -q --type= -y"), _cryptsetup),
    "diskutil": Program(grammar(), _diskutil),
    "nvme": Program(grammar("-n= -s= -b= -z= -d="), _nvme),
    "hdparm": Program(grammar(), _hdparm),
    "badblocks": Program(grammar("-b= -c= -o= -t= -w -n -s -v"), _badblocks),
    **{
        name: Program(grammar("-f,--force -r -R -y"), _volume)
        for name in ("lvremove", "vgremove", "pvremove", "pvcreate", "mdadm", "zpool", "zfs", "btrfs")
    },
    **{
        name: Program(grammar("-t,--type= -p= -s= -n= -o= -H= -M= -q --user --now --global -f"), _service)
        for name in (
            "systemctl",
            "service",
            "rc-service",
            "launchctl",
            "initctl",
            "sc",
            "rc-update",
            "chkconfig",
            "update-rc.d",
            "sv",
        )
    },
    "crontab": Program(grammar("-u= -l -r -e -i -n"), _crontab),
    **{
        name: Program(grammar("-f= -q= -t= -r -d -l -m -M -c"), _at)
        for name in ("at", "batch", "atq", "atrm")
    },
    "systemd-run": Program(
        grammar(
            "--on-active= --on-calendar= --on-boot= -u,--unit= -p,--property= -E= --uid= --user "
            "--scope -t --wait -P",
            stop=True,
        ),
        _systemd_run,
    ),
    "kill": Program(grammar("-s,--signal= -l -L"), _kill),
    **{
        name: Program(grammar("-u= -U= -g= -G= -P= -t= -s,--signal= -f -x -n -o -v -i -r -e"), _pkill)
        for name in ("pkill", "killall", "killall5", "skill", "xkill")
    },
    "pgrep": Program(grammar("-u= -f -l -a"), _query),
    **{
        name: Program(grammar("-c -r -h -P -t="), _shutdown)
        for name in ("shutdown", "reboot", "halt", "poweroff", "init", "telinit")
    },
    **{
        name: Program(_ACCOUNT, _useradd)
        for name in (
            "useradd",
            "adduser",
            "usermod",
            "addgroup",
            "groupadd",
            "groupmod",
            "userdel",
            "deluser",
            "groupdel",
            "newusers",
            "pw",
            "sysadminctl",
        )
    },
    "gpasswd": Program(grammar("-a,--add= -d,--delete= -A= -M= -r"), _gpasswd),
    "groupmems": Program(grammar("-a,--add= -g,--group= -d="), _gpasswd),
    "dscl": Program(grammar(), _directory_service),
    "dseditgroup": Program(grammar(), _directory_service),
    **{
        name: Program(grammar("-S,--status -l -u -d -e -R= -c= -m"), _passwd)
        for name in ("passwd", "chpasswd", "chage", "chsh")
    },
    "visudo": Program(grammar("-c,--check -f,--file= -q -s"), _visudo),
    **{
        name: Program(
            grammar(
                "-u,--user= -g,--group= -h,--host= -p,--prompt= -C= -r= -t= -T= -U= -D= -R= "
                "-l,--list -s,--shell -i,--login -e,--edit -n -k -K -v -b -A -E -H -P -S",
                stop=True,
            ),
            _sudo,
        )
        for name in ("sudo", "doas", "pkexec", "run0", "sudoedit", "please", "gsudo")
    },
    **{
        name: Program(grammar("-c,--command= -s= -g= -G= -l,--login -m -p"), _su)
        for name in ("su", "runuser")
    },
    **{
        name: Program(grammar(stop=True), _firewall)
        for name in (
            "iptables",
            "ip6tables",
            "nft",
            "ufw",
            "firewall-cmd",
            "setenforce",
            "pfctl",
            "aa-disable",
            "aa-teardown",
            "spctl",
            "csrutil",
        )
    },
    "sysctl": Program(grammar("-w -p -a -n -q -e"), _sysctl),
    **{name: Program(grammar(), _module) for name in ("insmod", "modprobe", "rmmod", "kextload", "kmutil")},
    "journalctl": Program(
        grammar(
            "-u= -n= --since= --until= -p= -o= --vacuum-time= --vacuum-size= --vacuum-files= "
            "--rotate -f -e -x -b"
        ),
        _journal,
    ),
    "auditctl": Program(grammar("-e= -D -l -s -w= -a= -k= -p="), _auditctl),
    **{
        name: Program(grammar("-o,--url= -u,--user= -p= -a= -t= --pool=", words=False), _miner)
        for name in MINERS
    },
    "getent": Program(grammar("-s="), _getent),
    "date": Program(grammar("-d,--date= -f,--file= -r,--reference= -s= -u"), _date),
    "printenv": Program(grammar("-0"), _printenv),
    "env": Program(
        grammar("-u,--unset= -C,--chdir= -S,--split-string= -i,--ignore-environment -0 -v", stop=True), _env
    ),
    "ps": Program(grammar("-o= -p= -u= -C= -t="), _ps),
    **{
        name: Program(grammar(), _query)
        for name in (
            "lsof",
            "ss",
            "netstat",
            "whoami",
            "id",
            "uname",
            "hostname",
            "uptime",
            "who",
            "w",
            "last",
            "groups",
            "top",
            "htop",
            "free",
            "lsblk",
            "lscpu",
            "ifconfig",
            "arch",
            "nproc",
            "dmesg",
        )
    },
    **{
        name: Program(
            grammar(
                "-p,--pid,--attach-pid= -ex,--eval-command= -x= -o,--one-line= -e= -s=",
                words=name == "gdb",
                stop=True,
            ),
            _debugger,
        )
        for name in ("gdb", "strace", "ltrace", "lldb", "gcore")
    },
    "defaults": Program(grammar(), _defaults),
    "gsettings": Program(grammar(), _defaults),
    "dconf": Program(grammar(), _defaults),
    **{
        name: Program(_WRAPPER, _wrapper)
        for name in (
            "nohup",
            "nice",
            "ionice",
            "time",
            "timeout",
            "gtimeout",
            "stdbuf",
            "unbuffer",
            "setsid",
            "command",
            "builtin",
            "exec",
            "caffeinate",
            "chrt",
            "taskset",
            "prlimit",
            "firejail",
            "watch",
            "flock",
            "script",
            "busybox",
            "toybox",
            "entr",
            "fakeroot",
            "proxychains",
            "proxychains4",
            "torsocks",
            "sshpass",
            "systemd-inhibit",
            "setpriv",
            "bwrap",
            "catchsegv",
            "dbus-run-session",
            "xvfb-run",
            "machinectl",
        )
    },
    **{
        name: Program(_WRAPPER, _nothing)
        for name in (
            "trap",
            "alias",
            "sleep",
            "wait",
            "jobs",
            "fg",
            "bg",
            "disown",
            "return",
            "exit",
            "break",
            "continue",
            "shift",
            "local",
            "read",
            "let",
            "getopts",
            "umask",
            "ulimit",
            "clear",
            "tput",
            "stty",
            "expr",
            "bc",
            "dc",
            "factor",
            "cal",
            "logger",
            "notify-send",
            "say",
            "pwd",
            "popd",
            "dirs",
            "tty",
        )
    },
    **{name: Program(_XARGS, _xargs) for name in ("xargs", "gxargs", "parallel")},
    "mktemp": Program(grammar("-p,--tmpdir= --suffix= -d -u -t -q"), _mktemp),
    "tmux": Program(
        grammar("-t= -s= -n= -c= -e= -F= -f= -L= -S= -x= -y= -l= -d -D -h -v -P -k -b"), _multiplexer
    ),
    "screen": Program(grammar("-S= -c= -h= -p= -t= -s= -e= -T= -d -m -D -r -R -X -ls -list"), _multiplexer),
    "kill-port": Program(grammar(), _kill_port),
    "killport": Program(grammar(), _kill_port),
    "fkill": Program(grammar(), _kill_port),
}
