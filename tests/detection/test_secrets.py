from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.examples import expand

from defenseclaw.detection.secrets import (
    MAX_PEM_CHARS,
    VALIDATORS,
    compact,
    entropy,
    is_phrase,
    is_placeholder,
    is_private_key,
    is_random,
    is_template,
    is_throwaway,
    is_wordlike,
    without_prefix,
)


def accepts(validator: str, value: str, before: str = "", after: str = "") -> bool:
    whole = before + value + after
    return VALIDATORS[validator](value, whole, len(before), len(before) + len(value))


# Placeholders


@pytest.mark.parametrize(
    "value",
    [
        # public samples
        "IOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        # words
        "your-api-key", "CHANGE_ME", "replace_me_please", "dummy", "fake_token_1", "not_a_real_key",
        "TOKEN_HERE", "xxxxxxxxxxxx", "ExampleExample",
        # runs
        "abcdefghijklmnop", "ABCDEFGHIJ0123456789"[:10], "0123456789", "1234567890123", "xyz01234567",
        "zyxwvuts",
        # repeated units
        "aaaaaaaaaaaa", "abc1abc1abc1", "abcd1234abcd1234abcd1234ab", "00000000000000000000",
        # nothing
        "", "--__--",
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF", "000102030405060708090a0b0c0d0e0f10111213",
        "0123456789abcdef0123456789abcdef", "django-insecure-9xv7p1m0k3u2r8we5t6y4qzlcnbhdfgj",
    ],
)  # fmt: skip
def test_placeholders(value: str):
    assert is_placeholder(value)


@pytest.mark.parametrize("kind", ["alnum:36", "hex:32", "url:40", "base64chars:40", "upper:16", "lower:24"])
def test_random_values_are_no_placeholders(kind: str):
    for seed in range(200):
        value = expand("{{" + kind + "}}", seed=seed)
        assert not is_placeholder(value), value


def test_letters_crossed_out_are_a_placeholder_unless_chance_put_them_there():
    assert is_placeholder("sk-proj-xxxxQ7vT")
    assert is_placeholder("AKIA" + "X" * 16)
    token = expand("{{alnum:160}}", seed=3)
    for run in ("XxxX", "xXXx", "xxxx"):
        assert not is_placeholder(token[:80] + run + token[80:])
    assert is_placeholder(token[:80] + "x" * 6 + token[80:])


def test_a_unit_repeated_twice_is_not_enough():
    assert not is_placeholder("q7Zk" * 2)
    assert is_placeholder("q7Zk" * 3)


@pytest.mark.parametrize(
    "value", ["${PASSWORD}", "$PASS", "$(cat x)", "{{ key }}", "<token>", "%s", "%PASS%", "****"]
)
def test_references_are_templates(value: str):
    assert is_template(value)


@pytest.mark.parametrize("value", ["P@ss$word", "a{b}c", "100%", "hunter2"])
def test_passwords_with_odd_characters_are_no_templates(value: str):
    assert not is_template(value)


@pytest.mark.parametrize(
    "value", ["expiration_date_in_days", "SERVICE_ACCOUNT_NAME", "configuration", "phase2_name_of"]
)
def test_names_are_wordlike(value: str):
    assert is_wordlike(value)


def test_random_values_are_not_wordlike():
    wordlike = [seed for seed in range(500) if is_wordlike(expand("{{alnum:24}}", seed=seed))]

    assert wordlike == []


def test_entropy_counts_bits_per_character():
    assert entropy("") == 0.0
    assert entropy("aaaa") == 0.0
    assert entropy("abcd") == pytest.approx(2.0)
    assert entropy("aabb") == pytest.approx(1.0)


def test_compact_keeps_letters_and_digits():
    assert compact("Ab-1_ c/é") == "ab1c"


@pytest.mark.parametrize(
    ("token", "rest"),
    [
        ("sk-ant-api03-abc", "abc"),
        ("ghp_abc", "abc"),
        ("glpat-abc", "abc"),
        ("AKIAQQ", "QQ"),
        ("plain", "plain"),
    ],
)
def test_without_prefix(token: str, rest: str):
    assert without_prefix(token) == rest


@given(st.text(max_size=60))
def test_every_validator_answers_for_any_text(value: str):
    for name in VALIDATORS:
        assert accepts(name, value, "x=", ";") in (True, False)


