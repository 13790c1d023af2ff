"""curl."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from harness import Client, Failed
from transport import EVERY, SECURE

curl = Client("curl", "curl")
curl.without("whole trees", "curl has no recursion")

VERSION = re.match(r"curl (\d+)\.(\d+)", os.popen("curl --version 2>&1").read())

# https://github.com/curl/curl/issues/10666
NO_ACTIVE = {}
if VERSION and VERSION.groups() in (("7", "87"), ("7", "88")):
    reason = "curl 7.87 and 7.88 leave out TLS on active data connections"
    NO_ACTIVE = {transport: reason for transport in SECURE}

# The server's control connection brings many tickets, but curl keeps the last only.
ONE_TICKET = "curl keeps one TLS 1.3 ticket, uses it once, and an upload brings no other"

# FTP's own path names, not those that a URL is tidied to; and no [a-z] in names.
BASE = ["curl", "-sS", "--globoff", "--path-as-is", "--connect-timeout", "5"]

LISTED = re.compile(
    r"[-dl][-rwxsStT]{9} +\d+ \S+ +\S+ +\d+ [A-Z][a-z]{2} [ \d]\d (?:\d\d:\d\d| \d{4}) (.+)"
)


def run(c, *arguments, **keywords):
    """Explicit TLS is required where there is to be any; a URL with ftps:// begins with it."""
    return c.run(*BASE, *tls_options(c), *arguments, **keywords)


def tls_options(c) -> list:
    if not c.tls:
        return []
    return ["--ssl-reqd", *trust(c)]


def trust(c) -> list:
    version = ["--tlsv1.3"] if c.tls == "1.3" else ["--tlsv1.2", "--tls-max", c.tls]
    return ["--cacert", c.certificate, *version]


