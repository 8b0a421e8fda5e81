"""Plans are applied whole or not at all, and taken back to the byte."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from defenseclaw.connectors import disk, files
from defenseclaw.connectors.base import Change, Connector, Plan
from defenseclaw.errors import ForeignContent, SetupError

OURS = b"[ours]\n"


class Fake(Connector):
    """Adds a line to a file of somebody else's and keeps two files of its own."""

    name = "fake"
    title = "Fake"
    description = "for tests"
    hook_path = "/x"
    client = "x"
    fails = False

    def __init__(self, path):
        self.path = path

    def kind_of(self, event_name): ...
    def decode(self, call): ...
    def encode(self, event, verdict): ...
    def detect(self, host): ...
    def check(self, host, options): ...
    def protected_paths(self, host): ...

    def plan_setup(self, host, options=None):
        now = disk.look(self.path)
        old = now.content or b""
        return Plan(
            changes=(
                Change(path=host.data_dir / "hooks" / "own.sh", content=b"script", mode=0o700),
                Change(path=host.home / "lib" / "x.pth", content=b"line\n", logical="pth"),
                Change(
                    path=self.path,
                    content=old if OURS in old else old + OURS,
                    logical="config",
                    seen_sha256=now.digest,
                ),
            )
        )

    def plan_teardown(self, host):
        found = files.recorded_path(host, self.name, "config") or self.path
        now = disk.look(found).content
        changes = []
        if now is not None:
            changes.append(Change(path=found, content=now.replace(OURS, b""), logical="config"))
        changes.append(Change(path=host.home / "lib" / "x.pth", content=None, logical="pth"))
        changes.append(Change(path=host.data_dir / "hooks" / "own.sh", content=None))
        return Plan(changes=tuple(changes))

    def verify(self, host):
        if self.fails:
            raise SetupError("it does not load")


@pytest.fixture
def fake(host):
    return Fake(host.home / "config")


def setup(host, fake):
    return files.apply(host, fake, fake.plan_setup(host))


def without_lock(found):
    return {name: value for name, value in found.items() if not name.endswith(".setup.lock")}


# ---- there and back -------------------------------------------------------------------------------


def test_setup_and_teardown_leave_every_byte_and_mode(host, fake, tree):
    fake.path.write_bytes(b"theirs\r\n\xff")
    fake.path.chmod(0o644)
    host.data_dir.mkdir(mode=0o700)
    before = tree(host.home)
    assert len(setup(host, fake)) == 3
    assert fake.path.read_bytes() == b"theirs\r\n\xff" + OURS
    files.restore(host, fake)
    assert without_lock(tree(host.home)) == before


def test_a_file_that_was_not_there_is_gone_with_its_directories(host, fake):
    fake.path = host.home / "deep" / "er" / "config"
    setup(host, fake)
    assert fake.path.read_bytes() == OURS
    assert fake.path.stat().st_mode & 0o777 == 0o600
    files.restore(host, fake)
    assert not (host.home / "deep").exists()
    assert not (host.home / "lib").exists()


def test_a_second_setup_writes_nothing(host, fake, tree):
    setup(host, fake)
    times = {path: path.stat().st_mtime_ns for path in host.home.rglob("*") if path.is_file()}
    assert setup(host, fake) == ()
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_second_teardown_does_nothing(host, fake):
    fake.path.write_bytes(b"theirs\n")
    setup(host, fake)
    assert len(files.restore(host, fake).changes) == 3
    assert files.restore(host, fake).changes == ()
    assert fake.path.read_bytes() == b"theirs\n"


def test_the_mode_of_somebody_elses_file_is_kept(host, fake):
    fake.path.write_bytes(b"x\n")
    fake.path.chmod(0o640)
    setup(host, fake)
    assert fake.path.stat().st_mode & 0o777 == 0o640
    files.restore(host, fake)
    assert fake.path.stat().st_mode & 0o777 == 0o640


def test_a_file_of_ours_gets_its_mode_back(host, fake):
    setup(host, fake)
    own = host.data_dir / "hooks" / "own.sh"
    own.chmod(0o777)
    setup(host, fake)
    assert own.stat().st_mode & 0o777 == 0o700