def test_random_needs_entropy():
    assert is_random("7Ghq2LmXw9Zt")
    assert not is_random("aaaaaaaabb7")


# Formats


def jwt(header: str, payload: str) -> str:
    return ".".join(
        base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload)
    )


@pytest.mark.parametrize(
    ("token", "want"),
    [
        (jwt('{"alg":"RS256"}', '{"sub":"1"}') + ".c2ln", True),
        (jwt('{"alg":"none"}', "{}") + ".", True),
        (jwt('{"typ":"JWT"}', "{}") + ".c2ln", False),
        (jwt('{"alg":"RS256"}', "[1]") + ".c2ln", False),
        (jwt("not json", "{}") + ".c2ln", False),
        (jwt("[" * 20000, "{}") + ".c2ln", False),
    ],
    ids=["signed", "unsigned", "no algorithm", "payload is no object", "header is no JSON", "deep"],
)
def test_a_token_is_decoded_before_it_is_believed(token: str, want: bool):
    assert accepts("jwt", token) is want


@pytest.mark.parametrize(
    ("password", "before", "after", "want"),
    [
        ("changeme", "postgres://app:", "@db.internal/app", True),
        ("password", "postgres://app:", "@db.internal/app", True),
        # it opens nothing but a container on this machine
        ("password", "postgres://app:", "@localhost/app", False),
        ("postgres", "postgres://postgres:", "@127.0.0.1:5432/app", False),
        ("app", "postgres://app:", "@db:5432/app", False),
        ("k9fj2LqTz", "postgres://app:", "@localhost/app", True),
        # the slots of a manual
        ("password", "postgres://user:", "@db.acme.io/app", False),
        ("secret1", "postgres://app:", "@db.example.com/app", False),
        ("$PGPASSWORD", "postgres://app:", "@localhost/app", False),
        ("{password}", "postgres://app:", "@localhost/app", False),
        ("secret1", "postgres://app:", "@host:5432/app", False),
        ("tiger", "postgres://scott:", "@localhost/test", False),
        ("tiger", "postgres://anna:", "@localhost/test", True),
    ],
)
def test_a_weak_password_of_another_host_is_real(password: str, before: str, after: str, want: bool):
    assert accepts("connection-password", password, before, after) is want


