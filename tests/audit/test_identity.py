from __future__ import annotations

import hmac
import os
import stat
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from defenseclaw.audit.identity import (
    Identity,
    load_identity,
    new_evaluation_id,
    random_id,
    read_identity,
    time_ordered_id,
)
from defenseclaw.errors import StoreUnavailable


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    first = load_identity(tmp_path)
    assert load_identity(tmp_path) == first == read_identity(tmp_path)
    assert len((tmp_path / "device.key").read_bytes()) == 32
    assert stat.S_IMODE((tmp_path / "device.key").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["device.key"]


def test_two_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        identities = set(pool.map(lambda _: load_identity(tmp_path).secret, range(32)))
    assert len(identities) == 1


def test_purposes_have_keys_of_their_own() -> None:
    identity = Identity(bytes(32))
    keys = {identity.derive("redaction"), identity.derive("chain"), identity.derive("jsonl")}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)
    assert Identity(bytes(31) + b"\x01").derive("chain") != identity.derive("chain")


def test_derivation_is_hkdf_of_rfc_5869() -> None:
    """PRK = HMAC(salt, key); T(1) = HMAC(PRK, info || 0x01)."""
    identity = Identity(bytes(range(32)))
    extracted = hmac.new(b"defenseclaw.installation.v1", identity.secret, "sha256").digest()
    assert identity.derive("chain") == hmac.new(extracted, b"chain\x01", "sha256").digest()


def test_the_secret_does_not_show() -> None:
    identity = Identity(b"\x41" * 32)
    assert "AAAA" not in repr(identity)
    assert identity.secret.hex() not in identity.installation_id


def test_a_directory_without_a_key_has_no_identity(tmp_path: Path) -> None:
    assert read_identity(tmp_path) is None
    assert not (tmp_path / "device.key").exists()


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33], ids=["empty", "short", "long"])
def test_a_damaged_key_is_refused_rather_than_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "device.key").write_bytes(content)
    with pytest.raises(StoreUnavailable, match="damaged"):
        load_identity(tmp_path)
    assert (tmp_path / "device.key").read_bytes() == content


def test_a_link_in_place_of_the_key_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    (tmp_path / "device.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        load_identity(tmp_path)


def test_a_pipe_in_place_of_the_key_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "device.key")
    with pytest.raises(StoreUnavailable, match="regular file"):
        load_identity(tmp_path)


def test_a_key_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    load_identity(tmp_path)
    (tmp_path / "device.key").chmod(0o644)
    load_identity(tmp_path)
    assert stat.S_IMODE((tmp_path / "device.key").stat().st_mode) == 0o600


def test_ids_are_version_7_uuids_that_grow() -> None:
    ids = [uuid.UUID(time_ordered_id()) for _ in range(50)]
    assert all(each.version == 7 and each.variant == uuid.RFC_4122 for each in ids)
    assert len(set(ids)) == 50
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)


def test_evaluations_are_told_apart_by_eight_digits_that_grow() -> None:
    ids = [new_evaluation_id() for _ in range(1000)]
    assert {(each.version, each.variant) for each in map(uuid.UUID, ids)} == {(8, uuid.RFC_4122)}
    firsts = [int(each[:8], 16) for each in ids]
    grown = [(later - earlier) % 2**32 for earlier, later in pairwise(firsts)]
    assert all(0 < step < 60_000 for step in grown)  # also where the count begins anew


def test_random_ids_are_version_4_uuids() -> None:
    ids = [uuid.UUID(random_id()) for _ in range(1000)]
    assert {(each.version, each.variant) for each in ids} == {(4, uuid.RFC_4122)}


def test_no_id_is_given_twice_to_any_thread() -> None:
    with ThreadPoolExecutor(8) as pool:
        drawn = pool.map(lambda _: [random_id() for _ in range(500)], range(16))
        ids = [each for some in drawn for each in some]
    assert len(set(ids)) == len(ids)


def test_a_forked_process_has_ids_of_its_own() -> None:
    random_id()  # some digits are drawn already
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, random_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 64).decode()
    os.close(reading)
    os.close(writing)
    assert theirs not in {random_id() for _ in range(512)}
