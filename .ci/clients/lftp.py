"""lftp."""

import os

from harness import Client, Failed
from transport import EVERY, SECURE

lftp = Client("lftp", "lftp")
lftp.without("append", "lftp has no APPE: it resumes by REST, or sends all again")

# It needs one of the two servers to begin TLS as a client.
NO_FXP = "server to server by TLS is not what wharf does (SSCN, CPSV)"

# So also with ProFTPD: https://github.com/proftpd/proftpd/issues/876
NO_CCC = "after CCC it takes the end of TLS for the end of the connection"

SETTINGS = {
    "net:timeout": 10,
    "net:max-retries": 2,
    "net:reconnect-interval-base": 1,
    "cmd:fail-exit": "yes",
    "xfer:clobber": "yes",
}


def quoted(text) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def tls_settings(c) -> dict:
    if not c.tls:
        return {"ftp:ssl-allow": "no"}
    protect = dict.fromkeys(["ftp:ssl-force", "ftp:ssl-protect-data", "ftp:ssl-protect-list"], "yes")
    others = "NORMAL:-VERS-ALL:+VERS-TLS" + c.tls
    return {**protect, "ssl:ca-file": quoted(c.certificate), "ssl:priority": others}


def run(c, *commands, **settings):
    """Runs commands on one connection; each is words, quoted where they are no options."""
    lines = []
    options = {**SETTINGS, **tls_settings(c), **{f"ftp:{k.replace('_', '-')}": v for k, v in settings.items()}}
    for key, value in options.items():
        lines.append(f"set {key} {value}")
    who = f"{quoted(c.wharf.user)} {quoted(c.wharf.password)}"
    lines += [f"open -p {c.port()} {c.scheme}://127.0.0.1", f"user {who}"]
    for command in commands:
        lines.append(" ".join([command[0], *(quoted(word) for word in command[1:])]))
    return c.run("lftp", "-f", "/dev/stdin", stdin="\n".join(lines) + "\n")


@lftp.operation("mirror (LIST)")
def _(c):
    run(c, ("mirror", "tree", c.out), use_mlsd="no")
    c.same_tree(c.out, c.tree)
    c.same_time(c.out / "text/lines.txt", c.tree / "text/lines.txt")
    again = run(c, ("mirror", "-v", "tree", c.out), use_mlsd="no").text
    c.equal(again, "", "mirrored again")


@lftp.operation("mirror (MLSD)")
def _(c):
    run(c, ("mirror", "tree", c.out), use_mlsd="yes")
    # A link to a file is presented as that file.
    link = c.out / "links/to-file"
    c.same_file(link, c.tree / "names/plain.txt")
    mode = oct(link.stat().st_mode)
    c.equal(mode, oct((c.tree / "names/plain.txt").stat().st_mode), "mode of the linked file")
    c.same_time(link, c.tree / "names/plain.txt")
    link.unlink()
    c.same_tree(c.out, c.tree, leave_out=["links/to-file"])
    c.same_time(c.out / "text/lines.txt", c.tree / "text/lines.txt")


@lftp.operation("mirror -L, four at once", on=EVERY)
def _(c):
    # -L takes every link for one to a file.
    folder = "links/to-folder"
    run(c, ("mirror", "-L", "--parallel=4", "--use-pget-n=2", "-X", folder, "tree", c.out))
    c.same_tree(c.out, c.tree, want_links="follow", leave_out=[folder])


@lftp.operation("mirror -R", on=EVERY)
def _(c):
    run(c, ("mirror", "-R", "-L", "--no-perms", c.tree, c.up))
    c.same_tree(c.arrived, c.tree, want_links="follow")
    # By MFMT.
    c.same_time(c.arrived / "text/lines.txt", c.tree / "text/lines.txt")
    again = run(c, ("mirror", "-R", "-L", "--no-perms", "-v", c.tree, c.up)).text
    if "Transferring" in again:
        raise Failed(f"mirrored again: {again[:200]!a}")


@lftp.operation("mirror -R with permissions, chmod (SITE CHMOD)")
def _(c):
    local = c.fresh("local")
    modes = {"a": 0o600, "b c": 0o755, "é": 0o604, "folder": 0o750}
    for name, mode in modes.items():
        path = local / name
        path.mkdir() if name == "folder" else path.write_text(name)
        path.chmod(mode)
    run(c, ("mirror", "-R", local, c.up))
    arrived = lambda name: oct((c.arrived / name).stat().st_mode & 0o777)
    for name, mode in modes.items():
        c.equal(arrived(name), oct(mode), name)
    run(c, ("chmod", "640", f"{c.up}/b c"))
    c.equal(arrived("b c"), "0o640", "mode")