def for_each_name(c, action):
    """Does something for each of the odd names, four at a time: curl does much waiting."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(action, os.listdir(c.tree / "names")))


def config(pairs) -> str:
    """A configuration for `curl -K -`, that takes names whatever is in them."""
    escape = {ord("\\"): "\\\\", ord('"'): '\\"'}
    return "".join(f'{key} = "{str(value).translate(escape)}"\n' for key, value in pairs)


def get_names(c, *options):
    """Downloads each of the odd names.

    Each has a curl of its own: on a connection that it uses again, curl 7 and 8 can stand still for
    a second where a server answers EPSV at once.
    """

    def get(name):
        run(c, *options, "-o", c.out / name, c.url(f"tree/names/{name}"))

    for_each_name(c, get)
    c.same_tree(c.out, c.tree / "names")


def put_names(c, *options):
    def put(name):
        run(c, *options, "-T", c.tree / "names" / name, c.url(f"{c.up}/{name}"))

    for_each_name(c, put)
    c.same_tree(c.arrived, c.tree / "names")


@curl.operation("list", on=EVERY)
def _(c):
    lines = run(c, c.url("tree/names/")).out.decode().splitlines()
    matches = [LISTED.fullmatch(line) for line in lines]
    if None in matches:
        raise Failed(f"not a line of ls -l: {lines[matches.index(None)]!a}")
    c.names([match[1] for match in matches], "names")


@curl.operation("list names (NLST)")
def _(c):
    c.names(run(c, "-l", c.url("tree/names/")).out.decode().splitlines(), "names")


@curl.operation("list (MLSD)", on=EVERY)
def _(c):
    """It shows what the server sends: facts, a space, the name."""
    lines = run(c, "-X", "MLSD", c.url("tree/names/")).out.decode().splitlines()
    found = dict(reversed(line.split(" ", 1)) for line in lines)
    kinds = [found.pop(name).split(";")[0] for name in (".", "..")]
    c.equal(kinds, ["type=cdir", "type=pdir"], "kinds")
    c.names(found, "names")
    for name, facts in found.items():
        size = (c.tree / "names" / name).stat().st_size
        want = {"type=file", f"size={size}", "modify=20231114221320"}
        c.equal(want - set(facts.split(";")), set(), f"facts missing of {name}")


@curl.operation("links, and a deep folder")
def _(c):
    lines = run(c, c.url("tree/links/")).out.decode().splitlines()
    targets = {LISTED.fullmatch(line)[1] for line in lines}
    c.equal(targets, {"to-file -> ../names/plain.txt", "to-folder -> ../text"}, "links")
    deep = "/".join(f"deep {number}" for number in range(1, 13)) + "/at 12.txt"
    for path in ("links/to-file", "links/to-folder/lines.txt", deep):
        run(c, "-o", c.out / "got", c.url(f"tree/{path}"))
        c.same_file(c.out / "got", c.tree / path)


@curl.operation("one connection for all", on=EVERY, cannot={"require": ONE_TICKET})
def _(c):
    names, parts = ["plain.txt", " leading space.txt", "empty", "hash#.txt"], []
    for name in names:
        up, down = c.url(f"{c.up}/{name}"), c.url(f"tree/names/{name}")
        parts.append(config([("url", up), ("upload-file", c.tree / "names" / name)]))
        parts.append(config([("url", down), ("output", c.out / name)]))
    # Options such as -sS do not pass "next".
    options = ["silent", "show-error", "globoff", *(str(part) for part in tls_options(c))]
    again = "next\n" + "".join(f"{option}\n" for option in options)
    again = re.sub(r"--(cacert|tls-max)\n", r"\1 = ", again).replace("--", "")
    run(c, "-K", "-", stdin=again.join(parts))
    c.same_tree(c.out, c.arrived)
    c.equal(sorted(os.listdir(c.out)), sorted(names), "files")


@curl.operation("get odd names", on=EVERY)
def _(c):
    get_names(c)


@curl.operation("get odd names, no CWD")
def _(c):
    get_names(c, "--ftp-method", "nocwd")


@curl.operation("get odd names, one CWD")
def _(c):
    get_names(c, "--ftp-method", "singlecwd")


@curl.operation("get 64 MiB", on=EVERY)
def _(c):
    run(c, "-R", "-o", c.out / "large", c.url("tree/big/large.bin"))
    c.same_file(c.out / "large", c.large)
    c.same_time(c.out / "large", c.large)


@curl.operation("get resumed (-C)", on=EVERY)
def _(c):
    part = c.part_of_large(c.out / "large")
    run(c, "-C", "-", "-o", part, c.url("tree/big/large.bin"))
    c.same_file(part, c.large)
    run(c, "-C", "-", "-o", part, c.url("tree/big/large.bin"))
    c.same_file(part, c.large)


@curl.operation("get ranges (-r)")
def _(c):
    """curl breaks the transfer off when it has enough; the next begins on the same connection."""
    url = c.url("tree/big/large.bin")
    got = run(c, "-r", "1000000-1000099", url, url).out
    with open(c.large, "rb") as large:
        large.seek(1_000_000)
        c.equal(got, large.read(100) * 2, "ranges")


@curl.operation("ASCII (-B)")
def _(c):
    """curl itself turns CRLF to LF on the way down, and with --crlf LF to CRLF on the way up."""
    lines = c.tree / "text/lines.txt"
    run(c, "-B", "-o", c.out / "lines", c.url("tree/text/lines.txt"))
    c.same_file(c.out / "lines", lines)
    run(c, "-B", "--crlf", "-T", lines, c.url(f"{c.up}/lines"))
    c.same_file(c.arrived / "lines", lines)


@curl.operation("head (-I)")
def _(c):
    text = run(c, "-I", c.url("tree/big/large.bin")).text
    for line in ("Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT", "Content-Length: 67108864"):
        if line not in text:
            raise Failed(f"no {line!r} in {text!a}")


@curl.operation("put odd names", on=EVERY)
def _(c):
    put_names(c)


@curl.operation("put 64 MiB", on=EVERY)
def _(c):
    run(c, "-T", c.large, c.url(f"{c.up}/"))
    c.same_file(c.arrived / "large.bin", c.large)


@curl.operation("put resumed (-C)", on=EVERY)
def _(c):
    part = c.part_of_large(c.arrived / "large")
    run(c, "-C", "-", "-T", c.large, c.url(f"{c.up}/large"))
    c.same_file(part, c.large)


@curl.operation("append (-a)", on=EVERY)
def _(c):
    run(c, "-a", "-T", "-", c.url(f"{c.up}/file"), stdin="one")
    run(c, "-a", "-T", "-", c.url(f"{c.up}/file"), stdin="two")
    c.equal((c.arrived / "file").read_bytes(), b"onetwo", "content")


@curl.operation("put over an old file")
def _(c):
    (c.arrived / "file").write_bytes(b"a longer one that was there before")
    run(c, "-T", "-", c.url(f"{c.up}/file"), stdin="new")
    c.equal((c.arrived / "file").read_bytes(), b"new", "content")


@curl.operation("put, making folders")
def _(c):
    run(c, "--ftp-create-dirs", "-T", c.tree / "names/plain.txt", c.url(f"{c.up}/ä/b c/d/file"))
    c.same_file(c.arrived / "ä/b c/d/file", c.tree / "names/plain.txt")


@curl.operation("put, then MFMT, SITE CHMOD (-Q)")
def _(c):
    source = c.tree / "names/plain.txt"
    orders = ["MFMT 20231114221320 a b", "SITE CHMOD 600 a b", "*SITE UTIME yesterday a b"]
    quotes = [word for order in orders for word in ("-Q", f"-{order}")]
    run(c, *quotes, "-T", source, c.url(f"{c.up}/a b"))
    c.same_file(c.arrived / "a b", source)
    c.same_time(c.arrived / "a b", source)
    c.equal(oct((c.arrived / "a b").stat().st_mode & 0o777), "0o600", "mode")


@curl.operation("active: EPRT", on=EVERY, cannot=NO_ACTIVE)
def _(c):
    get_names(c, "-P", "-")
    put_names(c, "-P", "-")


@curl.operation("active: PORT", cannot=NO_ACTIVE)
def _(c):
    get_names(c, "-P", "-", "--disable-eprt")
    put_names(c, "-P", "-", "--disable-eprt")


@curl.operation("passive: PASV")
def _(c):
    get_names(c, "--disable-epsv")
    put_names(c, "--disable-epsv")


@curl.operation("MKD RNFR RNTO DELE RMD (-Q)")
def _(c):
    (c.arrived / "file").write_bytes(b"")

    def quote(*commands):
        pairs = [("quote", command) for command in commands]
        run(c, "-K", "-", "-o", c.out / "listing", c.url(), stdin=config(pairs))

    quote(f"MKD {c.up}/new folder", f"RNFR {c.up}/file", f"RNTO {c.up}/new folder/ moved")
    c.equal(os.listdir(c.arrived / "new folder"), [" moved"], "folder")
    quote(f"DELE {c.up}/new folder/ moved", f"RMD {c.up}/new folder")
    c.equal(os.listdir(c.arrived), [], "folder")


@curl.operation("refusals")
def _(c):
    """curl's exit codes: 67 login, 78 no such file, 9 no such folder, 25 upload refused."""
    refused = c.url("tree/text/lines.txt").replace("u:p", "u:q")
    run(c, refused, ok=[67])
    run(c, c.url("tree/text/none"), ok=[78])
    run(c, c.url("tree/none/"), ok=[9])
    run(c, "-T", c.tree / "text/lines.txt", c.url("up/refused", c.reader), ok=[25])
    run(c, "-T", c.tree / "text/lines.txt", c.url(f"{c.up}/none/file"), ok=[9])
    run(c, "-Q", "DELE tree/text/lines.txt", c.url("", c.reader), ok=[21])
    if (c.root / "up/refused").exists():
        raise Failed("the server for reading let itself be written")


