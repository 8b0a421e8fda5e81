"""Which language a text is written in: by the name of its file, its shebang, or what it looks like."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

MAX_LOOKED_AT: Final = 16 * 1024
"""Characters of a text without a name that are looked at to tell its language."""


class Language(StrEnum):
    """A family of languages with the same comments and strings."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"
    """TypeScript too."""
    GO = "go"
    JAVA = "java"
    """Kotlin too."""
    RUBY = "ruby"
    PHP = "php"
    C = "c"
    """C++, C# and Rust too."""
    SHELL = "shell"
    DATA = "data"
    """YAML, JSON and XML: no code, yet a place for credentials."""


_BY_ENDING: Final = {
    **dict.fromkeys(("py", "pyi", "pyw"), Language.PYTHON),
    **dict.fromkeys(("js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"), Language.JAVASCRIPT),
    "go": Language.GO,
    **dict.fromkeys(("java", "kt", "kts"), Language.JAVA),
    **dict.fromkeys(("rb", "rake", "gemspec"), Language.RUBY),
    **dict.fromkeys(("php", "phtml"), Language.PHP),
    **dict.fromkeys(("c", "h", "cc", "cpp", "cxx", "hpp", "hh", "cs", "rs"), Language.C),
    **dict.fromkeys(("sh", "bash", "zsh", "ksh"), Language.SHELL),
    **dict.fromkeys(("yaml", "yml", "json", "xml"), Language.DATA),
}
_BY_FILE: Final = {
    "rakefile": Language.RUBY,
    "gemfile": Language.RUBY,
    "wscript": Language.PYTHON,
    "sconstruct": Language.PYTHON,
}
_BY_WORD: Final = {
    **_BY_ENDING,
    **{each.value: each for each in Language},
    **dict.fromkeys(("python3", "ipython", "cython"), Language.PYTHON),
    **dict.fromkeys(("typescript", "node", "nodejs", "deno", "bun"), Language.JAVASCRIPT),
    "golang": Language.GO,
    "kotlin": Language.JAVA,
    **dict.fromkeys(("c++", "csharp", "c#", "rust"), Language.C),
    "dash": Language.SHELL,
}
_LOOKS: Final = (
    (Language.PHP, re.compile(r"<\?(?:php\b|=)")),
    (Language.GO, re.compile(r"(?m)^package \w+\s*$|^func (?:\(\w+ \*?\w+\) )?\w+\(|^import \(\s*$")),
    (
        Language.JAVA,
        re.compile(
            r"(?m)^\s{0,40}(?:public|private|protected) (?:static |final )*[\w<>\[\]]+ \w+|^import java"
        ),
    ),
    (
        Language.PYTHON,
        re.compile(
            r"(?m)^\s{0,40}(?:from [\w.]+ import |import [\w., ]+$|(?:async )?def \w+\(.*:\s*$"
            r"|class \w+.*:\s*$"
            r"|(?:if|elif|for|while|with|try|except)\b.*:\s*$)"
        ),
    ),
    (
        Language.JAVASCRIPT,
        re.compile(
            r"(?m)^\s{0,40}(?:const|let|var) [\w{\[]|=>|\brequire\(|^\s{0,40}import .* from\b"
            r"|\bfunction\b.*\{|;\s*$"
        ),
    ),
    (Language.RUBY, re.compile(r"(?m)^\s{0,40}(?:require(?:_relative)? ['\"]|def [\w.?!]+$|end$|puts )")),
)
_TEST_PATH: Final = re.compile(
    r"(?i)(?:^|/)(?:tests?|testing|__tests__|specs?|fixtures?|testdata|test[-_]data|examples?|samples?)/"
    r"|(?:^|/)(?:test_[^/]*|[^/]*[._-](?:test|spec)s?\.\w+|conftest\.py)$"
)


def language_of(path: str, text: str) -> Language | None:
    """Return the language of a file, None for what is not code (documents, tables, unknown kinds).

    Args:
        path: Its name, with folders or without; may be empty.
        text: What it holds; asked only when the name does not tell.
    """
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    if name.endswith(".ipynb"):
        # A cell that a notebook tool writes is Python; a whole notebook is JSON.
        return Language.DATA if text.lstrip()[:1] == "{" else Language.PYTHON
    known = _BY_FILE.get(name) or _BY_ENDING.get(name.rpartition(".")[2] if "." in name else "")
    return known or _by_shebang(text)


def language_named(word: str) -> Language | None:
    """Return the language that a caller calls ``word`` (``python``, ``TypeScript``, ``.go``)."""
    return _BY_WORD.get(word.strip().lower().removeprefix("."))


def guess(text: str) -> Language:
    """Return the likeliest language of program text that came without a name."""
    start = text[:MAX_LOOKED_AT]
    found = _by_shebang(start) or next((each for each, looks in _LOOKS if looks.search(start)), None)
    return found or Language.PYTHON


def is_test(path: str) -> bool:
    """Whether a file is a test, a sample or a fixture by its path: code that nothing depends on."""
    return _TEST_PATH.search(path.replace("\\", "/")) is not None


def _by_shebang(text: str) -> Language | None:
    if not text.startswith("#!"):
        return None
    line = text[:256].partition("\n")[0]
    words = re.findall(r"[a-z+]+", line.lower())
    return next((_BY_WORD[word] for word in words if word in _BY_WORD and word != "env"), None)
