"""PHP's ftp extension, and its streams of ftp:// and ftps://."""

import re

from everyday import PROGRAMS, Everyday, one_ticket
from harness import Client
from openssl import settings
from transport import EVERY

php = Client("php", "php")

# ftp_ssl_connect sends AUTH TLS, always.
NO_IMPLICIT = {"implicit": "PHP's ftp extension has explicit TLS only"}

everyday = Everyday(
    php,
    ["php", "-d", "memory_limit=512M", PROGRAMS / "client.php"],
    cannot={"": NO_IMPLICIT, **one_ticket("PHP's ftp extension")},
    codes=False,
    environment=settings,
)


@php.operation("lines (LIST), raw, system, mode")
def _(c):
    (c.arrived / "file").write_bytes(b"x")
    operations = [("lines", "tree/names"), ("raw", "NOOP"), ("system",)]
    operations += [("mode", f"{c.up}/file", 0o600)]
    lines, reply, system, _ = everyday.run(c, *operations)
    listed = {re.split(" +", line, maxsplit=8)[8] for line in lines}
    # The split takes spaces before a name with it.
    c.names([name if name != "leading space.txt" else " " + name for name in listed], "names")
    c.equal((reply[0][:3], system), ("200", "UNIX"), "replies")
    c.equal(oct((c.arrived / "file").stat().st_mode & 0o777), "0o600", "mode")


@php.operation("in pieces (ftp_nb_get, ftp_nb_put)", on=EVERY, cannot=NO_IMPLICIT)
def _(c):
    down, up = c.out / "large", f"{c.up}/large"
    everyday.run(c, ("get in pieces", "tree/big/large.bin", down), ("put in pieces", down, up))
    c.same_file(down, c.large)
    c.same_file(c.arrived / "large", c.large)


@php.operation("ASCII")
def _(c):
    lines = c.tree / "text/lines.txt"
    down, up = c.out / "lines", f"{c.up}/lines"
    everyday.run(c, ("get ASCII", "tree/text/lines.txt", down), ("put ASCII", lines, up))
    c.same_file(c.out / "lines", lines)
    c.same_file(c.arrived / "lines", lines)
