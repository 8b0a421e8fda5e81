import pytest
from tests.detection.programs.understood import paths_of

ENV = "/home/ada/project/.env"

NAMES = [
    "cut -d= -f1 .env",
    "cut -d '=' -f 1 .env",
    "cat .env | cut -d= -f1",
    "cat .env 2>/dev/null | cut -d= -f1 | sort",
    "grep -v '^#' .env | cut -d= -f1",
    "grep -o '^[A-Z_]*' .env",
    "grep -oE '^[A-Z_]+=' .env",
    "sed 's/=.*/=***/' .env",
    "cat .env | sed 's|=.*|=<hidden>|'",
    "sed -E 's/(=).*/\\1***/' .env",
    "awk -F= '{print $1}' .env",
    "awk -F= '!/^#/ {print $1}' .env",
    "grep -q DATABASE_URL .env && echo there",
    "grep -c . .env",
]

VALUES = [
    "cut -d= -f2 .env",
    "cut -d= -f1 --complement .env",
    "cat .env | tee copy 2>/dev/null | cut -d= -f1",
    "cat .env >&2 | cut -d= -f1",
    "cat .env; cut -d= -f1 .env",
    "cut -d= -f1 .env; cat .env | sort",
    "sed 's/=.*/=&/' .env",
    "sed -e 's/=.*/x/' -e p .env",
    "sed 's/=.*/x/p' .env",
    "awk -F= '{print $1; print}' .env",
    "grep -o '.*' .env",
    "grep -oi '^[A-Z_]*' .env",
    "grep -oP '^\\w+=\\K.*' .env",
    "grep KEY .env",
]


@pytest.mark.parametrize("command", NAMES)
def test_an_environment_file_is_only_looked_at(command):
    assert {access for access, path in paths_of(command) if path == ENV} == {"metadata"}


@pytest.mark.parametrize("command", VALUES)
def test_an_environment_file_is_read(command):
    assert "read" in {access for access, path in paths_of(command) if path == ENV}


@pytest.mark.parametrize("command", ["cut -d= -f1 ~/.ssh/id_rsa", "grep -o '^[^=]*' ~/.ssh/id_rsa"])
def test_a_key_has_no_names(command):
    assert ("read", "/home/ada/.ssh/id_rsa") in paths_of(command)
