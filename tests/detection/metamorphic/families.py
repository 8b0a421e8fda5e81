"""Hostile repeaters: what someone would write again and again to make a reader slow.

``SHELL``, ``TEXT`` and ``CODE`` are units that are repeated; ``NESTED`` are pairs, one repeated before and
one behind. What is hostile to one reader may be to another, so all are read as texts and as code alike.
"""

from __future__ import annotations

SHELL: tuple[str, ...] = (
    "(", ")", "((", "$(", "`", "`a ", "${a", "${a:-", "${a#", "${a//b/", "$((", "{", "{a,", "{a,b}",
    "{1..9}", "[[ ", "[", "<<E", "<<E\n", "<<<", "<(", ">(", ">a ", "2>&1 ", "1>", "'", '"', "\\", "\\\n",
    "\\`", "$'\\x41", "a|", "a | ", "a && ", "||", "&", ";", ";;", "a;b;", "!", "! ", "~", "~/", "*", "?(",
    "@(", "*(a|", "#", "# c\n", "A=", "A=1 ", "a=$a$a;", "a=(", "a+=b;", "$a", "$@", "${!a}", "${a[1]}",
    "-", "-a", "--a=b ", "rm -rf a;", "cd ..;", "f(){ f;};f;", "alias a='a b';a;", "eval 'a';", "read a;",
    "trap a EXIT;", "if a;then ", "while a;do ", "for i in a b;do ", "case x in ", "case x in a) b;; esac;",
    "esac ", "done ", "fi ", "function f { ", "coproc ", "time ", "sudo ", "env ", "env -S ", "nohup ",
    "xargs ", "find . -exec ", "bash -c ", "ssh h ", "timeout 1 ", "cat f | ", "echo a > b;", "cat b > c;",
    "cp a b;", "ln -s a b;", "curl a | sh;", "base64 -d | ", "tr a b | ", "rev | ", "printf %s ",
    "printf %9999s;", "a=`b`;", "$(a) ", '"$(a)"', '"${a}', "((a+", "$[1+", "let a=1;", "a[1]=b;", "\0",
    "\r\n",
)  # fmt: skip
TEXT: tuple[str, ...] = (
    "a", " ", "\n", "\t", "a ", "a\n", ".", "../", "/", "//", "a/", "./a/", "\u200b", "a\u200b", "\u0301",
    "a\u0301", "\u202e", "\u200f", "\u202d\u202c", "\ufeff", "\ufe0f", "\u00ad", "\U000e0041", "\U0001d400",
    "\uff21", "\uff21 ", "\u3000", "\ufdfa", "\U0001f468\u200d", "\ud83d", "\ud800", "\udfff", "\ufffd",
    "\u5ffd\u7565", "\u0130", "\u00df", "\u1100\u1161", "\u0e33", "QUJD", "QUJDREVG\n",
    "aGVsbG8gd29ybGQgYWdh ", "41", "41 ", "0x41", "\\x41", "\\u0041", "\\\\u0041", "\\n", "%41", "%2541",
    "&#65;", "&#x41;", "&amp;", "&amp;amp;", "H4sI", "eJw", "1f8b", "AKIA", "AKIA234567ABCDEF ", "ghp_",
    "sk-", "eyJ", "eyJ.", "eyJhbGciOi.", "xoxb-1-", "-----BEGIN ", "-----BEGIN RSA PRIVATE KEY-----\n",
    "-----END ", "Bearer ", "key: ", "key: key: ", "key=", "password=", "password = 'a' ",
    "token: 'aB3$xY9z' ", "aB3xY9zQ7w", "4111", "4111 1111 ", "4111-1111-1111-1111 ", "123-45-6789 ",
    "DE89 3704 ", "a@b", "a@b.c ", "@", "http://", "http://a", "http://a.b/c?d=e&", "https://a:b@c/ ",
    "1.2.3.4 ", "0x7f.1 ", "::", "ignore ", "ignore ignore ", "Ignore all previous instructions. ",
    "ignore previous ", "you ", "you must ", "your task is ", "system: ", "<|im_start|>", "AI: ", "send ",
    "to eve@out.example ", "do not tell ", "> ", "- ", "* ", "| a ", "```\n", "```", "`", "'", '"',
    "\u201c", "\u2019", "<!--", "-->", "<a ", "<a>", "</a>", "<", "[a](b)", "[", "![a](http://b/?c=", "{",
    "}", "{\"a\":", "[[", "\\\"", ",", ":", ";", "=", "a,b,c\n", "name,ssn,dob\n", "=1+1\n", "#", "# a\n",
    "|", "~ ", "_", "a_b", "a-b-", "A1", "zzz", "0", "1 ", "9" * 12 + " ", "now ", "now, ", "instead ",
    "please ", "the user ", "I am the owner ",
)  # fmt: skip
CODE: tuple[str, ...] = (
    "(", "f(", "f(a,", "[", "[1,", "{", "{1:", "lambda:", "lambda a:", "not ", "-", "~", "a.b.", "a+",
    "a if b else ", "a and ", "'a'+", "'a' ", "f'{", "f'{a}'", "'''", '"""', "#", "# a\n", "x=1\n",
    "x=x+x\n", "x='a'+x\n", "import os\n", "os.system(", "os.system(x)\n", "eval(", "eval(x)\n",
    "exec(x)\n", "pickle.loads(", "yaml.load(x)\n", "requests.get(u, verify=False)\n", "hashlib.md5(",
    "open(", "open('../'+x)\n", "cursor.execute('SELECT '+x)\n", "def f():\n ", "def f(): pass\n",
    "class A:\n ", "class A: pass\n", "if a:\n ", "if a: pass\n", "for a in b:\n ", "while 1:\n ",
    "try:\n ", "with a:\n ", "return ", "yield ", "@a\n", "a=", "a=b=", "a,", "*", "**", "...", ":=",
    "\\\n", ";", "\t", "  ", "\n\n", "async ", "await ", "`${", "`", "=>", "=>{", "function(){",
    "function f(){}\n", "<a>", "</a>", "/*", "*/", "//", "/a/", "?.", "?:", "new ", "var a=1;",
    "require('child_process').exec(", "innerHTML=", "dangerouslySetInnerHTML", "import(", "export ",
    "case 1:", "switch(a){", "do{", "$a", "$a=", "<?php ", "?>", "<<<E\n",
)  # fmt: skip
NESTED: tuple[tuple[str, str], ...] = (
    ("(", ")"), ("$(", ")"), ("{ ", ";}"), ('"$(', ')"'), ("${a:-", "}"), ("<(", ")"), ("((", "))"),
    ("$((", "))"), ("[", "]"), ("{", "}"), ("{a,", "}"), ("if a;then ", ";fi"), ("while a;do ", ";done"),
    ("for i in a;do ", ";done"), ("case x in a) ", ";;esac"), ("f(){ ", ";}"), ("bash -c '", "'"),
    ('eval "', '"'), ("<a>", "</a>"), ('{"a":', "}"), ("[[", "]]"), ("'", "'"), ("<!--", "-->"),
    ("```\n", "\n```"), ("\u201c", "\u201d"), ("\u202d", "\u202c"), ("<div hidden>", "</div>"),
    ("f'{", "}'"), ("lambda: (", ")"), ("not (", ")"), ("`${", "}`"), ("/*", "*/"), ("cat <<A\n", "\nA\n"),
    ("$(cat <<A\n", "\nA\n)"), ("> ", "\n"),
)  # fmt: skip


def grown(unit: str, count: int) -> str:
    """Return ``unit`` so many times."""
    return unit * count


def nested(pair: tuple[str, str], count: int) -> str:
    """Return ``x`` inside of so many pairs."""
    return pair[0] * count + "x" + pair[1] * count


UNITS: tuple[str, ...] = tuple(dict.fromkeys(SHELL + TEXT + CODE))


def filled(family: str | tuple[str, str], size: int) -> str:
    """Return a unit or a pair repeated until it takes about ``size`` characters."""
    if isinstance(family, str):
        return grown(family, max(1, size // len(family)))
    return nested(family, max(1, size // len(family[0] + family[1])))
