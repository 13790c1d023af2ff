"""Apache commons-net, by the methods of its FTPClient and FTPSClient."""

from everyday import Everyday
from harness import Client
from library import INSTALLED

FOLDER = INSTALLED / "commons-net"
JARS = ["/usr/share/java/commons-net.jar", "/usr/share/java/gson.jar"]

commons_net = Client("commons-net", "java", built=FOLDER / "CommonsNet.class")

NO_RESUMPTION = {"require": "FTPSClient does not resume the TLS session for data"}

# Its programs are short: many threads would cost more than they bring.
JAVA = ["java", "-XX:+UseSerialGC", "-Xshare:auto"]
JAVA += ["-cp", ":".join([str(FOLDER), *JARS]), "CommonsNet"]

everyday = Everyday(commons_net, JAVA, cannot={"": NO_RESUMPTION})


@commons_net.operation("list (LIST)")
def _(c):
    [entries] = everyday.run(c, ("list (LIST)", "tree/names"))
    everyday.compare_listing(c, entries, "names")


@commons_net.operation("EPSV, STOU, MFMT")
def _(c):
    lines = c.tree / "text/lines.txt"
    operations = [("enter", c.up), ("put unique", lines), ("put", lines, "file")]
    operations += [("get", "file", c.out / "file"), ("set time", "file", "20231114221320")]
    everyday.run(c, *operations, mode="extended")
    c.same_file(c.out / "file", lines)
    c.same_time(c.arrived / "file", lines)
    unique = [path for path in c.arrived.iterdir() if path.name != "file"]
    c.equal(len(unique), 1, "files that were named by the server")
    c.same_file(unique[0], lines)
