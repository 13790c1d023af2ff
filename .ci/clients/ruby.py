"""Ruby's Net::FTP."""

import re

from everyday import PROGRAMS, Everyday, one_ticket
from harness import Client

ruby = Client("ruby", "ruby")

NO_IMPLICIT = {"implicit": "Net::FTP of Ruby 3.1 has explicit TLS only"}

CANNOT = {"": NO_IMPLICIT, **one_ticket("Net::FTP")}

everyday = Everyday(ruby, ["ruby", PROGRAMS / "client.rb"], cannot=CANNOT)


@ruby.operation("lines (LIST), status")
def _(c):
    lines, status = everyday.run(c, ("lines", "tree/names"), ("status",))
    listed = {re.split(" +", line, maxsplit=8)[8] for line in lines}
    # The split takes spaces before a name with it.
    c.names([name if name != "leading space.txt" else " " + name for name in listed], "names")
    c.equal(status[:3], "211", "reply to STAT")


@ruby.operation("text (ASCII)")
def _(c):
    """It turns line ends to those of the server, and back."""
    lines = c.tree / "text/lines.txt"
    down, up = c.out / "lines", f"{c.up}/lines"
    everyday.run(c, ("get text", "tree/text/lines.txt", down), ("put text", lines, up))
    for path in down, c.arrived / "lines":
        c.equal(path.read_bytes().rstrip(b"\n"), lines.read_bytes(), f"text of {path}")
