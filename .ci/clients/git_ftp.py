"""git-ftp, which keeps a folder on the server as a Git repository is, by curl."""

import os
import shutil

from curl import NO_ACTIVE, ONE_TICKET
from harness import Client
from transport import EVERY

git_ftp = Client("git-ftp", "git-ftp", needs=["git", "curl"])
git_ftp.without("lists, resume, append", "git-ftp sends whole files, and leaves lists to lftp")

IN_A_ROW = {"require": ONE_TICKET}

# What it keeps on the server: the commit that is there.
MARK = ".git-ftp.log"

# It writes names as they are into a configuration of curl, and into an address, but for "#".
CANNOT = set('"\\?% ')
git_ftp.without("names with spaces or one of ? % \" \\", "git-ftp does not quote names for curl")


class Repository:
    """A repository that `up` is to be like."""

    def __init__(self, c):
        self.c, self.folder = c, c.fresh("repository")
        home = c.fresh("home")
        version = {"": "", "1.2": "tlsv1.2\ntls-max = 1.2\n", "1.3": "tlsv1.3\n"}
        (home / ".curlrc").write_text(version[c.tls])
        # On its command line, a password is ASCII.
        login = f'machine 127.0.0.1 login {c.wharf.user} password "{c.wharf.password}"'
        (home / ".netrc").write_text(login + "\n")
        self.environment = {"HOME": str(home)}
        self.git("init", "--quiet")

    def git(self, *arguments, **keywords):
        who = ["-c", "user.name=u", "-c", "user.email=u@example.org"]
        keywords |= {"cwd": self.folder, "env": self.environment}
        return self.c.run("git", *who, *arguments, **keywords)

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")

    def ftp(self, action: str, *options, server=None, to=None, **keywords):
        c = self.c
        scheme = "ftps" if c.implicit else "ftpes" if c.tls else "ftp"
        trust = ["--cacert", c.certificate] if c.tls else []
        login = ["--user", server.user, "--passwd", server.password] if server else []
        address = f"{scheme}://127.0.0.1:{c.port(server)}/{to or c.up}"
        return self.git("ftp", action, *login, *trust, *options, address, **keywords)

    def compare(self):
        """Compares what is committed with what arrived."""
        self.c.equal((self.c.arrived / MARK).exists(), True, "the mark is there")
        got = self.c.fresh(f"arrived-{len(self.c.said)}")
        shutil.copytree(self.c.arrived, got, symlinks=True, dirs_exist_ok=True)
        (got / MARK).unlink()
        want = self.c.fresh(f"committed-{len(self.c.said)}")
        self.git("--work-tree", want, "checkout", "--quiet", "--force", "HEAD", "--", ".")
        self.c.same_tree(got, want)


def change(folder):
    """Makes changes of each kind."""
    (folder / "plain.txt").write_bytes(b"changed")
    (folder / "amp&.txt").unlink()
    (folder / "hash#.txt").rename(folder / "renamed#.txt")
    (folder / "a/ü").mkdir(parents=True)
    (folder / "a/ü/file").write_bytes(b"new")


@git_ftp.operation("init, push, odd names", on=EVERY, cannot=IN_A_ROW)
def _(c):
    repository = Repository(c)
    for path in (c.tree / "names").iterdir():
        if not CANNOT & set(path.name):
            shutil.copy(path, repository.folder)
    repository.commit()
    repository.ftp("init")
    repository.compare()
    change(repository.folder)
    repository.commit()
    repository.ftp("push")
    repository.compare()
    c.equal("Everything up-to-date" in repository.ftp("push").text, True, "pushed again")


@git_ftp.operation("init, 64 MiB and folders")
def _(c):
    """Not many files: between two on one connection, curl can stand still for a second."""
    repository = Repository(c)
    for path in c.tree / "text/lines.txt", c.large:
        folder = repository.folder / "new/folders" / path.stem
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
    repository.commit()
    repository.ftp("init")
    repository.compare()


@git_ftp.operation("active", cannot=NO_ACTIVE)
def _(c):
    repository = Repository(c)
    shutil.copytree(c.tree / "text", repository.folder, dirs_exist_ok=True)
    repository.commit()
    repository.ftp("init", "--active")
    repository.compare()


@git_ftp.operation("catchup, show, refusals", on=EVERY)
def _(c):
    repository = Repository(c)
    shutil.copytree(c.tree / "text", repository.folder, dirs_exist_ok=True)
    repository.commit()
    repository.ftp("catchup")
    c.equal(os.listdir(c.arrived), [MARK], "files")
    commit = (c.arrived / MARK).read_text().strip()
    c.equal(commit in repository.ftp("show").text, True, "the commit is shown")
    repository.ftp("init", to="up", server=c.reader, ok=range(1, 100))
    c.equal((c.root / "up" / MARK).exists(), False, "an upload to the server for reading")


@git_ftp.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    repository = Repository(c)
    (repository.folder / "file").write_bytes(b"x")
    repository.commit()
    address = f"ftp://127.0.0.1:{c.wharf.port}/{c.up}"
    repository.git("ftp", "init", address, ok=range(1, 100))
    c.equal(os.listdir(c.arrived), [], "files")
