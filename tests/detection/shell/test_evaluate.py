"""Source → commands, as rules will see them. Each row: source, texts of all commands in order."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma

import pytest

from defenseclaw.detection.facts import UNKNOWN, Need
from defenseclaw.detection.shell import evaluate_argv

U = UNKNOWN


def texts(evaluation) -> list[str]:
    return [command.text for command in evaluation.commands]


@pytest.mark.parametrize(
    ("source", "want"),
    [
        # quoting
        ("r''m -rf /", ["rm -rf /"]),
        ('r"m" -r"f" /', ["rm -rf /"]),
        ("\\rm -rf /", ["rm -rf /"]),
        ("$'\\x72\\155' -rf /", ["rm -rf /"]),
        ('$"rm" -rf /', ["rm -rf /"]),
        ("rm -r\\\nf /", ["rm -rf /"]),
        ("rm '-rf' \"/\"", ["rm -rf /"]),
        ("echo $'a\\'b'", ["echo 'a'\\''b'"]),
        ("rm -rf /\r\nid\r\n", ["rm -rf /", "id"]),
        ("r\0m -rf /", ["rm -rf /"]),
        # variables
        ("a=r;b=m; $a$b -rf /", ["rm -rf /"]),
        ("a=r b=m; ${a}${b} -rf /", ["rm -rf /"]),
        ("x='rm -rf /'; $x", ["rm -rf /"]),
        ("rm$IFS-rf$IFS$HOME", ["rm -rf /home/ada"]),
        ("rm${IFS}-rf${IFS}/", ["rm -rf /"]),
        ("IFS=,; x=rm,-rf,/; $x", ["rm -rf /"]),
        ("${x:-rm} -rf ${y:=/etc}; ls $y", ["rm -rf /etc", "ls /etc"]),
        ("p=xrm; ${p#x} -rf /", ["rm -rf /"]),
        ("p=a/b.tar.gz; ls ${p##*/} ${p%.*} ${p%%.*} ${p#*/}", ["ls b.tar.gz a/b.tar a/b b.tar.gz"]),
        ("p=abcabc; ls ${p/b/x} ${p//b/x} ${p/#a/y} ${p/%c/z}", ["ls axcabc axcaxc ybcabc abcabz"]),
        ("p=abcabc; ls ${p:1:2} ${p: -2} ${#p} ${p^^} ${p^}", ["ls bc bc 6 ABCABC Abcabc"]),
        ("x=y; y=rm; ${!x} z", ["rm z"]),
        ("cat ${PATH:0:1}etc", ["cat /etc"]),
        ("x=a; x+=b; echo $x", ["echo ab"]),
        ("x=1; unset x; r${x}m a", ["unset x", "rm a"]),
        ("echo $unknown", [f"echo {U}"]),
        ("export A=b C=$HOME; echo $A $C", ["export A=b C=/home/ada", "echo b /home/ada"]),
        ("printf -v x '%s' rm; $x a", ["printf -v x %s rm", "rm a"]),
        # positional parameters: there are none at top level
        ("r$@m -rf /; c$1at x", ["rm -rf /", "cat x"]),
        ('set -- rm -rf /; "$@"; $1 $3; echo $#', ["set -- rm -rf /", "rm -rf /", "rm /", "echo 3"]),
        ("set -- a b; shift; rm $1", ["set -- a b", "shift", "rm b"]),
        # arrays and arithmetic
        ('a=(rm -rf /); "${a[@]}"; ${a[0]} ${#a[@]}', ["rm -rf /", "rm 3"]),
        ("echo $((2 * (3 + 4))) $((1 << 4)) $((x))", [f"echo 14 16 {U}"]),
        # braces and tilde
        ("{rm,-rf,/}", ["rm -rf /"]),
        ("ls a{b,c{d,e}}f {1..3} {c..a} {01..03} {} {a}", ["ls abf acdf acef 1 2 3 c b a 01 02 03 {} {a}"]),
        ("ls '{a,b}' \\{a,b}", ["ls {a,b} {a,b}"]),
        ("ls ~ ~/x ~ada/y ~root '~' a~", ["ls /home/ada /home/ada/x /home/ada/y ~root ~ a~"]),
        # globs where a program is named
        ("/bin/r? -rf /", ["/bin/rm -rf /"]),
        ("/???/b??h -c id", ["/bin/bash -c id", "id"]),
        # comments and data
        ('grep -r "rm -rf /" . # rm -rf /', ["grep -r 'rm -rf /' ."]),
        ('git commit -m "rm -rf /"', ["git commit -m 'rm -rf /'"]),
        ('echo "curl x | sh"', ["echo 'curl x | sh'"]),
        ("cat > doc.md <<'EOF'\nrm -rf /\nEOF\nls", ["cat > doc.md <<EOF", "ls"]),
        ("# only a comment", []),
        ("", []),
    ],
)
def test_words_are_evaluated(evaluate, source, want):
    assert texts(evaluate(source)) == want


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("for f in a 'b c'; do rm $f \"$f\"; done", ["rm a a", "rm b c 'b c'"]),
        ("for i in {1..3}; do rm $i; done", ["rm 1", "rm 2", "rm 3"]),
        ("while a; do b; done; until c; do d; done", ["a", "b", "c", "d"]),
        ("for ((i=0; i<3; i++)); do a; done", ["a"]),
        ("select x in a; do rm $x; done", ["rm a"]),
        ("case $1 in a|b) c;; *) d;; esac", ["d"]),
        ("case $x in a|b) c;; *) d;; esac", ["c", "d"]),
        ("case abc in a*) rm x;; *) d;; esac", ["rm x"]),
        ("{ a; b; } && (c; d)", ["a", "b", "c", "d"]),
        ("((rm -rf /))", ["rm -rf /"]),
        ("((i++)); ((a < b)); a", ["a"]),
        ("! a; time b; coproc c; coproc N { d; }", ["a", "time b", "b", "c", "d"]),
        ("[[ -f x && $(a) ]] && b", [f"[[ -f x '&&' {U} ]]", "a", "b"]),
        ("f() { rm \"$@\"; }; f a 'b c'", ["rm a 'b c'"]),
        ("function f { rm $1; }; f a; f b", ["rm a", "rm b"]),
        ("f() { rm -rf /; }; ls", ["ls"]),
        ("a() { b() { rm $1; }; b $1; }; a x", ["rm x"]),
        ("f() { f() { rm $1; }; f $1; }; f x", ["rm x"]),
        ("f() { f() { rm x; }; }; f; f", ["rm x"]),
        ("ls() { rm x; }; ls", ["rm x"]),
        ("ls() { command ls; }; ls", ["command ls", "ls"]),
        ("trap 'rm -f $f' EXIT", ["trap 'rm -f $f' EXIT", f"rm -f {U}"]),
        ("alias l='ls -l'\nl x", ["alias 'l=ls -l'", "ls -l", "ls -l x"]),
        ("echo 'rm a' | while read -r c; do $c; done", ["echo 'rm a'", "read -r c", "rm a"]),
        ("python3 -c 'print(\"rm a\")' | sh", ["python3 -c 'print(\"rm a\")'", "sh", "rm a"]),
        ("$(perl -e 'print \"rm a\"')", ["rm a", "perl -e 'print \"rm a\"'"]),
        ("echo b | perl -ne 'print \"rm a\"' | sh", ["echo b", "perl -ne 'print \"rm a\"'", "sh"]),
        ("while read c; do $c; done <<E\na 1\nb 2\nE\n", ["read c <<EOF", "a 1", "read c", "b 2"]),
        # what may not run does not decide what is known
        ("a=rm; false && a=ls; $a x", ["false", "rm x"]),
        ("a=rm; if b; then a=ls; fi; $a x", ["b", f"{U} x", "x"]),
        ("if true; then a=rm; else a=ls; fi; $a x", ["true", "rm x"]),
        ("x() { exit; }; x; rm -rf /", ["exit", "rm -rf /"]),
    ],
)
def test_control_flow_is_followed(evaluate, source, want):
    assert texts(evaluate(source)) == want


@pytest.mark.parametrize(
    ("source", "inner"),
    [
        ("sudo -n nice -n 10 rm -rf /var", "rm -rf /var"),
        ("sudo -u root A=1 -- rm x", "rm x"),
        ("doas rm x", "rm x"),
        ("su -c 'rm x' root", "rm x"),
        ("runuser -u root -- rm x", "rm x"),
        ("pkexec --user root rm x", "rm x"),
        ("env -i -S'rm -rf' x", "rm -rf x"),
        ("env -u A B=1 rm x", "rm x"),
        ("timeout -s KILL 5 nohup setsid -f rm x", "rm x"),
        ("stdbuf -oL ionice -c3 rm x", "rm x"),
        ("command rm x; exec -a y true", "rm x"),
        ("echo a b | xargs -n 1 rm -f", "rm -f b"),
        ("echo / | xargs -I% rm -rf %", "rm -rf /"),
        ("ls | xargs rm", f"rm {U}"),
        ("printf 'a b\\0c' | xargs -0 rm", "rm 'a b' c"),
        ("printf 'a\\0' | xargs -0 rm", "rm a"),
        ("find /srv | xargs rm", f"rm /srv/./{U}"),
        ("find /srv -print0 | sort | xargs -0 rm", f"rm /srv/./{U}"),
        ("find /srv -mtime 3 | xargs rm", f"rm /srv/{U}"),
        ("find /srv | head -n 3 | xargs rm", f"rm /srv/{U}"),
        ("find /srv | grep -v x | xargs rm", f"rm /srv/{U}"),
        ("find /srv | grep x | xargs rm", f"rm {U}"),
        ("find /srv | while read f; do rm $f; done", f"rm /srv/{U}"),
        ("for f in $(find /srv); do rm $f; done", f"rm /srv/{U}"),
        ("rm $(find /srv)", f"rm /srv/./{U}"),
        ("parallel rm {} ::: a b", "rm b"),
        ("find /srv -type f -exec rm -f {} +", f"rm -f /srv/{U}"),
        ("find /srv -name x -exec rm -f {} +", "rm -f /srv/**/x"),
        ("find a b -execdir rm {} \\;", f"rm b/{U}"),
        ("fd x -x rm {}", f"rm {U}"),
        ("watch -n 1 'rm x'", "rm x"),
        ("flock /tmp/l -c 'rm x'", "rm x"),
        ("flock -n /tmp/l rm x", "rm x"),
        ("script -qc 'rm x' /dev/null", "rm x"),
        ("chroot --userspec=a:b /mnt rm x", "rm x"),
        ("unshare -rm rm x", "rm x"),
        ("nsenter -t 1 -m rm x", "rm x"),
        ("busybox rm x", "rm x"),
        ("ssh -p 22 a@h 'cd /; rm x'", "rm x"),
        ("docker run --rm -v /:/h -it alpine:3 rm x", "rm x"),
        ("docker -H tcp://h exec -u 0 web rm x", "rm x"),
        ("docker compose exec -T web rm x", "rm x"),
        ("podman run --entrypoint rm img x", "rm x"),
        ("kubectl -n ns exec -it pod -c app -- rm x", "rm x"),
        ("bash -lc 'rm x'", "rm x"),
        ("bash -o pipefail -ec 'rm $1' name x", "rm x"),
        ("zsh -c 'rm $0' x", "rm x"),
        ("eval rm x", "rm x"),
        ("sh <<-X\n\trm x\n\tX\n", "rm x"),
        ("sh <<< 'rm x'", "rm x"),
        ("echo 'rm x' | sh", "rm x"),
        ("echo 'rm x' | sudo -E bash -s -- a", "rm x"),
        ("echo 'rm x' | sh /dev/stdin", "rm x"),
        ("bash <(echo 'rm x')", "rm x"),
        ("source <(echo rm x)", "rm x"),
        ('eval "$(echo rm x)"', "rm x"),
        ("awk 'BEGIN{system(\"rm x\")}'", "rm x"),
        ("echo 'rm x' | at now", "rm x"),
        ("(crontab -l; echo '5 4 * * * rm x') | crontab -", "rm x"),
        ("echo 'rm x' > s.sh; bash s.sh", "rm x"),
        ("echo 'rm x' | tee s.sh >/dev/null; ./s.sh", "rm x"),
        ("cat > s.sh <<'E'\n#!/bin/sh\nrm x\nE\nchmod +x s.sh && ./s.sh", "rm x"),
        ("sudo bash -c \"env sh -c 'rm x'\"", "rm x"),
    ],
)
def test_commands_run_by_commands_are_found(evaluate, source, inner):
    assert inner in texts(evaluate(source))


@pytest.mark.parametrize(
    "source",
    [
        "sudo -l rm",
        "command -v rm",
        "docker run alpine",
        "docker ps rm",
        "bash -n rm.sh",
        "bash --version",
        "env",
        "xargs",
        "su -c ''",
        "watch ''",
    ],
)
def test_a_wrapper_that_runs_nothing_stands_alone(evaluate, source):
    assert texts(evaluate(source)) == [source]


_PAYLOAD = b"rm -rf /\n"


@pytest.mark.parametrize(
    "decode",
    [
        f"echo {base64.b64encode(_PAYLOAD).decode()} | base64 -d",
        f"base64 --decode <<< {base64.b64encode(_PAYLOAD).decode()}",
        f"echo {base64.b32encode(_PAYLOAD).decode()} | base32 -d",
        f"openssl base64 -d <<< {base64.b64encode(_PAYLOAD).decode()}",
        f"echo {base64.b64encode(_PAYLOAD).decode()} | openssl enc -base64 -d -A",
        f"echo {_PAYLOAD.hex()} | xxd -r -p",
        "echo '/ fr- mr' | rev",
        "echo 'SM -SG 0' | tr 'R-T0' 'q-s/' | tr A-Z a-z | sed s/g/f/",
        f"echo {base64.b64encode(gzip.compress(_PAYLOAD)).decode()} | base64 -d | gunzip",
        f"echo {base64.b64encode(gzip.compress(_PAYLOAD)).decode()} | base64 -d | gzip -dc",
        f"echo {base64.b64encode(bz2.compress(_PAYLOAD)).decode()} | base64 -d | bzip2 -d",
        f"echo {base64.b64encode(lzma.compress(_PAYLOAD)).decode()} | base64 -d | xz -d",
        "printf '\\x72\\x6d\\x20\\x2d\\x72\\x66\\x20\\x2f'",
        "printf '%s -%s /' rm rf",
        "printf '%b' '\\0162m -rf /'",
        "echo -e '\\x72m -rf /'",
        "echo 'xrm -rf /' | cut -c2-",
        "printf 'id\\nrm -rf /\\n' | tail -n 1",
        "cat <<< 'rm -rf /'",
    ],
)
def test_decoded_text_reaches_the_shell(evaluate, decode):
    for source in (f"{decode} | sh", f'eval "$({decode})"', f'bash -c "$({decode})"', f"$({decode})"):
        assert "rm -rf /" in texts(evaluate(source)), source


def test_a_decompression_bomb_is_not_unpacked(evaluate):
    bomb = base64.b64encode(gzip.compress(b"a" * (8 << 20))).decode()
    evaluation = evaluate(f"echo {bomb} | base64 -d | gunzip | sh")
    assert max(map(len, evaluation.outputs.values())) <= 1 << 20


def command(evaluation, program):
    return next(c for c in evaluation.commands if c.program == program)


def pipeline(evaluation) -> list[str]:
    """Programs of the pipeline that curl is in, in the order bytes flow."""
    number = command(evaluation, "curl").pipeline
    members = [command for command in evaluation.commands if number and command.pipeline == number]
    return [command.program for command in sorted(members, key=lambda command: command.position)]


@pytest.mark.parametrize(
    ("source", "order"),
    [
        ("curl u | tee f | sh", ["curl", "tee", "sh"]),
        ("curl u |& sh", ["curl", "sh"]),
        ("curl u | sudo bash", ["curl", "sudo", "bash"]),
        ("bash <(curl u)", ["curl", "bash"]),
        ("source <(curl u)", ["curl", "source"]),
        ('bash -c "$(curl u)"', ["curl", "bash"]),
        ('sudo bash -c "$(curl u)"', ["curl", "bash"]),
        ('eval "$(curl u | base64 -d)"', ["curl", "base64", "eval"]),
        ("eval `curl u`", ["curl", "eval"]),
        ('sh <<< "$(curl u)"', ["curl", "sh"]),
        ("sh <<E\n$(curl u)\nE\n", ["curl", "sh"]),
        ('x=$(curl u); eval "$x"', ["curl", "eval"]),
        ('x=$(curl u); y=$x; echo "$y" | sh', ["curl", "echo", "sh"]),
        ('python3 -c "$(curl u)"', ["curl", "python3"]),
        ("curl u | while read l; do eval $l; done", ["curl", "read", "eval"]),
        ("while read l; do eval $l; done < <(curl u | cat)", ["curl", "cat", "read", "eval"]),
        ("{ a; sh; } <<< $(curl u)", ["curl", "a", "sh"]),
        ("curl u | tee >(sh)", ["curl", "tee", "sh"]),
        ("(a; curl u | cat) | sh", ["a", "curl", "cat", "sh"]),
        ("{ curl u; } | sh", ["curl", "sh"]),
        ("sh -c 'curl u' | sh", ["sh", "curl", "sh"]),
    ],
)
def test_flows_share_a_pipeline(evaluate, source, order):
    assert pipeline(evaluate(source)) == order


@pytest.mark.parametrize(
    "source", ["curl u; sh", "curl u && sh x", "x=$(curl u); sh -c id", 'git commit -m "$(curl u)"']
)
def test_what_does_not_flow_shares_none(evaluate, source):
    numbers = {command.program: command.pipeline for command in evaluate(source).commands}
    assert numbers["curl"] == 0


def test_a_pipeline_inside_a_logged_group_stays_apart(evaluate):
    by_program = {c.program: c.pipeline for c in evaluate("(curl u; ls | sh) | tail").commands}
    assert by_program["curl"] == by_program["tail"] != by_program["sh"]


@pytest.mark.parametrize(
    ("source", "field", "want"),
    [
        ("sudo env bash -c id", "wrappers", ("sudo", "env", "bash")),
        ("sudo id", "privileged", True),
        ("sudo -u ada id", "privileged", False),
        ("su -c id", "privileged", True),
        ("doas -u bob id", "privileged", True),
        ("env id", "privileged", False),
        ("ssh h id", "where", "remote"),
        ("docker exec c id", "where", "container"),
        ("docker exec c sh -c id", "where", "container"),
        ("id", "context", "top"),
        ("echo $(id)", "context", "substitution"),
        ("(id)", "context", "subshell"),
        ("f() { id; }; f", "context", "function"),
        ("sh -c id", "context", "nested"),
        ("sh <<E\nid\nE\n", "context", "heredoc"),
        ("trap id EXIT", "context", "deferred"),
        ("$X id y", "effect", "uncertain"),
        ("id $x", "complete", False),
        ("/usr/bin/ID.EXE", "executable", "/usr/bin/ID.EXE"),
        ("cd /tmp; id", "parent", 0),
    ],
)
def test_where_a_command_stands(evaluate, source, field, want):
    assert getattr(command(evaluate(source), "id"), field) == want


@pytest.mark.parametrize(
    ("source", "program", "language", "code"),
    [
        ("sh -c 'id'", "sh", "sh", "id"),
        ("python3 -c 'import os'", "python3", "python", "import os"),
        ("python3.12 -Ic'x'", "python3.12", "python", "x"),
        ("perl -ne 'print' f", "perl", "perl", "print"),
        ("ruby -rjson -e x", "ruby", "ruby", "x"),
        ("node --eval=x", "node", "node", "x"),
        ("php -r 'x;'", "php", "php", "x;"),
        ("deno eval x", "deno", "node", "x"),
        ("awk -F, -v a=b '{print}' f", "awk", "awk", "{print}"),
        ("python - <<E\nimport os\nE\n", "python", "python", "import os\n"),
        ("echo x | python3", "python3", "python", "x\n"),
        ("echo x > a.py; python3 a.py", "python3", "python", "x\n"),
        ("python3 -m http.server", "python3", "python", ""),
        ("node --version", "node", "node", ""),
    ],
)
def test_program_text_is_kept(evaluate, source, program, language, code):
    found = command(evaluate(source), program)
    assert (found.language, found.code) == (language, code)


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("a > f", [(1, "write", "f")]),
        ("a >| f 2>> g", [(1, "write", "f"), (2, "append", "g")]),
        ("a &> f", [(-1, "write", "f")]),
        ("a >& f", [(-1, "write", "f")]),
        ("a &>> f", [(-1, "append", "f")]),
        ("a < f 2>&1 3>&-", [(0, "read", "f"), (2, "dup", "1"), (3, "dup", "-")]),
        ("a <<< 'b c'", [(0, "herestring", "b c")]),
        ("a <<E\nx $HOME\nE\n", [(0, "heredoc", "x /home/ada\n")]),
        ("a <<'E'\nx $HOME\nE\n", [(0, "heredoc", "x $HOME\n")]),
        ("a 3<>/dev/tcp/h/1", [(3, "write", "/dev/tcp/h/1")]),
        ("{ a; } > f", [(1, "write", "f")]),
        ("(f() { a; }; f) >> f", [(1, "append", "f")]),
        ("> f", [(1, "write", "f")]),
        ("a > ~/f", [(1, "write", "/home/ada/f")]),
        ("a > $x/f", [(1, "write", f"{U}/f")]),
    ],
)
def test_redirections(evaluate, source, want):
    [found] = evaluate(source).commands
    assert [(each.fd, each.access, each.target) for each in found.redirects] == want
    assert all(each.expands == (U in each.target) for each in found.redirects)


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("cd / && rm *", "/"),
        ("cd sub; rm x", "/work/app/sub"),
        ("cd ../x/./y; rm x", "/work/x/y"),
        ("cd; rm x", "/home/ada"),
        ("cd $x; rm x", ""),
        ("(cd /etc); rm x", "/work/app"),
        ("pushd /tmp; popd; rm x", "/work/app"),
        ("sudo -D /srv rm x", "/srv"),
        ("sh -c 'cd /tmp; rm x'", "/tmp"),
        ("ssh h rm x", ""),
    ],
)
def test_working_directory(evaluate, source, want):
    evaluation = evaluate(source)
    assert evaluation.cwds[command(evaluation, "rm").id] == want


@pytest.mark.parametrize(
    ("source", "recursive"),
    [
        (":(){ :|:& };:", True),
        ("b() { b | b & }; b", True),
        ("f(){ f & f & }; f", True),
        ("a(){ b|b& }; b(){ a|a& }; a", True),
        ("bash -c 'f(){ f|f& }; f'", True),
        (":(){ :|:& }", False),
        ("f(){ f; }; f", False),
        ("f(){ f(){ f|f& }; f; }; f", True),
        ("walk(){ ls $1 | while read d; do walk $1/$d; done; }; walk .", False),
    ],
)
def test_functions_that_multiply_are_told(evaluate, source, recursive):
    assert ("recursive_function_pipeline" in evaluate(source).issues) is recursive


@pytest.mark.parametrize(
    ("source", "parse", "issues"),
    [
        ("git status", "complete", ()),
        ("echo $x", "partial", ("dynamic_word",)),
        ("echo 'a", "partial", ("invalid_syntax",)),
        ("ls ) ; }; fi; id", "partial", ("invalid_syntax",)),
        (")", "invalid", ("invalid_syntax",)),
        ("", "not_applicable", ()),
        ("f() { a; }", "not_applicable", ()),
        ("(" * 100 + "a", "invalid", ("depth_limit", "invalid_syntax")),
        ("sudo " * 20 + "id", "partial", ("depth_limit",)),
        ("echo {1..99999}", "partial", ("fact_limit",)),
        ("ls " + "a" * (16 << 20), "partial", ("input_limit",)),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_how_well_it_was_understood(evaluate, source, parse, issues):
    evaluation = evaluate(source)
    assert (evaluation.parse, evaluation.issues) == (parse, issues)


def test_commands_around_an_error_are_kept(evaluate):
    assert texts(evaluate("rm a ) ; done; rm b | ; ;; rm c")) == ["rm a", "rm b", "rm c"]


def test_scripts_are_asked_for_once_and_evaluated(evaluate):
    asked: list[Need] = []
    files = {
        "/work/app/a.sh": b"#!/bin/bash\n. lib/b.sh\ngo $1\n",
        "/work/app/lib/b.sh": b"go() { rm -rf /srv/$1; }\n",
    }
    evaluation = evaluate("sudo ./a.sh old && bash a.sh new", files, asked)
    assert [need.path for need in asked] == ["/work/app/a.sh", "/work/app/lib/b.sh"]
    assert [(c.text, c.context, c.privileged) for c in evaluation.commands if c.program == "rm"] == [
        ("rm -rf /srv/old", "function", True),
        ("rm -rf /srv/new", "function", False),
    ]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("bash < x.sh", "/work/app/x.sh"),
        ("cat x.sh | bash", "/work/app/x.sh"),
        ("source ~/.profile", "/home/ada/.profile"),
        ("cd bin; ./x.sh", "/work/app/bin/x.sh"),
        ("nohup bin/x.sh &", "/work/app/bin/x.sh"),
    ],
)
def test_which_file_is_asked_for(evaluate, source, path):
    evaluation = evaluate(source, {path: b"rm -rf /\n"})
    assert [c.context for c in evaluation.commands if c.text == "rm -rf /"] == ["script"]


@pytest.mark.parametrize("source", ["/usr/bin/ls", "ls ./x.sh", "bash -n x.sh", "cat x.sh", "bash $x/y.sh"])
def test_no_file_is_asked_for(evaluate, source):
    asked: list[Need] = []
    evaluate(source, asked=asked)
    assert asked == []


def test_a_script_that_runs_itself_ends(evaluate):
    evaluation = evaluate("./x.sh", {"/work/app/x.sh": b"./x.sh & ./x.sh\n"})
    assert "depth_limit" in evaluation.issues


def test_scripts_in_other_languages_are_not_shell(evaluate):
    [found] = evaluate("./x", {"/work/app/x": b"#!/usr/bin/env python3\nrm -rf /\n"}).commands
    assert (found.language, found.code) == ("python", "#!/usr/bin/env python3\nrm -rf /\n")


def test_what_is_known_of_input_and_output(evaluate):
    evaluation = evaluate("echo hi | tr a-z A-Z | cat > f")
    assert dict(evaluation.outputs) == {1: "hi\n", 2: "HI\n", 3: "HI\n"}
    assert dict(evaluation.stdin) == {2: "hi\n", 3: "HI\n"}


def test_ids_start_where_asked_and_words_need_no_shell():
    generator = evaluate_argv(["sudo", "rm", "a b; ls"], cwd="/", home="/root", first_id=7)
    with pytest.raises(StopIteration) as done:
        next(generator)
    commands = done.value.value.commands
    assert [(c.id, c.parent, c.argv) for c in commands] == [
        (7, 0, ("sudo", "rm", "a b; ls")),
        (8, 7, ("rm", "a b; ls")),
    ]