def test_the_directory_of_hooks_is_ours_alone(host, fake):
    (host.data_dir / "hooks").mkdir(parents=True)
    (host.data_dir / "hooks").chmod(0o777)
    setup(host, fake)
    assert (host.data_dir / "hooks").stat().st_mode & 0o777 == 0o700


def test_a_link_is_followed_and_kept(host, fake):
    (host.home / "dotfiles").mkdir()
    real = host.home / "dotfiles" / "config"
    real.write_bytes(b"theirs\n")
    fake.path.symlink_to("dotfiles/config")
    setup(host, fake)
    assert fake.path.is_symlink()
    assert real.read_bytes() == b"theirs\n" + OURS
    files.restore(host, fake)
    assert fake.path.is_symlink()
    assert real.read_bytes() == b"theirs\n"


def test_a_link_in_place_of_a_file_of_ours_is_refused(host, fake):
    (host.data_dir / "hooks").mkdir(parents=True)
    target = host.home / ".bashrc"
    target.write_bytes(b"mine")
    (host.data_dir / "hooks" / "own.sh").symlink_to(target)
    with pytest.raises(ForeignContent, match="symbolic link"):
        setup(host, fake)
    assert target.read_bytes() == b"mine"


def test_links_in_a_circle_are_refused(host, fake):
    fake.path.symlink_to(host.home / "other")
    (host.home / "other").symlink_to(fake.path)
    with pytest.raises(SetupError, match="symbolic links"):
        setup(host, fake)


def test_a_directory_in_the_way_is_refused(host, fake):
    fake.path.mkdir()
    with pytest.raises(SetupError, match="regular file"):
        setup(host, fake)


# ---- edits by others ------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(original=st.binary(max_size=40), head=st.binary(max_size=20), tail=st.binary(max_size=20))
def test_edits_between_setup_and_teardown_survive(host, original, head, tail):
    fake = Fake(host.home / "config")
    original = original.replace(OURS, b"")
    fake.path.write_bytes(original)
    setup(host, fake)
    installed = fake.path.read_bytes()
    fake.path.write_bytes(head + installed + tail)
    files.restore(host, fake)
    assert fake.path.read_bytes() == (head + installed + tail).replace(OURS, b"")
    if not head and not tail:
        assert fake.path.read_bytes() == original


def test_edits_between_two_setups_survive(host, fake):
    fake.path.write_bytes(b"one\n")
    setup(host, fake)
    fake.path.write_bytes(b"one\ntwo\n")  # an agent's upgrade rewrote the file and dropped our line
    setup(host, fake)
    assert fake.path.read_bytes() == b"one\ntwo\n" + OURS
    files.restore(host, fake)
    assert fake.path.read_bytes() == b"one\ntwo\n"


def test_a_chmod_in_between_is_the_operators(host, fake):
    fake.path.write_bytes(b"x")
    fake.path.chmod(0o644)
    setup(host, fake)
    fake.path.chmod(0o600)
    files.restore(host, fake)
    assert fake.path.stat().st_mode & 0o777 == 0o600


def test_a_file_deleted_in_between_stays_deleted(host, fake):
    fake.path.write_bytes(b"theirs")
    setup(host, fake)
    fake.path.unlink()
    files.restore(host, fake)
    assert not fake.path.exists()


def test_a_lost_record_does_not_make_our_entries_the_original(host, fake):
    fake.path.write_bytes(b"theirs\n")
    setup(host, fake)
    record = host.data_dir / "connector_backups" / "fake" / "config.json"
    record.unlink()
    fake.path.write_bytes(b"theirs\n" + OURS + OURS)
    files.apply(
        host, fake, Plan(changes=(Change(path=fake.path, content=b"theirs\n" + OURS, logical="config"),))
    )
    files.restore(host, fake)
    assert fake.path.read_bytes() == b"theirs\n"


def test_a_plan_made_from_other_content_is_refused(host, fake):
    fake.path.write_bytes(b"theirs\n")
    plan = fake.plan_setup(host)
    fake.path.write_bytes(b"changed\n")
    with pytest.raises(SetupError, match="changed in the meantime"):
        files.apply(host, fake, plan)
    assert fake.path.read_bytes() == b"changed\n"
    assert not (host.data_dir / "hooks").exists()


