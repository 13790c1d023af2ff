"""tnftp, the ftp command of the BSDs."""

import os
import re

from harness import Client, Failed

tnftp = Client("tnftp", "tnftp", no_tls="it has TLS for HTTPS only")
tnftp.without("whole trees", "tnftp has no recursion: mget and mput take one folder", on=("clear",))

# What its globbing and quoting can carry by name: within quotes a backslash stands for itself.
PLAIN = ["plain.txt", "with space.txt", "ümläut 日本語 😀.txt", "it's quoted.txt", "hash#.txt"]


def run(c, *commands, options=()):
    """Runs a script. It ends with 0 whatever comes of it, so the replies are looked at."""
    who = f'user {c.wharf.user} "{c.wharf.password}"'
    script = [f"open 127.0.0.1 {c.wharf.port}", who, "binary", *commands, "quit"]
    result = c.run("tnftp", "-n", "-i", "-v", *options, stdin="\n".join(script) + "\n")
    if bad := re.search(r"^[45]\d\d .*|.*[Uu]sage:.*|^\?.*", result.text, re.MULTILINE):
        raise Failed(f"{bad[0]!a}")
    return result


@tnftp.operation("get, put")
def _(c):
    commands = [f'lcd "{c.out}"']
    for name in PLAIN:
        commands.append(f'get "tree/names/{name}" "{name}"')
        commands.append(f'put "{name}" "{c.up}/{name}"')
    run(c, *commands)
    c.equal(sorted(os.listdir(c.out)), sorted(PLAIN), "files")
    for name in PLAIN:
        c.same_file(c.out / name, c.tree / "names" / name)
    c.same_tree(c.arrived, c.out)


@tnftp.operation("mget, mput of all odd names")
def _(c):
    run(c, f'lcd "{c.out}"', "cd tree/names", "mget *")
    c.same_tree(c.out, c.tree / "names", leave_out=[".hidden"])
    run(c, f'lcd "{c.tree}/names"', f'cd "{c.up}"', "mput *")
    c.same_tree(c.arrived, c.tree / "names", leave_out=[".hidden"])


@tnftp.operation("mget, mput, mdelete by pattern")
def _(c):
    want = [f"file-01{digit}.bin" for digit in range(10)]
    run(c, f'lcd "{c.out}"', "cd tree/many", "mget file-01?.b*")
    run(c, f'lcd "{c.tree}/many"', f'cd "{c.up}"', "mput file-01?.bin file-299.bin")
    c.equal(sorted(os.listdir(c.out)), want, "files")
    run(c, f'cd "{c.up}"', "mdelete file-2*")
    c.same_tree(c.arrived, c.out)


@tnftp.operation("get, put 64 MiB")
def _(c):
    run(c, f'lcd "{c.out}"', "cd tree/big", "get large.bin", f"put large.bin /{c.up}/large.bin")
    c.same_file(c.out / "large.bin", c.large)
    c.same_file(c.arrived / "large.bin", c.large)
    c.same_time(c.out / "large.bin", c.large)


@tnftp.operation("reget, restart")
def _(c):
    part = c.part_of_large(c.out / "large.bin")
    run(c, f'lcd "{c.out}"', "cd tree/big", "reget large.bin")
    c.same_file(part, c.large)
    c.part_of_large(part)
    run(c, f'lcd "{c.out}"', "cd tree/big", "restart 10000000", "get large.bin")
    c.same_file(part, c.large)


@tnftp.operation("restart, put")
def _(c):
    part = c.part_of_large(c.arrived / "large.bin")
    run(c, f'lcd "{c.tree}/big"', f'cd "{c.up}"', "restart 10000000", "put large.bin")
    c.same_file(part, c.large)


@tnftp.operation("links, and a deep folder")
def _(c):
    enter = [f'cd "deep {number}"' for number in range(1, 13)]
    run(c, f'lcd "{c.out}"', "get tree/links/to-file linked", "cd tree", *enter, 'get "at 12.txt"')
    c.same_file(c.out / "linked", c.tree / "names/plain.txt")
    c.same_file(c.out / "at 12.txt", next(c.tree.rglob("at 12.txt")))