@curl.operation("anonymous", on=EVERY)
def _(c):
    got = run(c, c.url("tree/text/lines.txt", c.reader, login=False)).out
    c.equal(got, (c.tree / "text/lines.txt").read_bytes(), "content")


def over_ccc(c, *options):
    options = ["-v", "--ftp-ssl-ccc", *options]
    text = run(c, *options, "-o", c.out / "lines", c.url("tree/text/lines.txt")).text
    c.equal("> CCC" in text and "< 200" in text, True, "CCC is said")
    c.same_file(c.out / "lines", c.tree / "text/lines.txt")
    run(c, *options, "-T", c.tree / "text/lines.txt", c.url(f"{c.up}/lines"))
    c.same_file(c.arrived / "lines", c.tree / "text/lines.txt")
    c.names(run(c, *options, "-l", c.url("tree/names/")).out.decode().splitlines(), "names")


@curl.operation("CCC (--ftp-ssl-ccc)", on=("tls",))
def _(c):
    over_ccc(c)


@curl.operation("CCC, curl says goodbye first", on=("tls",))
def _(c):
    over_ccc(c, "--ftp-ssl-ccc-mode", "active")


@curl.operation("data in clear (--ftp-ssl-control)", on=("tls", "tls1.2"))
def _(c):
    # Beside --ssl-reqd it would have no effect.
    command = [*BASE, *trust(c), "--ftp-ssl-control"]
    for options in ([], ["-P", "-"]):
        c.run(*command, *options, "-o", c.out / "large", c.url("tree/big/large.bin"))
        c.same_file(c.out / "large", c.large)
        c.run(*command, *options, "-T", c.large, c.url(f"{c.up}/large"))
        c.same_file(c.arrived / "large", c.large)


@curl.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    """curl's exit code for a login refused is 67; for data without protection there are many."""
    for server in (c.wharf, c.reader):
        text = c.run(*BASE, "-v", c.url("tree/text/lines.txt", server), ok=[67]).text
        c.equal("< 530 " in text, True, "530 is said")
    command = [*BASE, *trust(c), "-v", "--ftp-ssl-control", c.url("tree/text/lines.txt")]
    text = c.run(*command, ok=range(1, 100)).text
    c.equal("< 521 " in text or "< 522 " in text, True, f"521 is said: {text[-300:]}")