@lftp.operation("mirror -R --delete, four at once")
def _(c):
    (c.arrived / "old folder/older").mkdir(parents=True)
    (c.arrived / "old folder/older/file").write_bytes(b"old")
    (c.arrived / "names").mkdir()
    (c.arrived / "names/plain.txt").write_bytes(b"of another size")
    command = ("mirror", "-R", "-L", "--no-perms", "--delete", "--parallel=4", c.tree, c.up)
    run(c, command)
    c.same_tree(c.arrived, c.tree, want_links="follow")


@lftp.operation("active", on=EVERY)
def _(c):
    run(
        c,
        ("mirror", "tree/names", c.out),
        ("mirror", "-R", "--no-perms", c.tree / "names", c.up),
        passive_mode="no",
    )
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived, c.tree / "names")


@lftp.operation("EPSV")
def _(c):
    run(c, ("mirror", "tree/names", c.out), prefer_epsv="yes")
    c.same_tree(c.out, c.tree / "names")


@lftp.operation("get -c", on=EVERY)
def _(c):
    part = c.part_of_large(c.out / "large")
    run(c, ("get", "-c", "tree/big/large.bin", "-o", part))
    c.same_file(part, c.large)


@lftp.operation("put -c", on=EVERY)
def _(c):
    part = c.part_of_large(c.arrived / "large")
    run(c, ("put", "-c", c.large, "-o", f"{c.up}/large"))
    c.same_file(part, c.large)


@lftp.operation("pget, four at once", on=EVERY)
def _(c):
    run(c, ("pget", "-n", "4", "tree/big/large.bin", "-o", c.out / "large"))
    c.same_file(c.out / "large", c.large)


def modes(log) -> dict:
    """Which MODE each command that moved data had, by what lftp has written down of its dialogue."""
    found, mode = {}, "S"
    for line in log.read_text().splitlines():
        match line.removeprefix("---> ").split(" ", 1) if line.startswith("---> ") else []:
            case ["MODE", mode]:
                pass
            case ["RETR" | "STOR" | "LIST" | "NLST" | "MLSD" as verb, *name]:
                found[" ".join([verb, *name])] = mode
    return found


@lftp.operation("MODE Z, as it is by default", on=EVERY)
def _(c):
    log, folders = c.out.with_name(f"{c.out.name}-log"), ["names", "text", "deep 1"]
    down = [("mirror", f"tree/{folder}", c.out / folder) for folder in folders]
    up = [("mirror", "-R", "--no-perms", c.tree / name, f"{c.up}/{name}") for name in folders]
    run(c, ("debug", "-o", log, "5"), *down, *up)
    for folder in folders:
        c.same_tree(c.out / folder, c.tree / folder)
        c.same_tree(c.arrived / folder, c.tree / folder)
    used = modes(log)
    c.equal({command.split(" ")[0] for command in used} >= {"RETR", "STOR", "MLSD"}, True, "verbs")
    c.equal({command for command, mode in used.items() if mode != "Z"}, set(), "not deflated")
    log.unlink()


@lftp.operation("MODE Z, get -c and put -c")
def _(c):
    log = c.out.with_name(f"{c.out.name}-log")
    down, up = c.part_of_large(c.out / "large"), c.part_of_large(c.arrived / "large")
    get = "get", "-c", "tree/big/large.bin", "-o", down
    put = "put", "-c", c.large, "-o", f"{c.up}/large"
    run(c, ("debug", "-o", log, "5"), get, put, use_mode_z="yes")
    c.same_file(down, c.large)
    c.same_file(up, c.large)
    c.equal(log.read_text().count("---> REST 10000000"), 2, "REST")
    c.equal(set(modes(log).values()), {"Z"}, "modes")
    log.unlink()


@lftp.operation("MODE Z levels, MODE S for archives")
def _(c):
    log, text = c.out.with_name(f"{c.out.name}-log"), c.out / "text"
    text.write_text("".join(f"line {number}\n" for number in range(100_000)))
    for level in (0, 1, 9):
        put = "put", text, "-o", f"{c.up}/{level}"
        get = "get", f"{c.up}/{level}", "-o", c.out / "back"
        run(c, put, get, use_mode_z="yes", mode_z_level=level)
        c.same_file(c.arrived / str(level), text)
        c.same_file(c.out / "back", text)
    put, get = ("put", text, "-o", f"{c.up}/a.gz"), ("get", f"{c.up}/a.gz", "-o", c.out / "a.gz")
    run(c, ("debug", "-o", log, "5"), put, get, use_mode_z="yes")
    c.same_file(c.out / "a.gz", text)
    used = {command: mode for command, mode in modes(log).items() if command.endswith(".gz")}
    c.equal(used, {f"STOR {c.up}/a.gz": "S", f"RETR {c.up}/a.gz": "S"}, "modes")
    log.unlink()


@lftp.operation("MODE S (ftp:use-mode-z)")
def _(c):
    names, part = c.tree / "names", c.part_of_large(c.out / "large")
    down = "mirror", "tree/names", c.out / "names"
    up = "mirror", "-R", "--no-perms", names, c.up
    run(c, down, up, ("get", "-c", "tree/big/large.bin", "-o", part), use_mode_z="no")
    c.same_tree(c.out / "names", names)
    c.same_tree(c.arrived, names)
    c.same_file(part, c.large)