@tnftp.operation("append")
def _(c):
    lines = c.tree / "text/lines.txt"
    run(c, f'append "{lines}" "{c.up}/file"', f'append "{lines}" "{c.up}/file"')
    c.equal((c.arrived / "file").read_bytes(), lines.read_bytes() * 2, "content")


@tnftp.operation("ASCII")
def _(c):
    run(c, f'lcd "{c.out}"', "ascii", "get tree/text/lines.txt lines", f"put lines {c.up}/lines")
    c.same_file(c.out / "lines", c.tree / "text/lines.txt")
    c.same_file(c.arrived / "lines", c.tree / "text/lines.txt")


@tnftp.operation("ls, nlist, mlsd, mlst")
def _(c):
    here = f'lcd "{c.out}"'
    commands = ["nlist . names", "ls -la long", "mlsd", "mlst plain.txt"]
    text = run(c, here, "cd tree/names", *commands).text
    names = (c.out / "names").read_text().splitlines()
    c.names(names, "names")
    # With -a come the folder itself and the one above.
    c.equal(len((c.out / "long").read_text().splitlines()), len(names) + 2, "lines of LIST")
    c.equal(text.count("type=file;"), len(names) + 1, "facts")


@tnftp.operation("active")
def _(c):
    run(c, f'lcd "{c.out}"', "cd tree/many", "mget file-00*", options=["-A"])
    c.equal(len(os.listdir(c.out)), 10, "files")
    run(c, f'lcd "{c.out}"', f'cd "{c.up}"', "mput *", options=["-A"])
    c.same_tree(c.arrived, c.out)


@tnftp.operation("active: PORT, passive: PASV")
def _(c):
    commands = ["epsv4 off", f'lcd "{c.out}"', "cd tree/text"]
    run(c, *commands, "get lines.txt a", options=["-A"])
    run(c, *commands, "get lines.txt b", options=["-p"])
    for name in "ab":
        c.same_file(c.out / name, c.tree / "text/lines.txt")


@tnftp.operation("mkdir, rename, delete, rmdir")
def _(c):
    here = f'cd "{c.up}"'
    run(c, here, 'mkdir "a b"', f'put "{c.tree}/text/lines.txt" "a b/x"', 'rename "a b/x" "é y"')
    c.same_file(c.arrived / "é y", c.tree / "text/lines.txt")
    run(c, here, 'delete "é y"', 'rmdir "a b"')
    c.equal(os.listdir(c.arrived), [], "folder")


@tnftp.operation("size, modtime, system, features")
def _(c):
    text = run(c, "cd tree/big", "size large.bin", "modtime large.bin", "system", "features").text
    for wanted in ("67108864", "2023", "215 ", "REST STREAM"):
        if wanted not in text:
            raise Failed(f"no {wanted!a} in {text!a}")


@tnftp.operation("URL: get, resumed, put (-u)")
def _(c):
    c.run("tnftp", "-V", "-o", c.out / "large", c.url("tree/big/large.bin"))
    c.same_file(c.out / "large", c.large)
    part = c.part_of_large(c.out / "part")
    c.run("tnftp", "-V", "-R", "-o", part, c.url("tree/big/large.bin"))
    c.same_file(part, c.large)
    c.run("tnftp", "-V", "-u", c.url(f"{c.up}/up"), c.out / "large")
    c.same_file(c.arrived / "up", c.large)


@tnftp.operation("anonymous")
def _(c):
    url = c.url("tree/text/lines.txt", c.reader, login=False)
    c.run("tnftp", "-a", "-V", "-o", c.out / "a", url)
    c.same_file(c.out / "a", c.tree / "text/lines.txt")


@tnftp.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    try:
        run(c, f'lcd "{c.out}"', "get tree/text/lines.txt lines")
    except Failed as failed:
        c.equal("530 " in str(failed), True, str(failed))
    c.equal(os.listdir(c.out), [], "files")
