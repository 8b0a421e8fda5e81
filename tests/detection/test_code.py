"""Program text: its language, its strings and comments, what is fixed in it, and how much work that is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.work import calls_of

from defenseclaw.detection.code import CHECKS, Language, examine, guess, language_named, language_of
from defenseclaw.detection.code.program import Program
from defenseclaw.detection.code.source import Source


def code(text, language=Language.PYTHON):
    return Source(text, language).code


def strings(text, language=Language.PYTHON):
    source = Source(text, language)
    return [source.inner(each) for each in source.literals]


def checks(text, path="app.py"):
    return {(place.check, place.issue.certain) for place in examine(path, text)}


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("app.py", "", Language.PYTHON),
        ("/srv/a.b/App.TSX", "", Language.JAVASCRIPT),
        ("C:\\work\\main.go", "", Language.GO),
        ("Rakefile", "", Language.RUBY),
        ("values.yml", "", Language.DATA),
        ("notes.md", "import os", None),
        ("data.csv", "", None),
        ("", "import os", None),
        # a notebook tool writes a cell; a whole notebook is JSON
        ("study.ipynb", "import os", Language.PYTHON),
        ("study.ipynb", '{"cells": []}', Language.DATA),
        # without an ending the first line tells
        ("bin/run", "#!/usr/bin/env python3\n", Language.PYTHON),
        ("bin/run", "#!/usr/bin/env -S node --harmony\n", Language.JAVASCRIPT),
        ("bin/run", "#!/bin/bash -e\n", Language.SHELL),
        ("bin/run", "#! /opt/thing/unknown\n", None),
        ("bin/run", " #!/usr/bin/python\n", None),
    ],
)
def test_the_language_of_a_file(path, text, language):
    assert language_of(path, text) is language


@pytest.mark.parametrize(
    ("word", "language"),
    [
        ("Python", Language.PYTHON),
        (".ts", Language.JAVASCRIPT),
        ("c++", Language.C),
        ("klingon", None),
        ("", None),
    ],
)
def test_the_language_of_a_word(word, language):
    assert language_named(word) is language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("package main\n\nfunc main() {}\n", Language.GO),
        ("<?php echo 1;", Language.PHP),
        ("const a = require('b');\n", Language.JAVASCRIPT),
        ("require 'json'\nputs 1\n", Language.RUBY),
        ("public class A {\n    public static void main(String[] a) {}\n}\n", Language.JAVA),
        ("def f():\n    return 1\n", Language.PYTHON),
        ("#!/usr/bin/env ruby\nimport os\n", Language.RUBY),
        ("eval(x)", Language.PYTHON),
    ],
)
def test_a_text_without_a_name_is_taken_for_what_it_looks_like(text, language):
    assert guess(text) is language


@pytest.mark.parametrize(
    ("language", "text", "inner"),
    [
        # Python
        (Language.PYTHON, "a = 'it''s'  # 'no'", ["it", "s"]),
        (Language.PYTHON, r"a = 'don\'t' + b", [r"don\'t"]),
        (Language.PYTHON, 'a = """x "y" z""" + "w"', ['x "y" z', "w"]),
        (Language.PYTHON, "a = 'open\nb = 'next'", ["open", "next"]),
        (Language.PYTHON, "'''never closed", ["never closed"]),
        # JavaScript
        (Language.JAVASCRIPT, "a = `x${b + `y${c}`}z` + 'w'", ["x${b + `y${c}`}z", "y${c}", "w"]),
        (Language.JAVASCRIPT, "a = /[/'\"]/.test(b) + 'w'", ["w"]),
        (Language.JAVASCRIPT, "a = b / c / 'w'", ["w"]),
        (Language.JAVASCRIPT, "return /'/.exec(a) // 'no'\n'w'", ["w"]),
        (Language.JAVASCRIPT, "/* ' */ `open", ["open"]),
        # Go, Java, C
        (Language.GO, 'a := `x\n"y"` + "z" // \'no\'', ['x\n"y"', "z"]),
        (Language.JAVA, 'a = """\n x "y"\n""" + \'"\';', ['\n x "y"\n', '"']),
        (Language.C, "fn f<'a>(x: &'a str) { g(\"w\") }", ["w"]),
        # Ruby and PHP
        (Language.RUBY, "a = <<~SQL\n  x 'y'\nSQL\nb = 'z'", ["  x 'y'\n", "z"]),
        (Language.RUBY, "a << B\nb = 'z'", ["z"]),
        (Language.RUBY, "=begin\n'no'\n=end\nb = 'z'", ["z"]),
        (Language.PHP, "it's <b>\n<?php $a = 'x'; ?> it's <?= \"y\" ?>", ["x", "y"]),
        (Language.PHP, "$a = <<<EOT\nx 'y'\nEOT;\n$b = 'z';", ["x 'y'\n", "z"]),
        # shell and data
        (Language.SHELL, "a='x y' # it's\nb=\"z\"", ["x y", "z"]),
        (Language.SHELL, "a=\\' b='z'", ["z"]),
        (Language.DATA, "a: 'x' # it's\nb: \"y\"", ["x", "y"]),
        (Language.DATA, "<a b='x'/><!-- 'no' -->", ["x"]),
    ],
)
def test_strings_are_told_from_code_and_comments(language, text, inner):
    assert strings(text, language) == inner


def test_code_keeps_its_place_when_strings_and_comments_are_blanked():
    text = "x = f('a(b') # c(\ny = g(`d`)"
    assert code(text) == "x = f('   ')     \ny = g(`d`)"
    assert len(code(text)) == len(text)


@pytest.mark.parametrize("language", Language)
@given(text=st.text(alphabet="ab(){}[]'\"`#/*\\$<>?=\n EOT%,.", max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_without_losing_its_length(language, text):
    source = Source(text, language)
    assert len(source.code) == len(text)
    assert source.code.count("\n") <= text.count("\n")
    assert all(each.start < each.end and each.inner <= each.inner_end for each in source.literals)


@given(
    text=st.text(max_size=400),
    path=st.sampled_from(["a.py", "a.js", "a.rb", "a.php", "a.go", "A.java", "a.c"]),
)
@settings(max_examples=150, deadline=None)
def test_any_text_is_examined(text, path):
    seeded = f"eval({text})\nos.system({text}\n{text}requests.get(f'{{{text}"
    for place in examine(path, seeded):
        assert place.check in CHECKS
        assert 1 <= place.line <= seeded.count("\n") + 1


def test_a_lone_half_of_a_surrogate_pair_is_no_obstacle():
    assert checks("os.system('rm ' + name) # \ud800") == {("built-command", True)}


FIXED = [
    "os.system('ls')",
    "A = 'ls'\nos.system(A)",
    "tool = 'ls'\ntool += ' -l'\nos.system(tool)",
    "for tool in ('ls', 'pwd'):\n    os.system(tool)",
    "os.system(f'{sys.executable} -m pip --version')",
    "os.system('ls '\n          '-l')",
    "os.system('%s -l' % 'ls')",
    "os.system(LIST_COMMAND)",
]
OPEN = [
    "os.system(tool)",
    "def go(tool='ls'):\n    os.system(tool)",
    "tool = 'ls'\nif x:\n    tool = input()\nos.system(tool)",
    "tool = 'ls'\ntool += name\nos.system(tool)",
    "for tool in tools:\n    os.system(tool)",
    "os.system('ls ' + name)",
    "os.system('ls %s' % name)",
    "os.system('ls {}'.format(name))",
    "os.system(f'ls {name}')",
    "os.system(\n    'ls '\n    + name\n)",
    "    os.system('ls ' + name)  # an edit's fragment",
    "from os import system as go\ngo_on = 1\nsystem(name)\nos.system(name)",
    "import os as machine\nmachine.system(name)",
]


@pytest.mark.parametrize("text", FIXED)
def test_a_command_that_is_the_same_on_every_run_is_fixed(text):
    assert checks(text) == set()


@pytest.mark.parametrize("text", OPEN)
def test_a_command_that_depends_on_something_is_not(text):
    assert checks(text) == {("built-command", True)}


def test_a_name_that_is_given_its_own_value_is_not_fixed_and_ends():
    program = Program(Source("a = b\nb = a\n", Language.PYTHON))
    assert program.is_fixed_name("a") is False


def test_keyword_arguments_are_no_assignments():
    assert checks("run(\n    command='ls',\n)\nos.system(command)") == {("built-command", True)}


MENTIONS = {
    "comment": "# {}",
    "documentation": '"""Never write:\n\n    {}\n"""',
    "string": "HELP = '''{}'''",
    "printed": "print('''{}''')",
    "a test's subject": "assert examine('''{}''')",
}
THREATS = [
    "os.system(cmd)",
    "subprocess.run(cmd, shell=True)",
    "eval(text)",
    "pickle.loads(body)",
    "yaml.load(text)",
    "hashlib.md5(password)",
    "requests.get(url)",
    'cursor.execute(f"SELECT a FROM b WHERE c = {d}")',
    "open(request.args[1])",
]


@pytest.mark.parametrize("threat", THREATS)
def test_use_is_found(threat):
    assert len(checks(threat)) == 1


@pytest.mark.parametrize("threat", THREATS)
@pytest.mark.parametrize("way", MENTIONS)
def test_mention_is_not(threat, way):
    assert checks(MENTIONS[way].format(threat)) == set()


LAYOUTS = {
    "as it is": "{}",
    "indented": "        {}",
    "after a statement": "x = 1; {}",
    "as a value": "value = {}",
    "as an argument": "show({}, 1)",
    "behind a broken line": "def broken(:\n'open\n{}",
    "with a comment behind": "{} # ok",
    "in an unclosed bracket": "run(({}",
    "after ten thousand characters": "x = 1\n" * 1700 + "{}",
    "with other line ends": "x = 1\r\n{}\r\n",
}


@pytest.mark.parametrize("threat", THREATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_changes_nothing(threat, layout):
    assert checks(LAYOUTS[layout].format(threat)) == checks(threat)


@pytest.mark.parametrize(
    "path", ["tests/test_app.py", "test_app.py", "app_test.py", "fixtures/app.py", "src/__tests__/a.py"]
)
def test_a_test_weighs_nothing(path):
    assert checks("os.system(cmd)", path) == {("built-command", False)}


@pytest.mark.parametrize("path", ["app.py", "latest/app.py", "contest.py", "testing.py", "src/specs.py"])
def test_a_name_that_only_sounds_like_one_does(path):
    assert checks("os.system(cmd)", path) == {("built-command", True)}


def test_one_place_for_each_line_the_certain_one():
    text = "hashlib.md5(data), hashlib.md5(password)\nhashlib.md5(data)\n"
    assert [(each.line, each.issue.certain) for each in examine("a.py", text)] == [(1, True), (2, False)]


HOSTILE = {
    "nested calls": (lambda n: "eval(" * n, "a.py"),
    "nested closed calls": (lambda n: "eval(" * n + ")" * n, "a.py"),
    "many calls": (lambda n: "os.system(a)\n" * n, "a.py"),
    "quoted calls": (lambda n: "os.system(shlex.quote(a))\n" * n, "a.py"),
    "one long argument": (lambda n: "os.system(" + "a + " * n + "b)", "a.py"),
    "escaped quotes": (lambda n: "eval(a)" + '"\\' * n, "a.py"),
    "open strings": (lambda n: "eval(a)\n" + "'\n" * n, "a.py"),
    "f-strings": (lambda n: "eval(a)\n" + "f'{a}{" * n, "a.py"),
    "assignments in a row": (lambda n: "".join(f"a{i} = a{i + 1}\n" for i in range(n)) + "eval(a0)", "a.py"),
    "brackets": (lambda n: "eval(a)" + "([{" * n + "}])" * n, "a.py"),
    "dots": (lambda n: "a . " * n + "system(b)\neval(c)", "a.py"),
    "spaces": (lambda n: "eval" + " " * n + "(a)", "a.py"),
    "imports": (lambda n: "import os as a\nfrom os import system as b\n" * n + "b(c)", "a.py"),
    "keys": (lambda n: "api_key = 'A1b2C3d4E5f6G7h8I9j0'\n" * n, "a.py"),
    "beginnings of keys": (lambda n: ("-----BEGIN " + "PRIVATE KEY-----\n") * n, "a.py"),
    "queries": (lambda n: "c.execute('SELECT ' + a)\n" * n, "a.py"),
    "one query": (lambda n: "c.execute('SELECT ' " + "'a' " * n + "+ b)", "a.py"),
    "addresses": (lambda n: "u = v\nrequests.get(u)\n" * n, "a.py"),
    "templates": (lambda n: "eval(a);" + "`${" * n, "a.js"),
    "regular expressions": (lambda n: "eval(a);" + "(/[" * n, "a.js"),
    "slashes": (lambda n: "eval(a)" + "/ " * n, "a.js"),
    "child processes": (lambda n: "require('child_process')" * n + "; exec(a)", "a.js"),
    "arrows": (lambda n: "(a, b) => " * n + "eval(a)", "a.js"),
    "here-documents": (lambda n: "".join(f"a = <<A{i}\n" for i in range(n)) + "eval(a)", "a.rb"),
    "ruby commands": (lambda n: "system \"a #{b}\" \n" * n, "a.rb"),
    "php tags": (lambda n: "<? ?>" * n + "<?php eval($a);", "a.php"),
    "markup": (lambda n: "eval(a); <!-" * n, "a.xml"),
}  # fmt: skip


@pytest.mark.parametrize("shape", HOSTILE)
def test_work_grows_no_faster_than_the_text(shape):
    build, path = HOSTILE[shape]
    small, large = build(400), build(1600)
    examine(path, small)
    few = calls_of(lambda: examine(path, small))
    many = calls_of(lambda: examine(path, large))
    assert many <= 4.6 * max(few, 200)
