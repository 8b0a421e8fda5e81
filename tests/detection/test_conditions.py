import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defenseclaw.detection.conditions import _ENVIRONMENT, ConditionSet, without_previews
from defenseclaw.detection.facts import Command, Facts, Flow, NetworkFact, PathFact
from defenseclaw.errors import PackError

RM_ROOT = (
    "commands.exists(c, c.program == 'rm' && 'recursive' in c.traits"
    " && paths.exists(p, p.command == c.id && 'root' in p.classes))"
)


def command(id, program, *traits, **more):
    return Command(id=id, program=program, traits=frozenset(traits), **more)


def path(command, access, *classes):
    return PathFact(command=command, access=access, value="x", normalized="x", classes=frozenset(classes))


WIPING = Facts(
    commands=(command(1, "ls"), command(2, "rm", "recursive", "force")),
    paths=(path(1, "list", "workspace"), path(2, "delete", "workspace"), path(2, "delete", "root")),
)


def held(sources, facts):
    return [(each.rule_id, each.failed) for each in ConditionSet(sources).evaluate(facts, "/w")]


def test_reports_conditions_that_hold_in_the_order_given():
    sources = [
        ("B", "commands.exists(c, c.program == 'rm')"),
        ("A", RM_ROOT),
        ("NO", "commands.exists(c, c.program == 'dd')"),
    ]
    assert held(sources, WIPING) == [("B", False), ("A", False)]


def test_joins_facts_by_command():
    elsewhere = Facts(
        commands=WIPING.commands, paths=(path(1, "list", "root"), path(2, "delete", "workspace"))
    )
    assert held([("A", RM_ROOT)], elsewhere) == []


def test_previews_are_not_seen():
    preview = Facts(
        commands=(command(1, "rm", "recursive", effect="preview"), command(2, "ls")),
        paths=(path(1, "delete", "root"), path(2, "list", "root")),
        network=(NetworkFact(command=1, action="connect"),),
        flows=(Flow(source="file", sink="network", from_command=2, to_command=1),),
    )
    acting = without_previews(preview)
    assert [each.program for each in acting.commands] == ["ls"]
    assert [each.command for each in acting.paths] == [2]
    assert (acting.network, acting.flows) == ((), ())
    assert held([("A", RM_ROOT)], preview) == []


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ("commands.exists(c, c.program == 'rm')", True),
        ("commands.exists(c, c.program == 'dd')", False),
        ("commands.exists(c, 'force' in c.traits)", True),
        ("commands.exists(c, 'fork_bomb' in c.traits)", False),
        ("paths.exists(p, p.access in ['delete', 'write'])", True),
        ("network.exists(n, n.host != 'x')", False),
        ("commands.exists(c, !c.privileged)", True),
        ("!commands.exists(c, c.program == 'dd')", True),
        ("parse == 'complete'", False),
        ("parse == 'not_applicable'", True),
    ],
)
def test_only_conditions_whose_key_is_present_are_candidates(source, runs):
    assert bool(ConditionSet([("R", source)]).candidates(WIPING)) is runs


def test_the_witness_is_the_fact_that_decided():
    (found,) = ConditionSet([("A", RM_ROOT)]).evaluate(WIPING, "/w")
    assert found.witness.command == WIPING.commands[1]
    assert found.witness.path == WIPING.paths[2]
    assert (found.witness.network, found.witness.flow) == (None, None)


def test_the_witness_names_the_command_that_owns_a_path():
    (found,) = ConditionSet([("A", "paths.exists(p, 'root' in p.classes)")]).evaluate(WIPING, "/w")
    assert found.witness.command == WIPING.commands[1]


def test_no_single_witness_where_two_commands_decide():
    source = "commands.exists(c, c.program == 'ls') && commands.exists(c, c.program == 'rm')"
    (found,) = ConditionSet([("A", source)]).evaluate(WIPING, "/w")
    assert found.witness.command is None


def test_an_evaluation_error_is_reported_and_the_others_go_on():
    conditions = ConditionSet([("BAD", "commands.exists(c, c.program == 'rm')"), ("GOOD", RM_ROOT)])

    class Broken:
        def eval(self, activation):
            return self

        def value(self):
            return "no such overload"

    conditions.candidates(WIPING)[0]._program = Broken()
    found = [(each.rule_id, each.failed) for each in conditions.evaluate(WIPING, "/w")]
    assert found == [("BAD", True), ("GOOD", False)]


