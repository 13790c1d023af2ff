#!/usr/bin/env python3
"""Builds Debian's package, and tries it in a clean Debian: installs it, runs what its unit runs, transfers
a file, upgrades it, removes and purges it. Then the program alone, as Containerfile has it.

Needs root and what install has installed. All of it has a network of its own, in which port 21 is free.
"""

import configparser
import contextlib
import ftplib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CLEAN = ROOT / "target/deb/clean"
CONTENT = os.urandom(3_000_000)
PATIENCE_SECONDS = 30
# As high as systemd-analyze may find the unit's exposure, of 10.
EXPOSURE = 2.2


def run(*command, **options):
    """Runs a command, and returns what it says; what it says of a failure is shown."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def build(revision):
    tools = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wharf-ci/bin"
    environment = dict(os.environ, PATH=f"{os.environ['PATH']}:{tools}")
    said = run("contrib/debian/build", "--fast", "--deb-revision", revision, cwd=ROOT, env=environment)
    package = Path(said.splitlines()[-1])
    moved = ROOT / "target/deb" / package.name
    shutil.move(package, moved)
    return moved


class Debian:
    """A Debian in a folder."""

    def __init__(self, root):
        self.root = root
        run("cp", "-a", "--reflink=auto", CLEAN, root)
        run("mount", "-t", "proc", "proc", root / "proc")
        run("mount", "--bind", "/dev", root / "dev")

    def run(self, *command, **options):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        return run("chroot", self.root, *command, env=environment, **options)

    def install(self, package):
        shutil.copy(package, self.root / "tmp")
        self.run("dpkg", "-i", f"/tmp/{package.name}")

    def has(self, path):
        return (self.root / path.lstrip("/")).exists()

    @contextlib.contextmanager
    def service(self):
        """Runs what the unit runs: as its user, with its options and capabilities, and no other."""
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str
        unit.read(self.root / "usr/lib/systemd/system/wharf.service")
        unit = unit["Service"]
        assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
        program, *arguments = unit["ExecStart"].split()
        file = (self.root / unit["EnvironmentFile"].lstrip("/")).read_text()
        # Comments aside, quotes are the shell's.
        variables = dict(word.split("=", 1) for word in shlex.split(file, comments=True))
        options = [word for argument in arguments
                   for word in (shlex.split(variables[argument[1:]]) if argument[0] == "$" else [argument])]
        capability = "-all,+net_bind_service"
        become = ["setpriv", "--reuid", unit["User"], "--regid", unit["User"], "--init-groups",
                  "--no-new-privs", f"--bounding-set={capability}", f"--inh-caps={capability}",
                  f"--ambient-caps={capability}"]
        found = self.run("which", program).strip()
        with started(["chroot", self.root, *become, found, *options]):
            yield


@contextlib.contextmanager
def started(command):
    """Runs the program until the end of the block, and expects it to be well at its end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    try:
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            if not line:
                sys.exit(f"{shlex.join(map(str, command))}: it ended:\n{said}")
            said += line
        yield process
        process.terminate()
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0 and "Stopped." in rest, rest
        assert "WARN" not in said, said
    finally:
        process.kill()
        process.wait()


def log_in(port, *credentials):
    ftp = ftplib.FTP(timeout=PATIENCE_SECONDS)
    ftp.connect("127.0.0.1", port)
    ftp.login(*credentials)
    return ftp


def fetch(ftp, name):
    content = io.BytesIO()
    ftp.retrbinary(f"RETR {name}", content.write)
    return content.getvalue()


