"""Programs that encode, decode, compress, encrypt and pack."""

from __future__ import annotations

from typing import Final

from defenseclaw.detection.programs.base import Act, Describe, Program, grammar


def _codec(act: Act, *, decodes: bool) -> None:
    """Describe a filter: files or stdin in, stdout out."""
    files = act.operands
    act.does("read")
    if decodes:
        act.does("decode")
    act.transform = True
    act.touch("read", [*files, *act.all("-i")], "stdout")
    act.touch("write", act.all("-o"), "to")
    act.args = "pass"
    if not files and not act.has("-i"):
        act.stdin = "pass"


def _by_flag(*flags: str) -> Describe:
    def describe(act: Act) -> None:
        _codec(act, decodes=act.has(*flags))

    return describe


def _decoder(act: Act) -> None:
    _codec(act, decodes=True)


def _encoder(act: Act) -> None:
    _codec(act, decodes=False)


def _compressor(act: Act) -> None:
    """Describe gzip and kin: without ``-c`` the operands are replaced."""
    _codec(act, decodes=act.has("-d"))
    if act.operands and not act.has("-c", "-t", "-l"):
        act.does("write")
        act.touch("write", act.operands)


def _openssl(act: Act) -> None:
    verb = act.operand(0)
    act.operands = act.operands[1:]
    act.transform = True
    if verb in ("enc", "base64") or verb.startswith(("aes", "des", "bf", "rc4", "camellia", "chacha")):
        sources = act.all("-in")
        act.does("read")
        act.touch("read", sources, "stdout")
        act.touch("write", act.all("-out"), "to")
        act.args = "pass"
        if act.has("-d"):
            act.does("decode")
        if not sources:
            act.stdin = "pass"
    elif verb == "s_client":
        act.does("connect")
        act.stdin = "network"
        act.emits.append("network")
        act.talk("connect", act.value("-connect") or act.operand(0), "tls", 443)
    elif verb == "s_server":
        act.does("listen")
        act.talk("listen", "0.0.0.0", "tls", 4433)  # noqa: S104 -- named, not bound
    elif verb in (
        "rsa",
        "pkey",
        "ec",
        "pkcs12",
        "pkcs8",
        "x509",
        "req",
        "dsa",
        "smime",
        "cms",
        "dgst",
        "rsautl",
        "pkeyutl",
    ):
        act.does("read")
        shows_public = act.has("-pubout", "-noout") or verb in ("x509", "req", "dgst")
        act.touch("metadata" if shows_public else "read", act.all("-in"), "" if shows_public else "stdout")
        act.touch("metadata", [*act.all("-inkey"), *act.all("-key"), *act.all("-sign")])
        act.touch("write", [*act.all("-out"), *act.all("-keyout")], "to")
        act.stdin = "pass"


def _gpg(act: Act) -> None:
    act.does("read")
    act.transform = True
    if act.has("--export-secret-keys", "--export-secret-subkeys"):
        act.does("credential_read")
        act.is_("secret_value")
        act.emits.append("credential_store")
        return
    if act.has("-d"):
        act.does("decode")
    act.touch("read", act.operands, "stdout")
    act.touch("write", act.all("-o"), "to")
    act.stdin = "pass"


def _tar(act: Act) -> None:
    words = list(act.words)
    if words and not words[0].startswith("-") and words[0].isalpha():
        _old_style(act, words[0])
    creates = act.has("-c", "-r", "-u", "-A")
    archives = act.all("-f")
    archive = archives[0] if archives else "-"
    members = [
        f"{act.value('-C').rstrip('/')}/{word}" if act.has("-C") and word[:1] not in "/~" else word
        for word in act.operands
    ]
    for text in [*act.all("--to-command", "-I", "--rsh-command"), *_checkpoint(act)]:
        if text.split()[:1] and text.split()[0] not in _COMPRESSORS:
            act.is_("shell_escape")
            act.nested.append(text)
    if creates:
        act.does("read", "write")
        to_stdout = archive in ("-", "/dev/stdout")
        act.is_("recursive")
        act.touch("read", members, "stdout" if to_stdout else "from")
        act.touch("write", [archive], "to")
        act.touch("read", act.all("-T"))
        act.transform = True
        if act.has("--remove-files"):
            act.does("delete")
            act.touch("delete", members)
    elif act.has("-t"):
        act.does("list")
        act.touch("metadata", [archive])
        act.stdin = "drop"
    else:
        act.does("read", "write", "decode" if act.has("-O") else "write")
        act.touch("read", [archive], "from")
        act.transform = True
        if act.has("-O"):
            act.stdin = "pass"
        else:
            act.touch("write", [act.value("-C") or "."], "to")
            act.stdin = "file"


def _old_style(act: Act, bundle: str) -> None:
    """Take ``tar czf name …``: a first word without a dash."""
    if not set(bundle) <= set("cxtruAvzjJpfkmOhwaSPZWC"):
        return
    rest = act.operands[1:]
    for letter in bundle:
        name = f"-{letter}"
        if letter in "fC":
            act.values.setdefault(name, []).append(rest.pop(0) if rest else "")
        else:
            act.values.setdefault(name, []).append("")
        act.options.append(name)
    act.operands = rest


def _checkpoint(act: Act) -> list[str]:
    return [value[5:] for value in act.all("--checkpoint-action") if value.startswith("exec=")]


