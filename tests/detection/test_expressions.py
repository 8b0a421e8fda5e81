import pytest

from defenseclaw.detection.expressions import Key, outline
from defenseclaw.errors import PackError

RM = Key("commands", "program", "rm")
UNLINK = Key("commands", "program", "unlink")
RECURSIVE = Key("commands", "traits", "recursive")
DELETE = Key("paths", "access", "delete")
ASSIGNS = Key("commands", "assignments", True)
ANY_COMMAND = Key("commands", "", True)


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        # one comparison
        ("commands.exists(c, c.program == 'rm')", {RM}),
        ("commands.exists(c, 'rm' == c.program)", {RM}),
        ("commands.exists(c, c.program in ['rm', 'unlink'])", {RM, UNLINK}),
        ("commands.exists(c, 'recursive' in c.traits)", {RECURSIVE}),
        ("commands.exists(c, c.traits.exists(t, t == 'recursive'))", {RECURSIVE}),
        ("commands.exists(c, c.privileged)", {Key("commands", "privileged", True)}),
        ("tool_class == 'write'", {Key("", "tool_class", "write")}),
        ("paths.exists(p, p.command == 0)", {Key("paths", "command", 0)}),
        # of a conjunction the rarest part, of a disjunction all
        ("commands.exists(c, 'delete' in c.operations && c.program == 'rm')", {RM}),
        ("commands.exists(c, c.program == 'rm' || c.program == 'unlink')", {RM, UNLINK}),
        ("commands.exists(c, c.program == 'rm') && paths.exists(p, p.access == 'delete')", {RM}),
        ("commands.exists(c, c.program == 'rm') || paths.exists(p, p.access == 'delete')", {RM, DELETE}),
        # what only says "not" or looks inside a text gives no key but the list itself
        ("commands.exists(c, !(c.program == 'rm'))", {ANY_COMMAND}),
        ("commands.exists(c, c.program != 'rm')", {ANY_COMMAND}),
        ("commands.exists(c, c.text.contains('rm'))", {ANY_COMMAND}),
        ("commands.exists(c, c.program == 'rm' || c.text.startsWith('x'))", {ANY_COMMAND}),
        ("commands.exists(c, c.redirects.exists(r, r.access == 'write'))", {ANY_COMMAND}),
        # most commands have no assignments: that there are some is worth asking for
        ("commands.exists(c, c.assignments.exists(a, a.startsWith('X=')))", {ASSIGNS}),
        (
            "commands.exists(c, c.assignments.exists(a, a.startsWith('X=')) || c.program == 'rm')",
            {ASSIGNS, RM},
        ),
        ("commands.exists(c, !c.assignments.exists(a, a.startsWith('X=')))", {ANY_COMMAND}),
        ("!commands.exists(c, c.program == 'rm')", None),
        ("cwd == '/'", None),
        ("true", None),
    ],
)  # fmt: skip
def test_derives_the_facts_without_which_a_condition_cannot_hold(source, keys):
    assert outline(source).keys == (None if keys is None else frozenset(keys))


def test_names_the_words_it_compares_with():
    read = outline("commands.exists(c, c.program == 'rm' && paths.exists(p, 'root' in p.classes))")
    assert read.words == {"rm", "root"}