@pytest.mark.parametrize(
    ("before", "value", "want"),
    [
        ('password = "', "Tr0ub4dor!x", True),
        ('password = "', "changeme", False),
        ('password = "', "TestPass123!", False),
        ('password = "', "P@ssw0rd!", False),
        ('password = "', "cGFzc3dvcmQxMjM=", False),
        ('password = "', "Tz7!kestrel-4", True),
        ('"token": "', "accessTokenExpiresIn2Days", False),
        ('"token": "', "abcd1234abcd1234abcd12", False),
        ("token=", "k3Jq8ZrT5vXw2LmN&state=1", True),
        ('api_key = "', "sk-1234567890abcdef9x", False),
        ("password_hash = '", "9f8Qw7!kkLm2", False),
        ('"token": "', "k3Jq8ZrT5vXw2LmN", True),
        ('"token": "', "short1A", False),
        ('"secret_id": "', "k3Jq8ZrT5vXw2LmN", False),
        ("token = ", "tokens[0].strip(x1)", False),
        ("token = ", "newSession(user,scope)9x", False),
        ("privateKey: ", "testEd25519PrivateKey", False),
        ('next_page_token: "', "k3Jq8ZrT5vXw2LmN", False),
        ('csrfToken = "', "k3Jq8ZrT5vXw2LmN", False),
        ("token: ", "0x32b8ec79bc33c48b2a4aeb4efcb16816aece5571", False),
        ('"token": "', "qGkzTfXbWvNcRmJyHdLs", True),
        ("api_key = ", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", True),
        ("session_token = ", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", False),
        ("secret: ", "prod-eu-west-1-signing", False),
        ('secret: "', "https://vault.acme.io/v1/x9Kq2", False),
    ],
)
def test_what_counts_as_a_literal_secret(before: str, value: str, want: bool):
    assert accepts("assigned-literal", value, before, before[-1]) is want


@pytest.mark.parametrize(
    ("before", "want"),
    [
        ('put("acme.token", "', True),
        ("acme_token: Optional[str] = '", True),
        ('token = env.get("x") or "', False),
        ('get("ACME_TOKEN") ?? "', True),
        ("<acmeToken>\n    ", True),
        ('{"name": "ACME_SECRET", "value": "', True),
        ("tool --token ", True),
        ("ENV ACME_TOKEN ", True),
        ("the token ", False),
        ("the token is ", True),
        ("| Token | ", True),
        ("APP_KEY=base64:", True),
        ("cache_key=", False),
        # another rule's
        ('token = "', False),
        # which list goes on where, what kind of token
        ('put("nextPageToken", "', False),
        ('put("token_type", "', False),
        ("https://", True),
    ],
)
def test_a_value_stands_beside_its_name(before: str, want: bool):
    assert accepts("named-secret", expand("4k{{alnum:30}}"), before, "\n") is want


@pytest.mark.parametrize(
    "value",
    ["integrationTestTokenNumber2", "the_token_of_the_test_suite_2024",
     "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "AAAAC3NzaC1lZDI1NTE5kXq7RmT2vLw9ZbYc4NfH8sGd"],
)  # fmt: skip
def test_what_stands_beside_a_name_may_be_no_secret(value: str):
    assert not accepts("named-secret", value, 'put("acme.token", "', '"')


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        ("key: ", "", True),
        ("https://api.acme.io/keys/", "/use", True),
        ("6wqX6fNUXArYqRvfQ+", "GqQ/RiRyqAFRQshGPW", False),
        ("favicon.", ".png", False),
        ("request-", "", False),
    ],
)
def test_a_vendor_token_stands_for_itself(before: str, after: str, want: bool):
    assert accepts("vendor-token", expand("fc{{alnum:40}}"), before, after) is want


def test_the_token_of_every_manual_is_none_in_a_header_either():
    assert not accepts("header-token", jwt('{"alg":"HS256"}', '{"name":"John Doe"}'), "Bearer ")


def test_an_account_of_a_container_registry_is_decoded():
    pair = base64.b64encode(b"ci:k9!fj2Lq").decode()

    assert accepts("header-token", pair, '{"auth": "', '"}')
    assert not accepts("header-token", "requiredForAllRoutes", '{"auth": "', '"}')


def test_basic_credentials_are_decoded():
    pair = base64.b64encode(b"admin:k9!fj2").decode()
    words = base64.b64encode(b"no colon in it").decode()

    assert accepts("header-token", pair, "Authorization: Basic ")
    assert not accepts("header-token", words, "Authorization: Basic ")


@pytest.mark.parametrize(
    ("token", "want"),
    [("xoxb-{{digits:12}}-{{digits:12}}-{{alnum:24}}", True), ("xoxb-1234-1234-{{alnum:24}}", False),
     ("xoxb-my-bot-token-for-tests", False)],
)  # fmt: skip
def test_slack_tokens_name_a_workspace(token: str, want: bool):
    assert accepts("slack-token", expand(token)) is want


# Private keys


@pytest.mark.parametrize("kind", ["RSA", "EC", "PKCS8", "OPENSSH"])
def test_complete_keys_are_keys_however_their_lines_are_written(kind: str):
    pem = expand("{{pem:" + kind + "}}")
    lines = pem.splitlines()

    assert is_private_key(pem)
    assert is_private_key("\r\n".join(lines))
    assert is_private_key("\\n".join(lines))
    assert is_private_key("\\\\n".join(lines))
    assert is_private_key("\n    ".join(lines))
    assert is_private_key('\\n" +\n  "'.join(lines))
    assert is_private_key("'.\n'".join(lines))


@pytest.mark.parametrize("margin", ["{:6}\t", "{:>5}→", "keys/id_x.pem:{}:", "{} | ", "+"])
@pytest.mark.parametrize("kind", ["RSA", "EC", "OPENSSH"])
def test_a_key_is_a_key_behind_the_margin_of_a_tool(kind: str, margin: str):
    lines = expand("{{pem:" + kind + "}}").splitlines()
    shown = "\n".join(margin.format(number) + line for number, line in enumerate(lines, 1))

    assert is_private_key(shown[shown.index("-----BEGIN") :])


def test_a_key_under_legacy_encryption_is_a_key():
    body = expand("{{base64chars:64}}\n{{base64chars:64}}")
    label = expand("RSA PRIVATE{{}} KEY")
    headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n"

    assert is_private_key(f"-----BEGIN {label}-----\n{headers}\n{body}\n-----END {label}-----")


def test_an_openpgp_secret_key_is_a_key():
    packet = bytes([0x95, 0x01, 0x00, 0x04]) + bytes(range(100))
    label = expand("PGP PRIVATE{{}} KEY BLOCK")
    body = base64.b64encode(packet).decode()

    assert is_private_key(f"-----BEGIN {label}-----\nVersion: 1\n\n{body}\n=AbCd\n-----END {label}-----")
    assert not is_private_key(f"-----BEGIN {label}-----\n\n{body[8:]}\n=AbCd\n-----END {label}-----")


def break_body(pem: str) -> str:
    first, *body, last = pem.splitlines()
    return "\n".join([first, *body[:-1], last])


@pytest.mark.parametrize("kind", ["RSA", "PKCS8", "OPENSSH"])
def test_a_key_with_a_line_missing_is_no_key(kind: str):
    assert not is_private_key(break_body(expand("{{pem:" + kind + "}}")))


@pytest.mark.parametrize("change", ["footer", "label", "body", "size"])
def test_what_is_no_complete_key(change: str):
    pem = expand("{{pem:RSA}}")
    broken = {
        "footer": pem.replace("END RSA", "END EC"),
        "label": pem.replace("RSA", "FUNNY"),
        "body": pem.replace("\nMI", "\n..", 1),
        "size": pem.replace("\n", "\n" * MAX_PEM_CHARS, 1),
    }[change]

    assert broken != pem
    assert not is_private_key(broken)


# Samples and phrases


@pytest.mark.parametrize(
    "value",
    ["Test1234!", "password123", "P@ssw0rd!", "my-secret-key", "admin123", "s3cr3t", "a%20secret", "rootroot",
     "dev-secret-key-change-in-production", "mySuperSecretPassword123", "cGFzc3dvcmQ="],
)  # fmt: skip
def test_what_people_type_where_any_password_will_do(value: str):
    assert is_throwaway(value)


@pytest.mark.parametrize("value", ["Tr0ub4dor!x", "k9!fj2Lq", "Summer2024!", "password8472910384"])
def test_what_somebody_chose_is_no_throwaway(value: str):
    assert not is_throwaway(value)


@pytest.mark.parametrize(
    "value", ["accessTokenExpiresIn2Days", "correct-horse-battery", "RESET_PASSWORD_FORM"]
)
def test_identifiers_are_phrases(value: str):
    assert is_phrase(value)


@pytest.mark.parametrize("kind", ["alnum:24", "hex:32", "base64chars:32", "url:32"])
def test_random_values_are_neither(kind: str):
    values = [expand("{{" + kind + "}}", seed=seed) for seed in range(500)]

    assert sum(is_phrase(value) or is_throwaway(value) for value in values) <= 2


@pytest.mark.parametrize(
    ("validator", "token", "want"),
    [
        ("token", "sk-ant-admin01-{{url:93}}AA", True),
        ("token", "sk-ant-admin01-{{url:93}}BB", False),
        ("token", "pypi-AgEIcHlwaS5vcmc{{url:140}}", True),
        ("token", "pypi-AgEIcHlwaS5vcmc{{url:60}}", False),
        ("token", "glpat-{{alnum:20}}", True),
        ("token", "glpat-{{alnum:60}}", False),
        ("aws-secret", "{{base64chars:40}}", True),
        ("aws-secret", "{{base64chars:52}}", False),
        ("aws-secret", "{{hex:48}}", True),
        ("assigned-random", "{{alnum:32}}", True),
        ("assigned-random", "{{alnum:10}}", False),
    ],
)
def test_a_token_has_the_form_of_its_vendor(validator: str, token: str, want: bool):
    assert accepts(validator, expand(token), "api_secret_key=") is want


@pytest.mark.parametrize(
    ("payload", "want"),
    [
        ('{"sub":"1234567890","name":"John Doe","iat":1516239022}', False),
        ('{"email":"ann@example.com"}', False),
        ('{"iss":"http://localhost:8000","sub":"7"}', False),
        ('{"sub":"7","iss":"https://id.acme.io"}', True),
    ],
)
def test_the_token_of_every_manual_is_none(payload: str, want: bool):
    assert accepts("jwt", jwt('{"alg":"HS256"}', payload) + ".c2ln") is want