@lftp.operation("mget, mput by pattern")
def _(c):
    want = {f"file-01{digit}.bin" for digit in range(10)}
    run(c, ("mget", "-O", c.out, "tree/many/file-01?.b*"))
    run(c, ("mput", "-O", c.up, f"{c.tree}/many/file-01[0-9].bin"))
    c.equal(set(os.listdir(c.out)), want, "files")
    c.same_tree(c.out, c.arrived)


@lftp.operation("mv, rm, rm -r, mkdir -p")
def _(c):
    (c.arrived / "a b/c").mkdir(parents=True)
    for name in ("one", "a b/two", "a b/c/-three", "a b/.four"):
        (c.arrived / name).write_bytes(b"")
    run(c, ("mv", f"{c.up}/one", f"{c.up}/é 1"), ("mv", f"{c.up}/a b/two", f"{c.up}/two"))
    c.equal(sorted(os.listdir(c.arrived)), ["a b", "two", "é 1"], "files")
    run(c, ("rm", f"{c.up}/two"), ("rm", "-r", f"{c.up}/a b"), ("mkdir", "-p", f"{c.up}/x/y/z"))
    c.equal(sorted(os.listdir(c.arrived)), ["x", "é 1"], "files")
    c.equal((c.arrived / "x/y/z").is_dir(), True, "folder made")


@lftp.operation("cls, nlist, find, cat")
def _(c):
    listed = run(c, ("cls", "-1", "-a", "tree/names")).out.decode().splitlines()
    names = [line.removeprefix("tree/names/") for line in listed]
    c.names([name for name in names if name not in ("./", "../")], "names")
    c.names(run(c, ("cd", "tree/names"), ("nlist",)).out.decode().splitlines(), "names")
    found = run(c, ("find", "tree/deep 1")).out.decode().splitlines()
    c.equal(len(found), 24, "found")
    text = run(c, ("cat", "tree/text/lines.txt")).out
    c.equal(text, (c.tree / "text/lines.txt").read_bytes(), "text")


@lftp.operation("get, put ASCII")
def _(c):
    lines = c.tree / "text/lines.txt"
    run(c, ("get", "-a", "tree/text/lines.txt", "-o", c.out / "down"))
    run(c, ("put", "-a", lines, "-o", f"{c.up}/up"))
    c.same_file(c.out / "down", lines)
    c.same_file(c.arrived / "up", lines)


@lftp.operation("server to server (FXP)", cannot={"tls": NO_FXP})
def _(c):
    run(c, ("get", "tree/big/large.bin", "-o", c.url(f"{c.up}/copy")), use_fxp="yes")
    c.same_file(c.arrived / "copy", c.large)


@lftp.operation("TLS session for data (ftp:ssl-copy-sid)", on=SECURE)
def _(c):
    for setting in ("yes", "no"):
        mirror = "mirror", "tree/names", c.out / setting
        if setting == "no" and c.must_resume:
            try:
                run(c, mirror, ssl_copy_sid=setting)
            except Failed:
                continue
            raise Failed("not refused")
        run(c, mirror, ssl_copy_sid=setting)
        c.same_tree(c.out / setting, c.tree / "names")


@lftp.operation("keys for data (ftp:ssl-data-use-keys)", on=("tls", "tls1.2"))
def _(c):
    """Without them, it offers anonymous ciphers only, which are no protection: 522."""
    run(c, ("mirror", "tree/names", c.out), ssl_data_use_keys="yes")
    c.same_tree(c.out, c.tree / "names")
    try:
        run(c, ("get", "tree/names/plain.txt", "-o", c.out / "got"), ssl_data_use_keys="no")
    except Failed as failed:
        c.equal("522" in str(failed), True, str(failed))
    else:
        raise Failed("data without a certificate")


@lftp.operation("CCC (ftp:ssl-use-ccc)", on=("tls",), cannot={"tls": NO_CCC})
def _(c):
    run(c, ("mirror", "tree/names", c.out), ("mirror", "-R", c.out, c.up), ssl_use_ccc="yes")
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived, c.tree / "names")


@lftp.operation("data in clear (ftp:ssl-protect-data)", on=("tls", "tls1.2"))
def _(c):
    run(c, ("mirror", "tree/names", c.out), ssl_protect_data="no", ssl_protect_list="no")
    c.same_tree(c.out, c.tree / "names")


@lftp.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    for setting in ({"ssl_force": "no", "ssl_allow": "no"}, {"ssl_protect_data": "no"}):
        try:
            run(c, ("get", "tree/text/lines.txt", "-o", c.out / "lines"), **setting)
        except Failed:
            continue
        raise Failed(f"not refused: {setting}")