def test_a_target_that_moved_is_cleaned_at_its_old_place(host, fake):
    fake.path.write_bytes(b"old\n")
    setup(host, fake)
    moved = Fake(host.home / "elsewhere")
    moved.path.write_bytes(b"new\n")
    setup(host, moved)
    assert (fake.path.read_bytes(), moved.path.read_bytes()) == (b"old\n", b"new\n" + OURS)
    assert (host.home / "lib" / "x.pth").exists()
    files.restore(host, moved)
    assert (fake.path.read_bytes(), moved.path.read_bytes()) == (b"old\n", b"new\n")


# ---- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", range(1, 6))
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device", "x"), KeyboardInterrupt()])
def test_a_failure_at_any_write_leaves_everything_as_it_was(host, fake, tree, monkeypatch, step, fault):
    fake.path.write_bytes(b"theirs\n")
    host.data_dir.mkdir(mode=0o700)
    before = tree(host.home)
    calls = 0
    real = disk.write

    def failing(path, content, mode):
        nonlocal calls
        calls += 1
        if calls == step:
            raise fault
        real(path, content, mode)

    monkeypatch.setattr(disk, "write", failing)
    with pytest.raises((SetupError, KeyboardInterrupt)):
        setup(host, fake)
    assert without_lock(tree(host.home)) == before


@pytest.mark.parametrize("step", range(1, 5))
def test_a_failure_at_any_deletion_leaves_the_setup_as_it_was(host, fake, tree, monkeypatch, step):
    fake.path = host.home / "new" / "config"
    setup(host, fake)
    before = tree(host.home)
    calls = 0
    real = disk.remove

    def failing(path):
        nonlocal calls
        calls += 1
        if calls == step:
            raise OSError(5, "Input/output error", str(path))
        real(path)

    monkeypatch.setattr(disk, "remove", failing)
    with pytest.raises(SetupError, match="Input/output error"):
        files.restore(host, fake)
    assert tree(host.home) == before


def test_a_setup_that_does_not_verify_is_rolled_back(host, fake, tree):
    fake.path.write_bytes(b"theirs\n")
    host.data_dir.mkdir(mode=0o700)
    before = tree(host.home)
    fake.fails = True
    with pytest.raises(SetupError, match="does not load"):
        setup(host, fake)
    assert without_lock(tree(host.home)) == before


def test_a_write_is_whole_or_not_there(host, monkeypatch):
    path = host.home / "file"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        disk.write(path, b"new" * 1000, 0o600)
    assert path.read_bytes() == b"old"
    assert list(host.home.iterdir()) == [path]


# ---- records --------------------------------------------------------------------------------------


def test_the_record_of_a_backup(host, fake):
    fake.path.write_bytes(b"theirs\n")
    fake.path.chmod(0o640)
    setup(host, fake)
    path = host.data_dir / "connector_backups" / "fake" / "config.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    row = json.loads(path.read_text())
    assert (row["version"], row["connector"], row["logical_name"]) == (1, "fake", "config")
    assert (row["path"], row["existed"], row["mode"]) == (str(fake.path), True, 0o640)
    assert row["post_sha256"] == disk.digest(b"theirs\n" + OURS)


def damage(row, **fields):
    return json.dumps(row | fields).encode()


@pytest.mark.parametrize(
    "damaged",
    [
        lambda row: b"not json",
        lambda row: b"{}",
        lambda row: damage(row, connector="other"),
        lambda row: damage(row, logical_name="other"),
        lambda row: damage(row, path="relative"),
        lambda row: damage(row, pristine_bytes="AAAA"),
        lambda row: damage(row, version=2),
    ],
    ids=["not-json", "empty", "connector", "name", "path", "bytes", "version"],
)
def test_a_damaged_record_is_never_used(host, fake, damaged):
    fake.path.write_bytes(b"theirs\n")
    setup(host, fake)
    path = host.data_dir / "connector_backups" / "fake" / "config.json"
    path.write_bytes(damaged(json.loads(path.read_text())))
    with pytest.raises(SetupError, match="backup record"):
        files.restore(host, fake)
    assert fake.path.read_bytes() == b"theirs\n" + OURS


def test_a_change_does_not_print_what_it_writes():
    assert "hush" not in repr(Change(path=replace(Change(path=None, content=b"")).path, content=b"hush"))
