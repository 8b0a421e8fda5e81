"""The names that make a path what it is: data for :mod:`defenseclaw.detection.paths`, all lower case.

Source: ``spec/guardrail.md`` §3.3, §3.5, §6.6; ``spec/defender.md`` §8.4, §9.2, §9.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_Classes = frozenset[str]
ByParts = dict[int, dict[str, list[tuple[tuple[str, ...], _Classes]]]]
"""Number of components → first component → (other components, classes)."""


def _each(classes: str, paths: str) -> dict[str, _Classes]:
    """Return every line of ``paths`` with the words of ``classes``."""
    words = frozenset(classes.split())
    return {line.strip(): words for line in paths.strip().splitlines()}


def _by_parts(*tables: Mapping[str, _Classes], absolute: bool = False) -> ByParts:
    """Return the entries grouped for comparison with wildcards."""
    out: ByParts = {}
    for table in tables:
        for path, classes in table.items():
            first, *others = (path[1:] if absolute else path).split("/")
            out.setdefault(len(others) + 1, {}).setdefault(first, []).append((tuple(others), classes))
    return out


# ---- places -----------------------------------------------------------------------------------------

EVERYTHING: Final = frozenset({"*", ".*", "*.*", "**", ".??*", ".[!.]*", ".[^.]*", "..?*", "{*,.*}", "{.,}*"})
"""Last components that mean all that is in the directory."""

TOP_LEVEL: Final = frozenset(
    [
        "etc",
        "bin",
        "sbin",
        "usr",
        "var",
        "home",
        "root",
        "opt",
        "boot",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "srv",
        "mnt",
        "media",
        "dev",
        "proc",
        "sys",
        "run",
        "users",
        "system",
        "library",
        "applications",
        "private",
        "volumes",
        "cores",
    ]
)
SYSTEM_DIRS: Final = frozenset(
    {f"/{name}" for name in TOP_LEVEL}
    | {
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/usr/lib64",
        "/usr/share",
        "/usr/local",
        "/usr/local/bin",
        "/usr/include",
        "/usr/libexec",
        "/var/lib",
        "/var/log",
        "/var/spool",
        "/var/run",
        "/var/db",
        "/system/library",
        "/etc/ssh",
        "/etc/systemd",
        "/etc/pam.d",
        "/etc/ssl",
        "/dev/mapper",
    }
)
SYSTEM_TREES: Final = (
    "/etc/",
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/boot/",
    "/dev/",
    "/proc/",
    "/sys/",
    "/var/log/",
    "/var/spool/",
    "/system/",
    "/library/",
    "/run/systemd/",
)
USER_TREES: Final = ("/usr/local/", "/usr/src/app", "/usr/src/", "/library/caches/")
"""Below a system directory, but what people build and install there is theirs."""
TEMPORARY: Final = frozenset({"/tmp", "/var/tmp", "/dev/shm"})  # noqa: S108 -- names that are classified
TEMPORARY_PREFIXES: Final = ("/tmp/", "/var/tmp/", "/dev/shm/", "/var/folders/")  # noqa: S108
HOME_PARENTS: Final = frozenset({"/home", "/users", "c:/users"})
HARMLESS_DEVICES: Final = frozenset(
    {"null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr", "console", "ptmx"}
)
BLOCK_DEVICES: Final = (
    "sd",
    "hd",
    "vd",
    "xvd",
    "nvme",
    "mmcblk",
    "disk",
    "rdisk",
    "loop",
    "mapper/",
    "dm-",
    "md",
    "nbd",
    "zd",
    "block/",
)

REBUILDABLE: Final = frozenset(
    [
        "node_modules",
        "bower_components",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".tox",
        ".nox",
        ".venv",
        "venv",
        ".eggs",
        ".cache",
        ".npm",
        "caches",
        "cache",
        "build",
        "builds",
        "_build",
        "dist",
        "out",
        "output",
        "target",
        "bin",
        "obj",
        "debug",
        "release",
        ".next",
        ".nuxt",
        ".output",
        ".turbo",
        ".parcel-cache",
        ".svelte-kit",
        ".gradle",
        ".terraform",
        "coverage",
        "htmlcov",
        ".nyc_output",
        "deriveddata",
        "pods",
        "_site",
        "site",
        "tmp",
        "temp",
        ".tmp",
        "logs",
        "_cacache",
        "cmakefiles",
        "cmake-build-debug",
        "cmake-build-release",
        ".dart_tool",
        ".angular",
        ".vite",
        ".webpack",
        ".sass-cache",
        ".ipynb_checkpoints",
        "storybook-static",
    ]
)
"""Components of paths, below a project or a home, that builds, installations and caches make again."""
CACHE_PREFIXES: Final = ("/var/cache/", "/var/lib/apt/lists", "/var/lib/dpkg/updates")
PROJECT_CORE: Final = frozenset(
    ["src", "source", "sources", "app", "apps", "packages", "migrations", ".git", ".hg", ".svn", ".jj"]
)
"""Directories of a project that hold what nobody can make again."""

LOG_TREES: Final = ("/var/log", "/var/audit", "/var/run/utmp", "/run/utmp")
CORE_LOGS: Final = frozenset(
    {
        "syslog", "messages", "auth", "secure", "security", "kern", "system", "daemon", "wtmp", "btmp",
        "lastlog", "utmp", "faillog", "audit", "cron", "maillog", "mail", "boot", "ufw", "sudo", "install",
        "tallylog", "wtmpx",
    }
)  # fmt: skip
"""Logs, without their ``.log``, that say who did what."""

# ---- names below a home -----------------------------------------------------------------------------

HOME_FILES: Final[dict[str, _Classes]] = {
    **_each("aws_credentials", ".aws/credentials\n.aws/sso/cache\n.boto\n.s3cfg\n.passwd-s3fs"),
    **_each("aws_config", ".aws/config"),
    **_each("kube_config", ".kube/config"),
    **_each("docker_config", ".docker/config.json\n.config/containers/auth.json"),
    **_each("npmrc", ".npmrc\n.yarnrc.yml\n.config/npm/npmrc"),
    **_each("pypirc", ".pypirc"),
    **_each("git_credentials", ".git-credentials\n.config/git/credentials"),
    **_each(
        "netrc",
        ".netrc\n_netrc\n.pgpass\n.my.cnf\n.mylogin.cnf\n.htpasswd\n.authinfo\n.authinfo.gpg\n.fetchmailrc",
    ),
    **_each(
        "token_file",
        """.huggingface/token
        .cache/huggingface/token
        .cache/huggingface/stored_tokens
        .config/pypoetry/auth.toml
        .kaggle/kaggle.json
        .cargo/credentials
        .cargo/credentials.toml
        .gem/credentials
        .terraformrc
        .terraform.d/credentials.tfrc.json
        .vault-token
        .config/hub
        .config/glab-cli/config.yml
        .config/op/config
        .config/sentry
        .sentryclirc
        .config/heroku/auth.json
        .config/netlify/config.json
        .composer/auth.json
        .config/composer/auth.json
        .m2/settings-security.xml
        .nuget/nuget.config
        .config/rclone/rclone.conf
        .config/stripe/config.toml
        .databrickscfg
        .snowsql/config
        .config/ngrok/ngrok.yml""",
    ),
    **_each(
        "cloud_credentials",
        """.config/gcloud
        .config/gcloud/application_default_credentials.json
        .config/gcloud/credentials.db
        .config/gcloud/access_tokens.db
        .config/gcloud/legacy_credentials
        .config/gh/hosts.yml
        .config/doctl/config.yaml
        .config/hcloud/cli.toml
        .config/linode-cli
        .fly/config.yml
        .azure/accesstokens.json
        .azure/azureprofile.json
        .azure/tokencache.dat
        .azure/msal_token_cache.json
        .azure/msal_token_cache.bin
        .azure/service_principal_entries.json
        .azure/service_principal_entries.bin
        .oci/config
        .oci/oci_api_key.pem
        .aliyun/config.json
        appdata/roaming/gcloud/application_default_credentials.json
        appdata/roaming/gcloud/credentials.db
        appdata/roaming/gcloud/access_tokens.db
        appdata/roaming/github cli/hosts.yml""",
    ),
    **_each("agent_credentials", ".claude/.credentials.json\n.codex/auth.json\n.gemini/oauth_creds.json"),
    **_each(
        "wallet", ".bitcoin/wallet.dat\n.ethereum/keystore\n.config/solana/id.json\n.agent-private-key-secure"
    ),
    **_each("authorized_keys ssh_dir", ".ssh/authorized_keys\n.ssh/authorized_keys2"),
    **_each("ssh_private_key ssh_dir", ".ssh/id_rsa\n.ssh/id_ed25519\n.ssh/id_ecdsa\n.ssh/id_dsa"),
    **_each("ssh_config ssh_dir", ".ssh/config"),
    **_each(
        "shell_history",
        """.bash_history
        .zsh_history
        .zhistory
        .sh_history
        .history
        .python_history
        .node_repl_history
        .psql_history
        .mysql_history
        .sqlite_history
        .rediscli_history
        .lesshst
        .viminfo
        .local/share/fish/fish_history
        .zsh_sessions
        appdata/roaming/microsoft/windows/powershell/psreadline/consolehost_history.txt""",
    ),
    **_each(
        "shell_profile",
        """.profile
        .bash_profile
        .bash_login
        .bash_logout
        .bashrc
        .bash_aliases
        .zprofile
        .zshrc
        .zshenv
        .zlogin
        .zlogout
        .kshrc
        .shrc
        .cshrc
        .tcshrc
        .login
        .xprofile
        .xinitrc
        .xsession
        .xsessionrc
        .pam_environment
        .inputrc
        .config/fish/config.fish
        .config/powershell/profile.ps1
        .config/powershell/microsoft.powershell_profile.ps1
        documents/powershell/profile.ps1
        documents/powershell/microsoft.powershell_profile.ps1
        documents/windowspowershell/profile.ps1
        documents/windowspowershell/microsoft.powershell_profile.ps1""",
    ),
    **_each("git_config", ".gitconfig\n.config/git/config"),
    **_each("openclaw_config", ".openclaw/openclaw.json\n.openclaw/gateway.json"),
    **_each(
        "agent_config",
        """.claude.json
        .claude/settings.json
        .claude/settings.local.json
        .codex/config.toml
        .codex/hooks.json
        .gemini/settings.json
        .cursor/hooks.json
        .cursor/mcp.json
        .copilot/mcp-config.json
        .codeium/windsurf/hooks.json
        .codeium/windsurf/mcp_config.json
        .hermes/config.yaml
        .openhands/hooks.json
        .config/opencode/opencode.json""",
    ),
}
"""Files of a home, relative to it."""

HOME_TREES: Final[dict[str, _Classes]] = {
    **_each("aws_config", ".aws"),
    **_each("gnupg", ".gnupg"),
    **_each("cloud_credentials", ".config/gcloud\n.azure\n.oci"),
    **_each("aws_credentials", ".aws/sso\n.aws/cli/cache"),
    **_each("token_file", ".password-store\n.config/op"),
    **_each("keyring", ".local/share/keyrings\nlibrary/keychains\n.local/share/kwalletd"),
    **_each("openclaw_state", ".openclaw"),
    **_each("agent_credentials", ".openclaw/credentials"),
    **_each(
        "agent_config",
        ".claude/hooks\n.claude/plugins\n.copilot/hooks\n.config/opencode/plugin\n.openclaw/extensions",
    ),
    **_each("autostart", ".config/autostart\nlibrary/launchagents"),
    **_each("systemd_unit", ".config/systemd/user\n.local/share/systemd/user"),
    **_each("shell_profile", ".config/fish/conf.d\n.bashrc.d\n.zshrc.d\n.profile.d"),
    **_each("wallet", ".electrum/wallets\n.ethereum/keystore"),
}
"""Directories of a home that give their class to all that is below them."""

HOME_TREES[".aws"] |= {"aws_config"}
for _directory, _class in {
    ".aws": "aws_credentials",
    ".kube": "kube_config",
    ".docker": "docker_config",
}.items():
    HOME_FILES[_directory] = frozenset({_class})

HOME_BY_PARTS: Final = _by_parts(
    HOME_FILES, HOME_TREES, _each("ssh_dir credential", ".ssh"), _each("aws_credentials", ".aws")
)

# ---- names of the system ----------------------------------------------------------------------------

SYSTEM_FILES: Final[dict[str, _Classes]] = {
    **_each("etc_passwd", "/etc/passwd\n/etc/group\n/etc/passwd-\n/etc/group-"),
    **_each(
        "etc_shadow",
        "/etc/shadow\n/etc/gshadow\n/etc/shadow-\n/etc/gshadow-\n/etc/master.passwd\n/etc/security/opasswd",
    ),
    **_each("etc_sudoers", "/etc/sudoers\n/etc/sudoers.d\n/etc/doas.conf\n/usr/local/etc/sudoers"),
    **_each("sshd_config", "/etc/ssh/sshd_config"),
    **_each("preload_config", "/etc/ld.so.preload\n/etc/ld.so.conf\n/etc/environment"),
    **_each(
        "shell_profile",
        "/etc/profile\n/etc/bash.bashrc\n/etc/bashrc\n/etc/zshrc\n/etc/zsh/zshrc\n/etc/zsh/zshenv",
    ),
    **_each("hosts_file", "/etc/hosts\n/etc/resolv.conf\n/etc/nsswitch.conf"),
    **_each("git_config", "/etc/gitconfig"),
    **_each("cron", "/etc/crontab\n/etc/anacrontab\n/etc/cron.d\n/var/spool/cron"),
    **_each("autostart", "/etc/rc.local\n/etc/inittab\n/etc/init.d\n/etc/xdg/autostart"),
    **_each("kube_config", "/etc/kubernetes/admin.conf\n/etc/rancher/k3s/k3s.yaml"),
    **_each(
        "ssh_private_key",
        "/etc/ssh/ssh_host_rsa_key\n/etc/ssh/ssh_host_ed25519_key\n/etc/ssh/ssh_host_ecdsa_key",
    ),
    **_each(
        "service_secret", "/etc/krb5.keytab\n/etc/ipsec.secrets\n/etc/ppp/chap-secrets\n/etc/ppp/pap-secrets"
    ),
    **_each(
        "guard_file",
        """/usr/sbin/auditd
        /sbin/auditd
        /usr/bin/osqueryd
        /usr/bin/falco
        /usr/sbin/clamd
        /usr/sbin/rsyslogd
        /sys/fs/selinux/enforce""",
    ),
    **_each("container_socket", "/run/docker.sock\n/var/run/docker.sock"),
}

SYSTEM_BY_PARTS: Final = _by_parts(SYSTEM_FILES, absolute=True)

SYSTEM_PREFIXES: Final[dict[str, tuple[tuple[str, _Classes], ...]]] = {
    "etc": (
        ("/etc/sudoers.d/", frozenset({"etc_sudoers"})),
        ("/etc/ssh/sshd_config", frozenset({"sshd_config"})),
        ("/etc/pam.d", frozenset({"pam_config"})),
        ("/etc/ld.so.conf.d/", frozenset({"preload_config"})),
        ("/etc/profile.d", frozenset({"shell_profile"})),
        ("/etc/cron", frozenset({"cron"})),
        ("/etc/systemd/", frozenset({"systemd_unit"})),
        ("/etc/init.d/", frozenset({"autostart"})),
        ("/etc/rc", frozenset({"autostart"})),
        ("/etc/xdg/autostart/", frozenset({"autostart"})),
        *(
            (f"/etc/{name}", frozenset({"guard_file"}))
            for name in ("audit/", "selinux/", "apparmor.d/", "falco/", "osquery/")
        ),
        ("/etc/ssl/private/", frozenset({"service_secret"})),
        ("/etc/pki/tls/private/", frozenset({"service_secret"})),
        ("/etc/kubernetes/pki/", frozenset({"service_secret"})),
        ("/etc/networkmanager/system-connections/", frozenset({"service_secret"})),
        ("/etc/wpa_supplicant/", frozenset({"service_secret"})),
        ("/etc/update-motd.d/", frozenset({"autostart"})),
        ("/etc/udev/rules.d/", frozenset({"autostart"})),
    ),
    "lib": (("/lib/systemd/", frozenset({"systemd_unit"})),),
    "usr": (("/usr/lib/systemd/", frozenset({"systemd_unit"})),),
    "run": (
        ("/run/systemd/system/", frozenset({"systemd_unit"})),
        ("/run/secrets/kubernetes.io/serviceaccount/", frozenset({"workload_token"})),
        ("/run/secrets/eks.amazonaws.com/serviceaccount/", frozenset({"workload_token"})),
        ("/run/secrets/azure/tokens/", frozenset({"workload_token"})),
    ),
    "var": (
        ("/var/spool/cron", frozenset({"cron"})),
        ("/var/spool/at", frozenset({"cron"})),
        ("/var/ossec", frozenset({"guard_file"})),
        ("/var/lib/kubelet/pki/", frozenset({"service_secret"})),
        ("/var/lib/sss/secrets/", frozenset({"service_secret"})),
        ("/var/log", frozenset({"system_log"})),
        ("/var/run/utmp", frozenset({"system_log"})),
        ("/var/run/secrets/kubernetes.io/serviceaccount/", frozenset({"workload_token"})),
        ("/var/run/secrets/eks.amazonaws.com/serviceaccount/", frozenset({"workload_token"})),
        ("/var/run/secrets/azure/tokens/", frozenset({"workload_token"})),
        ("/var/run/secrets/tokens/", frozenset({"workload_token"})),
    ),
    "opt": tuple(
        (f"/opt/{name}", frozenset({"guard_file"}))
        for name in ("crowdstrike", "sentinelone", "osquery", "carbonblack")
    ),
    "tmp": (("/tmp/krb5cc_", frozenset({"service_secret"})),),  # noqa: S108 -- a name that is classified
    "library": (
        ("/library/launchagents", frozenset({"autostart"})),
        ("/library/startupitems/", frozenset({"autostart"})),
        ("/library/launchdaemons", frozenset({"autostart"})),
        ("/library/keychains", frozenset({"keyring"})),
    ),
}
"""Prefixes by their first component."""

SOCKET_SUFFIXES: Final = ("docker.sock", "containerd.sock", "crio.sock", "podman.sock", "dockershim.sock")

# ---- names wherever they lie ------------------------------------------------------------------------

NAMES: Final[dict[str, _Classes]] = {
    **_each("key_file", "id_rsa\nid_ed25519\nid_ecdsa\nid_dsa\nid_ecdsa_sk\nid_ed25519_sk"),
    **_each("wallet", "wallet.dat\n.agent-private-key-secure"),
    **_each("kernel_setting", "release_agent"),
    **_each("git_credentials", ".git-credentials"),
    **_each("cloud_credentials", "application_default_credentials.json"),
    **_each(
        "cognitive_file",
        """soul.md
        identity.md
        memory.md
        claude.md
        claude.local.md
        agents.md
        tools.md
        user.md
        heartbeat.md
        bootstrap.md
        gemini.md
        .cursorrules
        .windsurfrules""",
    ),
    **_each("openclaw_config", "openclaw.json"),
    **_each("agent_credentials", "auth-profiles.json"),
}

SERVICE_ACCOUNTS: Final = ("service-account", "service_account", "serviceaccount")
"""Starts of the names that keys of cloud service accounts are saved under, as JSON."""
SKILL_DIRECTORIES: Final = frozenset({"skills", "workshop-skills"})
DEFENDER_PREFIXES: Final = (".kill-switch", ".defender-", ".integrity-manifest.sha256")
DEFENDER_DIRECTORIES: Final = frozenset({".integrity", ".defender-quarantine"})
DEFENDER_STATE: Final = (
    ".kill-switch",
    ".defender-network-whitelist",
    ".defender-safe-commands",
    ".defender-rag-allowlist",
    ".integrity",
    ".integrity-manifest.sha256",
)
DEFENDER_LOGS: Final = (
    ("logs", "runtime-security"),
    ("logs", "integrity.log"),
    ("memory", "security-incidents.md"),
    ("memory", "security-report-"),
)
"""(directory, start of the name) of what the guard of a workspace reports."""

KEY_SUFFIXES: Final = (".key", ".p12", ".pfx", ".jks", ".kdbx", ".keystore", ".ppk")
SAMPLE_SUFFIXES: Final = (".sample", ".example", ".template", ".dist", ".bak.example", ".md")
ENV_SAMPLES: Final = frozenset(
    {"example", "examples", "sample", "template", "tmpl", "dist", "defaults", "default", "schema", "tpl"}
)
FIXTURE_PARTS: Final = frozenset(
    [
        "test",
        "tests",
        "testdata",
        "fixture",
        "fixtures",
        "example",
        "examples",
        "docs",
        "doc",
        "spec",
        "specs",
        "__tests__",
        "mock",
        "mocks",
        "sample",
        "samples",
        "__fixtures__",
        "test-data",
        "test_data",
    ]
)
BROWSER_FILES: Final = frozenset(
    {
        "login data",
        "login data for account",
        "cookies",
        "web data",
        "logins.json",
        "cookies.sqlite",
        "key4.db",
        "key3.db",
        "cert9.db",
        "local state",
        "formhistory.sqlite",
        "signons.sqlite",
    }
)
BROWSER_PARTS: Final = frozenset(
    {
        "google-chrome",
        "chromium",
        "chrome",
        "google",
        "microsoft-edge",
        "edge",
        "microsoft edge",
        "firefox",
        ".mozilla",
        "mozilla",
        "brave-browser",
        "bravesoftware",
        "opera",
        "vivaldi",
        "user data",
        "profiles",
        "google-chrome-beta",
        "arc",
    }
)

WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
SECRET_HINT: Final = re.compile(r"secret|passw|credential|token|api[._-]?key")
SECRET_WORDS: Final = frozenset(
    [
        "secret",
        "secrets",
        "password",
        "passwords",
        "passwd",
        "credential",
        "credentials",
        "token",
        "tokens",
        "apikey",
        "apikeys",
    ]
)
SECRET_EXTENSIONS: Final = frozenset(
    {
        "",
        "txt",
        "json",
        "yaml",
        "yml",
        "toml",
        "ini",
        "cfg",
        "conf",
        "key",
        "csv",
        "xml",
        "properties",
        "db",
        "sqlite",
        "env",
        "enc",
    }
)
HARMLESS_TOKENS: Final = frozenset(
    ["design", "color", "colors", "colour", "style", "theme", "special", "added", "stop", "spacing", "figma"]
)

# ---- what is ours -----------------------------------------------------------------------------------

OWN_ALL: Final = frozenset(
    {"self_data", "self_token", "self_hooks", "self_config", "self_store", "self_disable_marker"}
)
OWN_TOKENS: Final = frozenset({"device.key", ".token", "operator.token"})
OWN_HOOKS: Final = frozenset({"hooks", "plugins", "bridges", "connector_backups", "hook_contract_lock.json"})
OWN_LOGS: Final = frozenset({"logs", "reports", "exports", "tui"})
OWN_DIRECTORY: Final = ".defenseclaw"
OWN_PROGRAMS: Final = ("/bin/defenseclaw", "/bin/defenseclaw-gateway", "/scripts/defenseclaw.exe")
OWN_KNOWN: Final = (
    ".env",
    "config.yaml",
    "audit.db",
    "gateway.jsonl",
    "gateway.pid",
    ".disabled",
    "device.key",
    "hooks/agent.sh",
    "hooks/agent.token",
)
"""Names that stand for all that a data directory holds."""
OWN_STORES: Final = frozenset({"quarantine", "receipts", "audit", "backups"})

NOT_IN_FIXTURES: Final = frozenset({"key_file", "wallet", "git_hook", "git_credentials", "cloud_credentials"})
"""What a name alone does not make of a file among the project's test data."""

PROTECTED_CLASSES: Final = frozenset(
    {
        "etc_sudoers",
        "authorized_keys",
        "agent_config",
        "agent_settings",
        "openclaw_config",
        "self_data",
        "credential",
        "etc_passwd",
        "etc_shadow",
        "sshd_config",
        "pam_config",
        "preload_config",
        "workload_token",
        "windows_hive",
    }
)
"""Path classes that entail ``permission_protected``."""