@pytest.mark.parametrize(
    ("source", "relevant"),
    [
        ("commands.exists(c, c.program == 'rm')", {"commands": {RM}}),
        ("!commands.exists(c, c.program == 'rm')", {"commands": {RM}}),
        (
            "commands.exists(c, c.program == 'rm') && commands.exists(c, c.program == 'unlink')",
            {"commands": {RM, UNLINK}},
        ),
        (
            "commands.exists(c, c.program == 'rm') && commands.exists(c, c.privileged || c.text == c.code)",
            {"commands": None},
        ),
        (
            "commands.exists(c, c.text.contains('x')) && commands.exists(c, c.program == 'rm')",
            {"commands": None},
        ),
        # each element for itself: what one list needs says nothing of the other
        (
            "commands.exists(c, paths.exists(p, p.command == c.id && p.access == 'delete'))",
            {"commands": None, "paths": {DELETE}},
        ),
        (
            "commands.exists(c, c.program == 'rm' && !paths.exists(p, p.access == 'delete'))",
            {"commands": {RM}, "paths": {DELETE}},
        ),
        # a need of the outer element named inside the inner one counts for the outer
        (
            "commands.exists(c, paths.exists(p, c.program == 'rm' && p.access == 'delete'))",
            {"commands": {RM}, "paths": {DELETE}},
        ),
        (
            "paths.exists(p, (p.access == 'delete' && commands.exists(c, c.program == 'rm')) || p.resolved)",
            {"commands": {RM}, "paths": {DELETE, Key("paths", "resolved", True)}},
        ),
        ("tool_class == 'write'", {}),
    ],
)
def test_knows_which_facts_make_a_difference(source, relevant):
    wanted = {name: None if keys is None else frozenset(keys) for name, keys in relevant.items()}
    assert outline(source).relevant == wanted


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        # the facts have no such thing
        ("commands.exists(c, c.progam == 'rm')", "has no field 'progam'"),
        ("command.exists(c, c.program == 'rm')", "unknown name 'command'"),
        ("commands.exists(c, d.program == 'rm')", "unknown name 'd'"),
        ("commands.exists(c, c.program.base == 'rm')", "str has no field 'base'"),
        ("commands.exists(c, 'recursve' in c.traits)", "'recursve' is no word of commands.traits"),
        ("commands.exists(c, c.traits.exists(t, t == 'recursve'))", "'recursve' is no word"),
        ("paths.exists(p, p.access in ['write', 'wriet'])", "'wriet' is no word of paths.access"),
        ("commands.exists(c, c.effect == 'preview')", "'preview' is no word of commands.effect"),
        ("tool_class == 'shel'", "'shel' is no word of tool_class"),
        # types that cannot be equal
        ("commands.exists(c, c.id == '1')", "cannot compare int with str"),
        ("commands.exists(c, c.traits == 'recursive')", "cannot compare list[str] with str"),
        ("commands.exists(c, 1 in c.traits)", "int cannot be in list[str]"),
        ("commands.exists(c, c.program)", "a truth value is needed"),
        ("commands.exists(c, c.program == 'rm') && cwd", "a truth value is needed"),
        ("cwd && commands.exists(c, c.program == 'rm')", "a truth value is needed"),
        ("tool", "a truth value is needed"),
        # outside the subset
        ("commands.size() == 1", "function 'size' is not available"),
        ("commands[0].program == 'rm'", "a truth value is needed, not list[commands]"),
        ("commands.all(c, c.program == 'rm')", "function 'all' is not available"),
        ("tool.matches(cwd)", "with a string literal"),
        ("tool.matches('(')", "not valid RE2"),
        ("tool + 'x' == 'y'", "cannot read"),
        ("commands.exists(c, c.program in [])", "empty list"),
        ("commands.exists(c, c.program == 'a\\n')", "write backslashes as"),
        # not an expression
        ("", "ends too early"),
        ("commands.exists(c, c.program == 'rm'", "expected ')'"),
        ("tool == 'x' tool == 'y'", "unexpected 'tool'"),
        ("tool == 'x", "cannot read"),
        # bounds
        ("commands.exists(a, commands.exists(b, commands.exists(c, c.id == a.id)))", "2 levels of exists"),
        ("!" * 100 + "true", "nested deeper"),
        ("(" * 100 + "true" + ")" * 100, "nested deeper"),
        (" " * 20_000 + "true", "longer than"),
        (f"tool.matches('{'a' * 600}')", "longer than 512 bytes"),
        ("commands.exists(c, commands.exists(c, c.id == 1))", "'c' cannot name an element"),
        ("commands.exists(tool, tool.id == 1)", "'tool' cannot name an element"),
    ],
)  # fmt: skip
def test_refuses_what_could_never_work(source, reason):
    with pytest.raises(PackError) as refusal:
        outline(source)
    assert reason in refusal.value.message


def test_reads_escaped_and_raw_strings():
    assert outline(r"""tool == 'it\'s' || tool == r'a\b' || tool == "q" """).words == {"it's", r"a\b", "q"}