_COMPRESSORS: Final = frozenset(
    {"gzip", "pigz", "bzip2", "pbzip2", "xz", "zstd", "lz4", "lzop", "pixz", "zstdmt"}
)


def _zip(act: Act) -> None:
    act.does("read", "write")
    act.transform = True
    archive = act.operand(0)
    act.touch("read", act.operands[1:], "stdout" if archive == "-" else "from")
    act.touch("write", [archive], "to")
    if act.has("-r"):
        act.is_("recursive")
    if act.has("-m"):
        act.does("delete")
        act.touch("delete", act.operands[1:])
    for command in act.all("-TT", "--unzip-command"):
        act.is_("shell_escape")
        act.nested.append(command)


def _unzip(act: Act) -> None:
    act.does("read")
    if act.has("-l", "-t", "-v", "-Z"):
        act.touch("metadata", act.operands[:1])
        return
    act.touch("read", act.operands[:1], "stdout" if act.has("-p") else "from")
    if not act.has("-p"):
        act.does("write")
        act.touch("write", [act.value("-d") or "."], "to")


def _seven_zip(act: Act) -> None:
    verb = act.operand(0)
    act.does("read", "write")
    if verb in ("a", "u"):
        act.touch("write", act.operands[1:2], "to")
        act.touch("read", act.operands[2:], "from")
    elif verb in ("x", "e"):
        act.touch("read", act.operands[1:2], "from")


_B64: Final = grammar("-d,-D,--decode -w,--wrap= -i,--input,--ignore-garbage -o,--output=")
_GZIP: Final = grammar(
    "-d,--decompress,--uncompress -c,--stdout,--to-stdout -k -f -t -l -r -S= -o= -T= -9 -1 -v -q"
)

PROGRAMS: Final[dict[str, Program]] = {
    **{
        name: Program(_B64, _by_flag("-d"))
        for name in ("base64", "base32", "base58", "basenc", "gbase64", "b64")
    },
    **{
        name: Program(_GZIP, _compressor)
        for name in (
            "gzip",
            "bzip2",
            "xz",
            "zstd",
            "lz4",
            "pigz",
            "lzma",
            "lzop",
            "brotli",
            "pbzip2",
            "compress",
        )
    },
    **{
        name: Program(_GZIP, _decoder)
        for name in (
            "gunzip",
            "bunzip2",
            "unxz",
            "unzstd",
            "unlz4",
            "uncompress",
            "zcat",
            "bzcat",
            "xzcat",
            "zstdcat",
            "gzcat",
            "unpigz",
            "funzip",
        )
    },
    "uudecode": Program(grammar("-o="), _decoder),
    "uuencode": Program(grammar("-m"), _encoder),
    "rot13": Program(grammar(), _decoder),
    "ascii2uni": Program(grammar(), _decoder),
    "unhex": Program(grammar(), _decoder),
    "openssl": Program(
        grammar(
            "-in= -out= -k= -K= -iv= -pass= -passin= -passout= -key= -keyout= -inkey= -sign= "
            "-connect= -cert= -CAfile= "
            "-d -e -a -A -base64 -nosalt -salt -pbkdf2 -iter= -md= -config= -subj= -days= -newkey= "
            "-noout -pubout "
            "-servername= -port= -accept=",
            words=True,
        ),
        _openssl,
    ),
    "gpg": Program(
        grammar(
            "-d,--decrypt -o,--output= -r,--recipient= -u,--local-user= --homedir= --passphrase= "
            "--batch -e -c -s -a --export-secret-keys --export-secret-subkeys --export --import"
        ),
        _gpg,
    ),
    "gpg2": Program(grammar("-d,--decrypt -o,--output= -r= --export-secret-keys"), _gpg),
    "age": Program(grammar("-d,--decrypt -o,--output= -r= -i,--identity= -e -p -a -R="), _gpg),
    "tar": Program(
        grammar(
            "-c,--create -x,--extract,--get -t,--list -r,--append -u,--update -A,--catenate "
            "-f,--file= -C,--directory= "
            "-T,--files-from= -X,--exclude-from= --exclude= -I,--use-compress-program= --to-command= "
            "--checkpoint-action= "
            "--checkpoint --rsh-command= -O,--to-stdout -z -j -J -v -p -k -h -P,--absolute-names "
            "--strip-components= "
            "--transform,--xform= --owner= --group= --mode= --remove-files -g= -b= -N= -V="
        ),
        _tar,
    ),
    "bsdtar": Program(grammar("-c -x -t -r -u -f= -C= -T= -X= -O --exclude="), _tar),
    "gtar": Program(grammar("-c -x -t -r -u -f= -C= -T= -X= -I= --to-command= --checkpoint-action="), _tar),
    "zip": Program(
        grammar("-r,--recurse-paths -m,--move -P= -x= -i= -TT= --unzip-command= -T -j -q -e -9 -u"), _zip
    ),
    "unzip": Program(grammar("-d= -P= -x= -o -p -l -t -q -n -j -v"), _unzip),
    "7z": Program(grammar("-o -p", words=True), _seven_zip),
    "7za": Program(grammar("-o -p", words=True), _seven_zip),
    "cpio": Program(grammar("-i -o -p -d -F= -D="), _decoder),
    "pax": Program(grammar("-r -w -f="), _decoder),
    "unrar": Program(grammar(), _seven_zip),
    "ar": Program(grammar(), _seven_zip),
}