def try_package(first, second, folder):
    debian = Debian(folder / "debian")
    debian.install(first)
    print("installed:", debian.run("/usr/bin/wharf", "--version").strip())
    assert debian.run("id", "-nG", "wharf").split() == ["wharf"]
    assert "/srv/ftp:/usr/sbin/nologin" in debian.run("getent", "passwd", "wharf")
    assert debian.run("stat", "-c", "%U:%G %a", "/etc/wharf/accounts.toml", "/srv/ftp").split("\n")[:2] == [
        "root:wharf 640", "wharf:wharf 755"]
    for page in ("wharf", "wharf-check", "wharf-passwd"):
        assert ".SH" in run("zcat", debian.root / f"usr/share/man/man1/{page}.1.gz")
    complete = 'source "$0"; COMP_WORDS=(wharf --tls-ce); COMP_CWORD=1; _wharf wharf --tls-ce wharf; echo "${COMPREPLY[@]}"'
    said = run("bash", "-c", complete, debian.root / "usr/share/bash-completion/completions/wharf")
    assert said.strip() == "--tls-cert", said
    harden(debian.root)

    # It is not started before an administrator has said for whom.
    assert not list((debian.root / "etc/systemd/system").rglob("wharf.service"))
    check = "eval wharf check $(. /etc/default/wharf; echo $OPTIONS)"
    mistake = debian.run("sh", "-c", f"{check}; test $? = 1")
    assert "/etc/wharf/accounts.toml" in mistake and "nobody could log in" in mistake, mistake

    # What an administrator does.
    accounts = debian.root / "etc/wharf/accounts.toml"
    add = ("wharf", "user", "add", "anna", "--accounts", "/etc/wharf/accounts.toml", "--root", "anna", "--write")
    debian.run(*add, input="harbour\n")
    written = accounts.read_text()
    assert 'name = "anna"' in written
    debian.run("install", "-d", "-o", "wharf", "-g", "wharf", "/srv/ftp/anna")
    options = debian.root / "etc/default/wharf"
    options.write_text(options.read_text().replace('toml"', 'toml --login-delay 0 --verbose"'))
    assert "nobody" not in debian.run("sh", "-c", check)
    with debian.service():
        ftp = log_in(21, "anna", "harbour")
        ftp.storbinary("STOR cargo.bin", io.BytesIO(CONTENT))
        assert fetch(ftp, "cargo.bin") == CONTENT
        ftp.quit()
    print("transferred:", len(CONTENT), "bytes each way")

    debian.install(second)
    version = debian.run("dpkg-query", "-W", "wharf").split()[1]
    assert version.endswith("-2"), version
    assert "--login-delay 0" in options.read_text() and accounts.read_text() == written
    assert debian.run("stat", "-c", "%U:%G %a", "/etc/wharf/accounts.toml").strip() == "root:wharf 640"
    with debian.service():
        assert fetch(log_in(21, "anna", "harbour"), "cargo.bin") == CONTENT
    print("upgraded:", version)

    debian.run("dpkg", "-r", "wharf")
    assert not debian.has("usr/bin/wharf") and debian.has("etc/default/wharf") and accounts.exists()
    debian.run("dpkg", "-P", "wharf")
    left = [str(path) for folder in ("etc", "usr", "var/lib/systemd") if debian.has(folder)
            for path in (debian.root / folder).rglob("*wharf*")]
    assert not left, left
    assert (debian.root / "srv/ftp/anna/cargo.bin").read_bytes() == CONTENT
    print("removed and purged: what was served is left, and nothing else")


def harden(root):
    """Asks systemd what it thinks of the unit."""
    unit = root / "usr/lib/systemd/system/wharf.service"
    said = run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
    exposure = float(re.search(r"exposure level for wharf.service: ([\d.]+)", said)[1])
    assert exposure <= EXPOSURE, said
    print("exposure by systemd-analyze:", exposure)


def try_container(folder):
    """Runs what Containerfile says, of which no image can be had here, in a folder with nothing else."""
    root = folder / "container"
    text = (ROOT / "Containerfile").read_text().split("FROM scratch\n")[1]
    lines = dict(line.split(" ", 1) for line in text.splitlines() if line and line[0] not in "#C")
    source, program = re.search(r"COPY --from=build /build/(\S+/wharf) (\S+)", text).groups()
    assert [program] == json.loads(lines["ENTRYPOINT"])
    command = json.loads(re.search(r"^CMD (.*)", text, re.M)[1])
    served = root / lines["WORKDIR"].lstrip("/")
    served.mkdir(parents=True)
    (served / "cargo.bin").write_bytes(CONTENT)
    (root / program.lstrip("/")).parent.mkdir(parents=True)
    shutil.copy(ROOT / source, root / program.lstrip("/"))
    with started(["chroot", f"--userspec={lines['USER']}", root, program, *command]):
        assert fetch(log_in(2121, "anonymous", "x"), "cargo.bin") == CONTENT
    # Names are found without a library too.
    (root / "etc").mkdir()
    (root / "etc/hosts").write_text("127.0.0.1 quay\n")
    (root / "etc/passwd").write_text("keeper:x:4711:4711::/:\n")
    (root / "etc/group").write_text("keeper:x:4711:\n")
    named = [root, program, "/srv/ftp", "--listen", "quay:2121", "--run-as", "keeper"]
    with started(["chroot", *named]) as process:
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Uid:\t4711\t4711\t4711", status, re.M), status
    print("the program alone, as in a container: serves, and knows names")


def main():
    if os.geteuid() != 0:
        print("left out: it needs root")
        return
    if "--inside" not in sys.argv:
        first, second = build("1"), build("2")
        print(f"{first.name}: {first.stat().st_size / 1e6:.1f} MB")
        if shutil.which("lintian"):
            print(run("lintian", "--allow-root", "--fail-on", "error", first), end="")
        arguments = ["--net", "--mount", sys.executable, __file__, "--inside", first, second]
        sys.stdout.flush()
        os.execvp("unshare", ["unshare", *map(str, arguments)])
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory(dir=ROOT / "target/deb") as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        try:
            try_package(*map(Path, sys.argv[-2:]), folder)
        finally:
            # What is mounted must not be there when the folder is removed: it is the machine's own.
            for mount in ("proc", "dev"):
                if os.path.ismount(folder / "debian" / mount):
                    subprocess.run(["umount", "--lazy", folder / "debian" / mount], check=True)
        try_container(folder)


main()
