"""GNU Wget."""

import os

from harness import Client
from transport import EVERY

wget = Client("wget", "wget")
wget.without("uploads, append", "wget only downloads")

BASE = ["wget", "--no-config", "-nv", "--tries=1", "--timeout=10"]
BASE += ["--restrict-file-names=nocontrol"]

# It skips spaces before a name in a listing, and takes %41 for an A in the name of its own file.
CANNOT = [" leading space.txt", "percent%41.txt"]


def run(c, *arguments, **keywords):
    if c.tls:
        version = f"--secure-protocol=TLSv{c.tls.replace('.', '_')}"
        implicit = ["--ftps-implicit"] if c.implicit else []
        arguments = [f"--ca-certificate={c.certificate}", version, *implicit, *arguments]
    return c.run(*BASE, *arguments, **keywords)


def url(c, *arguments, **keywords):
    """Its ftps:// is explicit TLS, too."""
    made = c.url(*arguments, **keywords)
    return made.replace("ftp://", "ftps://") if c.tls else made


def recurse(c, path, *options):
    cut = path.rstrip("/").count("/") + 1
    run(c, "-r", "-l", "20", "-nH", f"--cut-dirs={cut}", *options, "-P", c.out, url(c, path))


@wget.operation("-r, odd names", on=EVERY)
def _(c):
    recurse(c, "tree/names/")
    (c.out / "percentA.txt").unlink()
    c.same_tree(c.out, c.tree / "names", leave_out=CANNOT)


@wget.operation("-r, all")
def _(c):
    recurse(c, "tree/")
    (c.out / "names/percentA.txt").unlink()
    # It follows links, but none to a folder.
    left_out = ["links/to-folder", *(f"names/{name}" for name in CANNOT)]
    c.same_tree(c.out, c.tree, want_links="follow", leave_out=left_out)


@wget.operation("-r --no-retr-symlinks")
def _(c):
    recurse(c, "tree/links/", "--no-retr-symlinks")
    c.same_tree(c.out, c.tree / "links")


@wget.operation("-N, twice")
def _(c):
    recurse(c, "tree/many/", "-N")
    c.same_tree(c.out, c.tree / "many")
    run(c, "-N", "-P", c.out, url(c, "tree/many/file-299.bin"))
    before = (c.out / "file-299.bin").stat().st_ctime_ns
    run(c, "-N", "-P", c.out, url(c, "tree/many/file-299.bin"))
    c.equal((c.out / "file-299.bin").stat().st_ctime_ns, before, "time of change")


@wget.operation("-c", on=EVERY)
def _(c):
    part = c.part_of_large(c.out / "large.bin")
    run(c, "-c", "-P", c.out, url(c, "tree/big/large.bin"))
    c.same_file(part, c.large)
    run(c, "-c", "-P", c.out, url(c, "tree/big/large.bin"))
    c.same_file(part, c.large)


@wget.operation("--start-pos")
def _(c):
    run(c, "--start-pos=67108800", "-O", c.out / "end", url(c, "tree/big/large.bin"))
    c.equal((c.out / "end").read_bytes(), c.large.read_bytes()[-64:], "content")


@wget.operation("active")
def _(c):
    recurse(c, "tree/many/", "--no-passive-ftp")
    c.same_tree(c.out, c.tree / "many")


@wget.operation("by pattern")
def _(c):
    run(c, "-P", c.out, url(c, "tree/many/") + "file-01?.b*")
    c.equal(sorted(os.listdir(c.out)), [f"file-01{n}.bin" for n in range(10)], "files")


@wget.operation("ASCII")
def _(c):
    got = run(c, "-O", "-", url(c, "tree/text/lines.txt") + ";type=a").out
    want = (c.tree / "text/lines.txt").read_bytes().replace(b"\n", b"\r\n")
    c.equal(got, want, "text")


@wget.operation("anonymous", on=EVERY)
def _(c):
    address = url(c, "tree/text/lines.txt", c.reader, login=False)
    c.equal(run(c, "-O", "-", address).out, (c.tree / "text/lines.txt").read_bytes(), "text")


@wget.operation("refusals")
def _(c):
    run(c, url(c, "tree/none"), ok=[8])
    run(c, url(c, "tree/text/lines.txt").replace("u:p", "u:q"), ok=[6])


@wget.operation("data in clear (--ftps-clear-data-connection)", on=("tls", "tls1.2"))
def _(c):
    recurse(c, "tree/many/", "--ftps-clear-data-connection")
    c.same_tree(c.out, c.tree / "many")


@wget.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    text = c.run(*BASE, "-d", c.url("tree/text/lines.txt"), ok=[4, 6]).text
    c.equal("\n530 " in text, True, "530 is said")
