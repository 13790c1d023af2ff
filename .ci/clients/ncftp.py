"""NcFTP's ncftpget, ncftpput and ncftpls."""

import os

from harness import Client

ncftp = Client("ncftp", "ncftpget", no_tls="it has no TLS")


def run(c, program, *arguments, **keywords):
    """Runs ncftpget or ncftpput; flags come first."""
    flags = [word for word in arguments if str(word).startswith("-")]
    rest = [word for word in arguments if word not in flags]
    login = ["-u", c.wharf.user, "-p", c.wharf.password, "-P", c.wharf.port]
    common = ["-V", "-t", "10", "-r", "0"]
    return c.run(program, *login, *common, *flags, "127.0.0.1", *rest, **keywords)


def ls(c, path, *flags):
    login = ["-u", c.wharf.user, "-p", c.wharf.password, "-t", "10", "-r", "0"]
    return c.run("ncftpls", *login, *flags, c.url(path, login=False)).out.decode().splitlines()


@ncftp.operation("get -R, odd names")
def _(c):
    run(c, "ncftpget", "-R", c.out, "/tree/names")
    c.same_tree(c.out / "names", c.tree / "names")


@ncftp.operation("get -R, all")
def _(c):
    run(c, "ncftpget", "-R", c.out, "/tree")
    # It leaves out what MLSD calls a link: that is only one to a folder.
    c.same_tree(c.out / "tree", c.tree, want_links="follow", leave_out=["links/to-folder"])
    c.same_time(c.out / "tree/text/lines.txt", c.tree / "text/lines.txt")


@ncftp.operation("get -R without tar (-T)")
def _(c):
    run(c, "ncftpget", "-R", "-T", c.out, "/tree/deep 1", "/tree/many", "/tree/text")
    for name in ("deep 1", "many", "text"):
        c.same_tree(c.out / name, c.tree / name)


@ncftp.operation("put -R, odd names")
def _(c):
    run(c, "ncftpput", "-R", f"/{c.up}", c.tree / "names")
    c.same_tree(c.arrived / "names", c.tree / "names")


@ncftp.operation("put -R, all")
def _(c):
    run(c, "ncftpput", "-R", f"/{c.up}", c.tree)
    # It leaves out links.
    c.same_tree(c.arrived / "tree", c.tree, want_links="skip")
    # By MFMT.
    c.same_time(c.arrived / "tree/text/lines.txt", c.tree / "text/lines.txt")


@ncftp.operation("get, put, 64 MiB")
def _(c):
    run(c, "ncftpget", c.out, "/tree/big/large.bin")
    c.same_file(c.out / "large.bin", c.large)
    c.same_time(c.out / "large.bin", c.large)
    run(c, "ncftpput", f"/{c.up}", c.out / "large.bin")
    c.same_file(c.arrived / "large.bin", c.large)


@ncftp.operation("get, put resumed (-z)")
def _(c):
    part = c.part_of_large(c.out / "large.bin")
    os.utime(part, (1_700_000_000, 1_700_000_000))
    run(c, "ncftpget", "-z", c.out, "/tree/big/large.bin")
    c.same_file(part, c.large)
    part = c.part_of_large(c.arrived / "large.bin")
    # Without -s it sends the whole file behind REST, and that twice over is what arrives.
    run(c, "ncftpput", "-z", "-s", f"/{c.up}", c.large)
    c.same_file(part, c.large)


@ncftp.operation("get by pattern")
def _(c):
    run(c, "ncftpget", c.out, "/tree/many/file-01?.b*")
    c.equal(sorted(os.listdir(c.out)), [f"file-01{n}.bin" for n in range(10)], "files")


@ncftp.operation("put -m, append (-A), put -S")
def _(c):
    lines = c.tree / "text/lines.txt"
    run(c, "ncftpput", "-m", f"/{c.up}/new/folder", lines)
    run(c, "ncftpput", "-A", f"/{c.up}/new/folder", lines)
    added = c.arrived / "new/folder/lines.txt"
    c.equal(added.read_bytes(), lines.read_bytes() * 2, "content")
    run(c, "ncftpput", "-S.part", f"/{c.up}", lines)
    c.same_file(c.arrived / "lines.txt", lines)


@ncftp.operation("to and from standard streams (-c)")
def _(c):
    run(c, "ncftpput", "-c", f"/{c.up}/file", stdin="streamed")
    c.equal((c.arrived / "file").read_bytes(), b"streamed", "content")
    c.equal(run(c, "ncftpget", "-c", f"/{c.up}/file").out, b"streamed", "content")


@ncftp.operation("ASCII (-a)")
def _(c):
    run(c, "ncftpget", "-a", c.out, "/tree/text/lines.txt")
    c.same_file(c.out / "lines.txt", c.tree / "text/lines.txt")
    run(c, "ncftpput", "-a", f"/{c.up}", c.out / "lines.txt")
    c.same_file(c.arrived / "lines.txt", c.tree / "text/lines.txt")


@ncftp.operation("active (-E)")
def _(c):
    run(c, "ncftpget", "-E", "-R", c.out, "/tree/many")
    c.same_tree(c.out / "many", c.tree / "many")
    run(c, "ncftpput", "-E", "-R", f"/{c.up}", c.tree / "many")
    c.same_tree(c.arrived / "many", c.tree / "many")


@ncftp.operation("ls")
def _(c):
    c.names(ls(c, "tree/names/", "-1", "-a"), "names")
    long = ls(c, "tree/many/", "-l")
    c.equal(len([line for line in long if "file-" in line]), 300, "lines")
    facts = ls(c, "tree/many/", "-m")
    c.equal(len([line for line in facts if "file-" in line]), 300, "facts")


@ncftp.operation("ls -R")
def _(c):
    found = ls(c, "tree/deep 1/", "-R")
    files = [name for _, _, names in os.walk(c.tree / "deep 1") for name in names]
    c.equal(len([line for line in found if line.startswith("-")]), len(files), "files")


@ncftp.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    said = run(c, "ncftpget", c.out, "/tree/text/lines.txt", ok=[1]).text
    c.equal("not accepted for login" in said, True, said)
    c.equal(os.listdir(c.out), [], "files")
