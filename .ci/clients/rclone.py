"""rclone."""

import json
import os

from harness import Client, Failed
from transport import EVERY

rclone = Client("rclone", "rclone")
rclone.without("resume, append", "rclone copies whole files")
rclone.without("active", "rclone has no active mode")

# No configuration file: all is said on the command line and in the environment.
BASE = ["rclone", "--config", "/dev/null", "--retries", "1", "--low-level-retries", "2"]
BASE += ["--contimeout", "10s", "--timeout", "20s"]


def run(c, *arguments, server=None, **options):
    """Runs rclone; `remote:` in an argument stands for the server."""
    server = server or c.wharf
    if not hasattr(c, "obscured"):
        c.obscured = c.run("rclone", "obscure", "-", stdin=server.password).out.decode().strip()
    settings = {"RCLONE_FTP_HOST": "127.0.0.1", "RCLONE_FTP_PORT": str(c.port(server))}
    settings |= {"RCLONE_FTP_USER": server.user, "RCLONE_FTP_PASS": c.obscured}
    if c.tls:
        settings["RCLONE_FTP_TLS" if c.implicit else "RCLONE_FTP_EXPLICIT_TLS"] = "true"
        settings["RCLONE_FTP_NO_CHECK_CERTIFICATE"] = "true"
        settings["RCLONE_FTP_DISABLE_TLS13"] = str(c.tls == "1.2").lower()
    settings |= {f"RCLONE_FTP_{key.upper()}": value for key, value in options.items()}
    if c.must_resume:
        # All its control connections share one cache of TLS sessions, but each has its own to resume.
        arguments = ["--transfers", "1", "--checkers", "1", *arguments]
        settings["RCLONE_FTP_CONCURRENCY"] = "1"
    arguments = [str(word).replace("remote:", ":ftp:") for word in arguments]
    return c.run(*BASE, *arguments, env=settings)


@rclone.operation("copy down, odd names (MLSD)", on=EVERY)
def _(c):
    run(c, "copy", "remote:tree/names", c.out)
    c.same_tree(c.out, c.tree / "names")


@rclone.operation("copy down, odd names (LIST)")
def _(c):
    run(c, "copy", "remote:tree/names", c.out, disable_mlsd="true")
    c.same_tree(c.out, c.tree / "names")


@rclone.operation("copy down, all", on=EVERY)
def _(c):
    # It takes what MLSD calls a link for a file: that is only one to a folder.
    folder = "links/to-folder"
    run(c, "copy", "--exclude", f"/{folder}", "remote:tree", c.out, "--create-empty-src-dirs")
    c.same_tree(c.out, c.tree, want_links="follow", leave_out=[folder])
    c.same_time(c.out / "text/lines.txt", c.tree / "text/lines.txt")


@rclone.operation("copy up, all", on=EVERY)
def _(c):
    run(c, "copy", "-L", c.tree, f"remote:{c.up}", "--create-empty-src-dirs")
    c.same_tree(c.arrived, c.tree, want_links="follow")
    # By MFMT.
    c.same_time(c.arrived / "text/lines.txt", c.tree / "text/lines.txt")
    again = run(c, "copy", "-L", "-v", c.tree, f"remote:{c.up}").text
    if "Copied" in again:
        raise Failed(f"copied again: {again[-200:]!a}")


@rclone.operation("sync, check, sync", on=("clear", "tls", "implicit"))
def _(c):
    run(c, "sync", "--exclude", "/links/**", "--exclude", "/big/**", c.tree, f"remote:{c.up}")
    (c.arrived / "many/file-007.bin").unlink()
    (c.arrived / "many/not there.bin").write_bytes(b"to be removed")
    (c.arrived / "text/lines.txt").write_bytes(b"changed")
    sides = ["--exclude", "/links/**", "--exclude", "/big/**", c.tree, f"remote:{c.up}"]
    try:
        run(c, "check", *sides)
    except Failed:
        pass
    else:
        raise Failed("check finds no difference")
    run(c, "sync", *sides)
    run(c, "check", "--download", *sides)
    got = run(c, "sync", "-v", "--size-only", *sides).text
    if "Copied" in got or "Deleted" in got:
        raise Failed(f"synced again: {got[-200:]!a}")
    left_out = ["links", "big", "empty folder"]
    want = c.fresh("want")
    for name in os.listdir(c.tree):
        if name not in left_out:
            (want / name).symlink_to(c.tree / name)
    c.same_tree(c.arrived, want, want_links="follow")


@rclone.operation("sync by time")
def _(c):
    """The time that MLSD tells is the file's own, and what is as new is not copied again."""
    got = json.loads(run(c, "lsjson", "remote:tree/text").out)
    c.equal(got[0]["ModTime"], "2023-11-14T22:13:20Z", "time")
    run(c, "copy", "remote:tree/text", c.out)
    again = run(c, "copy", "-v", "remote:tree/text", c.out).text
    if "Copied" in again:
        raise Failed(f"copied again: {again[-200:]!a}")


@rclone.operation("lsl, lsf, size, tree of folders")
def _(c):
    lines = run(c, "lsl", "remote:tree/many").out.decode().splitlines()
    c.equal(len(lines), 300, "lines")
    names = run(c, "lsf", "remote:tree/names").out.decode().splitlines()
    c.names(names, "names")
    c.equal(json.loads(run(c, "size", "--json", "remote:tree/many").out)["count"], 300, "count")
    folders = run(c, "lsf", "-R", "--dirs-only", "remote:tree/deep 1").out.splitlines()
    c.equal(len(folders), 11, "folders")


@rclone.operation("moveto, mkdir, rmdir, deletefile, purge")
def _(c):
    (c.arrived / "a b/c").mkdir(parents=True)
    (c.arrived / "a b/c/one").write_bytes(b"one")
    run(c, "moveto", f"remote:{c.up}/a b/c/one", f"remote:{c.up}/new/é one")
    c.equal((c.arrived / "new/é one").read_bytes(), b"one", "content")
    run(c, "moveto", f"remote:{c.up}/a b", f"remote:{c.up}/moved folder")
    c.equal(sorted(os.listdir(c.arrived)), ["moved folder", "new"], "folder")
    run(c, "mkdir", f"remote:{c.up}/x/y")
    run(c, "rmdir", f"remote:{c.up}/x/y")
    run(c, "deletefile", f"remote:{c.up}/new/é one")
    run(c, "purge", f"remote:{c.up}/moved folder")
    c.equal(sorted(os.listdir(c.arrived)), ["new", "x"], "folder")


@rclone.operation("cat with offset, rcat")
def _(c):
    got = run(c, "cat", "--offset", "1000000", "--count", "100", "remote:tree/big/large.bin").out
    c.equal(got, c.large.read_bytes()[1_000_000:1_000_100], "range")
    run(c, "copyto", c.tree / "text/lines.txt", f"remote:{c.up}/copied")
    c.same_file(c.arrived / "copied", c.tree / "text/lines.txt")


@rclone.operation("passive: PASV")
def _(c):
    run(c, "copy", "remote:tree/many", c.out, disable_epsv="true")
    c.same_tree(c.out, c.tree / "many")


@rclone.operation("anonymous, refused upload", on=EVERY)
def _(c):
    run(c, "copy", "remote:tree/text", c.out, server=c.reader)
    c.same_tree(c.out, c.tree / "text")
    try:
        run(c, "copy", c.out, "remote:up/refused", server=c.reader)
    except Failed:
        return
    raise Failed("the server for reading let itself be written")