def test_a_condition_on_assignments_runs_only_where_there_are_some():
    sources = [("A", "commands.exists(c, c.assignments.exists(a, a.startsWith('X=')))")]
    assert ConditionSet(sources).candidates(WIPING) == []
    assert held(sources, Facts(commands=(command(1, "ls", assignments=("Y=1",)),))) == []
    assert held(sources, Facts(commands=(command(1, "ls", assignments=("Y=1", "X=2")),))) == [("A", False)]


def test_padding_with_facts_does_not_hide_the_one_that_matters():
    # CEL gives up after ten thousand steps; an attacker decides how many commands and paths there are
    count = 250
    commands = [command(number, "rm", "recursive") for number in range(1, count + 1)]
    paths = [path(count + number, "list", "root") for number in range(1, count + 1)]
    padded = Facts(commands=tuple(commands), paths=(*paths, path(count, "delete", "root")))
    assert held([("A", RM_ROOT)], padded) == [("A", False)]


def test_too_many_facts_that_decide_nothing_are_a_fault():
    count = 250
    commands = [command(number, "rm", "recursive") for number in range(1, count + 1)]
    paths = [path(count + number, "list", "root") for number in range(1, count + 1)]
    assert held([("A", RM_ROOT)], Facts(commands=tuple(commands), paths=tuple(paths))) == [("A", True)]


def test_what_cel_itself_refuses_names_the_rule():
    with pytest.raises(PackError, match="R: condition: unknown name 'nope'"):
        ConditionSet([("R", "nope == 1")])


def test_every_field_of_the_facts_can_be_asked_for():
    # the outline reads the dataclasses, CEL reads bindings(): both must know the same names
    from defenseclaw.detection import expressions

    full = Facts(
        commands=(command(1, "x"),),
        paths=(path(1, "read"),),
        network=(NetworkFact(command=1, action="connect"),),
        flows=(Flow(source="file", sink="file", from_command=1, to_command=1),),
    )
    for collection in expressions.COLLECTIONS:
        for name, kind in expressions._FIELDS[collection].items():
            test = f"!x.{name}.exists(y, !true)" if kind == "list[str]" else f"x.{name} == x.{name}"
            test = "!x.redirects.exists(y, y.fd == 7)" if kind == "list[redirects]" else test
            assert held([("R", f"{collection}.exists(x, {test})")], full) == [("R", False)], (
                collection,
                name,
            )


PARTS = [
    "commands.exists(c, c.program == 'rm')",
    "commands.exists(c, c.program != 'rm')",
    "!commands.exists(c, 'force' in c.traits)",
    "commands.exists(c, 'force' in c.traits && paths.exists(p, p.command == c.id && p.access == 'delete'))",
    "commands.exists(c, !paths.exists(p, p.command == c.id && 'root' in p.classes))",
    "paths.exists(p, p.access == 'delete' && !commands.exists(c, c.id == p.command && c.privileged))",
    "paths.exists(p, 'root' in p.classes || p.access == 'list')",
    "commands.exists(c, c.traits.exists(t, t == 'recursive'))",
]


@st.composite
def some_facts(draw):
    commands = [
        command(number, draw(st.sampled_from(["rm", "ls"])), *draw(traits), privileged=draw(st.booleans()))
        for number in range(1, draw(st.integers(0, 3)) + 1)
    ]
    paths = [
        path(draw(st.integers(0, 3)), draw(st.sampled_from(["list", "delete"])), *draw(classes))
        for _ in range(draw(st.integers(0, 3)))
    ]
    return Facts(commands=tuple(commands), paths=tuple(paths))


traits = st.sets(st.sampled_from(["force", "recursive"]))
classes = st.sets(st.sampled_from(["root", "workspace"]))
expressions_of_parts = st.recursive(
    st.sampled_from(PARTS),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
        | st.builds("!({})".format, inner)
    ),
    max_leaves=4,
)


@given(source=expressions_of_parts, facts=some_facts())
@settings(max_examples=150, deadline=None)
def test_neither_the_index_nor_the_view_changes_the_answer(source, facts):
    conditions = ConditionSet([("R", source)])
    (condition,) = conditions._conditions
    truth = condition.holds(_ENVIRONMENT.Activation(facts.bindings("/w")))
    assert condition.holds(_ENVIRONMENT.Activation(condition.view(facts).bindings("/w"))) is truth
    assert [each.rule_id for each in conditions.evaluate(facts, "/w")] == (["R"] if truth else [])
