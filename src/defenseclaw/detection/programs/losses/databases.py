"""Databases: what statements, clients and migration tools drop, empty or rebuild."""

from __future__ import annotations

from typing import Final

from defenseclaw.detection.programs.base import Act, Describe
from defenseclaw.detection.programs.losses.calls import apply, calls
from defenseclaw.detection.programs.losses.sql import document_losses, is_scratch, losses

_STATEMENT_OPTIONS: Final = frozenset(
    {
        "-c",
        "--command",
        "-e",
        "--execute",
        "-q",
        "-Q",
        "--query",
        "--eval",
        "-execute",
        "--sql",
        "-cmd",
        "-s",
        "--statement",
        "--query-text",
    }
)
_STATEMENT_WORDS: Final = frozenset(
    {"sqlite3", "duckdb", "bq", "turso", "usql", "litecli", "osqueryi", "influx", "trino", "presto"}
)
"""Programs whose operands may be statements."""
_DOCUMENT: Final = frozenset({"mongo", "mongosh"})
_IN_MEMORY: Final = (":memory:", "/tmp/", "/var/tmp/")  # noqa: S108 -- databases that are for once only
_KEYS: Final = frozenset({"flushall", "flushdb"})


def _statements(act: Act) -> list[str]:
    """Return the statements that a call names, whatever the client calls the option."""
    found: list[str] = []
    words = act.words
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in _STATEMENT_OPTIONS:
            found.append(value if equals else words[index + 1] if index + 1 < len(words) else "")
        elif len(word) > 4 and word[:2] in ("-e", "-c") and word[2] not in "-=":
            found.append(word[2:])
    if act.program in _STATEMENT_WORDS:
        found += [word for word in act.operands if " " in word]
    return found


def _client(act: Act) -> None:
    for statement in _statements(act):
        read_statements(act, statement)


def read_statements(act: Act, text: str) -> None:
    """Add what the statements in ``text`` lose, given as an argument or by standard input."""
    if any(word.startswith(_IN_MEMORY) for word in act.operands) or is_scratch(_database_of(act)):
        return
    lost = losses(text)
    if act.program in _DOCUMENT:
        lost = document_losses(text)
    if lost:
        act.does("delete")
        act.is_(*lost)


def _database_of(act: Act) -> str:
    """Return the name of the database a client is connected to, as far as the call says it."""
    named = act.value("-d") or act.operand(0)
    return named.partition("?")[0].rpartition("/")[2].removesuffix(".db")


def _key_value(act: Act) -> None:
    words = {word.lower() for word in act.operands}
    if words & _KEYS or {"shutdown", "nosave"} <= words or {"debug", "segfault"} <= words:
        act.does("delete")
        act.is_("database_lost")


def _drop(act: Act) -> None:
    if act.operands and is_scratch(act.operands[-1]):
        return
    act.does("delete")
    act.is_("database_lost")


def _mysqladmin(act: Act) -> None:
    apply(act, calls("database_lost", "drop"))


def _restore(act: Act) -> None:
    if act.program == "pg_restore" and not act.has("-d"):
        return  # writes a script, touches nothing
    if any(word in ("-c", "--clean", "--drop") for word in act.words):
        act.does("delete")
        act.is_("database_lost")


_RAILS: Final = (
    "db:drop|db:drop:all|db:reset|db:purge|db:schema:load|db:structure:load|db:migrate:reset|db:truncate_all"
)
_DJANGO: Final = "flush|reset_db"
_LARAVEL: Final = "migrate:fresh|migrate:reset|migrate:refresh|db:wipe"
_SCRIPT: Final = "manage.py|./manage.py"
_ARTISAN: Final = "artisan|./artisan"
_CONSOLE: Final = "bin/console|./bin/console"
_MIGRATIONS: Final[dict[str, tuple[str, ...]]] = {
    "rails": (_RAILS,),
    "rake": (_RAILS,),
    "artisan": (_LARAVEL,),
    "php": (
        f"{_ARTISAN} {_LARAVEL}",
        f"{_CONSOLE} doctrine:database:drop|doctrine:schema:drop --force",
    ),
    "console": ("doctrine:database:drop|doctrine:schema:drop --force",),
    "python": (f"{_SCRIPT} {_DJANGO}",),
    "python3": (f"{_SCRIPT} {_DJANGO}",),
    "manage.py": (_DJANGO,),
    "django-admin": (_DJANGO,),
    "prisma": ("migrate reset", "db push --force-reset", "db push --accept-data-loss"),
    "supabase": ("db reset",),
    "sequelize": ("db:drop", "db:migrate:undo:all"),
    "sequelize-cli": ("db:drop", "db:migrate:undo:all"),
    "typeorm": ("schema:drop",),
    "knex": ("migrate:rollback --all",),
    "alembic": ("downgrade base",),
    "flyway": ("clean",),
    "liquibase": ("drop-all|dropall",),
    "mix": ("ecto.drop|ecto.reset",),
    "diesel": ("database reset|drop",),
    "sqlx": ("database reset|drop",),
    "dotnet": ("ef database drop",),
    "dbmate": ("drop",),
    "goose": ("reset", "* * reset"),
    "migrate": ("drop",),
}
"""Migration tools: the calls that drop and build anew."""


def _migration(rows: tuple[str, ...]) -> Describe:
    compiled = calls("database_rebuilt", *rows)
    return lambda act: apply(act, compiled)


_SQL_CLIENTS: Final = (
    "psql",
    "pgcli",
    "mysql",
    "mariadb",
    "mycli",
    "sqlite3",
    "litecli",
    "duckdb",
    "sqlcmd",
    "cqlsh",
    "clickhouse-client",
    "clickhouse",
    "usql",
    "cockroach",
    "snow",
    "snowsql",
    "bq",
    "turso",
    "wrangler",
    "influx",
    "mongosh",
    "mongo",
    "trino",
    "presto",
    "beeline",
    "impala-shell",
    "hive",
    "sqlplus",
    "isql",
    "databricks",
    "pscale",
    "mssql-cli",
    "osqueryi",
    "vsql",
    "rqlite",
    "crate",
    "questdb",
)
READERS: Final = frozenset(_SQL_CLIENTS)
"""Programs that take statements from standard input."""

_NODES: Final = calls("data_lost", "clearsnapshot|removenode|decommission|assassinate")

TABLE: Final[dict[str, Describe]] = {
    **dict.fromkeys(_SQL_CLIENTS, _client),
    **dict.fromkeys(("redis-cli", "valkey-cli", "keydb-cli", "iredis"), _key_value),
    **dict.fromkeys(("dropdb", "pg_dropcluster", "pg_resetwal"), _drop),
    **dict.fromkeys(("mysqladmin", "mariadb-admin"), _mysqladmin),
    **dict.fromkeys(("pg_restore", "mongorestore"), _restore),
    **{name: _migration(rows) for name, rows in _MIGRATIONS.items()},
    "nodetool": lambda act: apply(act, _NODES),
}
