"""FileZilla, on a screen of its own: by its queue, and by its lists as a user has them."""

import os
import re
import sqlite3
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from harness import Client, Failed
from transport import EVERY, MOST

filezilla = Client("filezilla", "filezilla", needs=["Xvfb", "xdotool"])
filezilla.without("append", "FileZilla has no APPE: it resumes by REST")

# Its own numbers, as its files have them.
INSECURE_FTP, IMPLICIT, EXPLICIT = 6, 3, 4
DOWNLOAD = 0x10
NORMAL_LOGON, NORMAL_PRIORITY = 1, 2
RESUME = 5
CLOSE_AFTER_QUEUE, NOTHING_AFTER_QUEUE = 3, 0

# What FileZilla 3.63 writes itself, and reads when it starts.
QUEUE = """
CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, host TEXT NOT NULL,
    port INTEGER, user TEXT, password TEXT, account TEXT, keyfile TEXT, protocol INTEGER,
    type INTEGER, logontype INTEGER, timezone_offset INTEGER, transfer_mode TEXT,
    max_connections INTEGER, encoding TEXT, bypass_proxy INTEGER, post_login_commands TEXT,
    name TEXT, parameters TEXT, site_path TEXT DEFAULT NULL);
CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, server INTEGER NOT NULL,
    source_file TEXT, target_file TEXT, local_path INTEGER, remote_path INTEGER, size INTEGER,
    error_count INTEGER, priority INTEGER, flags INTEGER, default_exists_action INTEGER,
    extra_flags TEXT);
CREATE INDEX server_index ON files (server);
CREATE TABLE local_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
CREATE TABLE remote_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
PRAGMA user_version = 7;
"""

# How many run at once, and how long one may take: it starts slowly, and where many do, very slowly.
PLACES = threading.Semaphore(2)
LIMIT_SECONDS = 180

# Places on the screen, in the lists of files.
LOCAL_LIST, REMOTE_LIST = (300, 700), (900, 700)
SCREEN = "1280x900x24"


def protocol(c) -> int:
    return INSECURE_FTP if not c.tls else IMPLICIT if c.implicit else EXPLICIT


def document(text: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<FileZilla3>{text}</FileZilla3>\n'


def safe_path(path: str) -> str:
    """Returns a path of the server as FileZilla keeps it: of Unix, and each part with its length."""
    return "1 0" + "".join(f" {len(part)} {part}" for part in path.split("/") if part)


class Screen:
    """A FileZilla that runs with settings of its own."""

    def __init__(self, c, server=None, **options):
        self.c, self.server = c, server or c.wharf
        self.port = c.port(self.server)
        self.home = c.fresh(f"home-{len(c.said)}")
        self.folder = self.home / ".config/filezilla"
        self.folder.mkdir(parents=True)
        self.log = self.home / "log"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TZ": "UTC"}
        self.environment |= {"LC_ALL": "C.UTF-8", "NO_AT_BRIDGE": "1", "GTK_THEME": "Adwaita"}
        self._write_settings(options)
        self._write_trust()
        self._write_site()

    def _write_settings(self, options: dict):
        settings = {
            "Greeting version": "99.0.0",
            "Update Check": 0,
            "Disable update footer": 1,
            "Show quickconnect bar": 0,
            "Window position and size": "0 0 0 1200 850",
            "Logging file": self.log,
            "Logging filesize limit": 0,
            "Logging Debug Level": 1,
            "Queue completion action": CLOSE_AFTER_QUEUE,
            "Reconnect count": 0,
            "Preserve timestamps": 1,
            "Minimum TLS Version": 3 if self.c.tls == "1.3" else 2,
            **options,
        }
        lines = [f'<Setting name="{key}">{value}</Setting>' for key, value in settings.items()]
        text = document("<Settings>" + "".join(lines) + "</Settings>")
        (self.folder / "filezilla.xml").write_text(text)
        if self.c.tls == "1.2":
            priorities = self.home / "gnutls"
            priorities.write_text("[overrides]\ndisabled-version = tls1.3\n")
            self.environment["GNUTLS_SYSTEM_PRIORITY_FILE"] = str(priorities)

    def _write_trust(self):
        if not self.c.tls:
            hosts = f'<InsecureHosts><Host Port="{self.port}">127.0.0.1</Host></InsecureHosts>'
            (self.folder / "trustedcerts.xml").write_text(document(hosts))
            return
        data = ssl.PEM_cert_to_DER_cert(self.c.certificate.read_text()).hex()
        now, day = int(time.time()), 86400
        lines = [f"<Data>{data}</Data><Host>127.0.0.1</Host><Port>{self.port}</Port>"]
        lines += [f"<ActivationTime>{now - day}</ActivationTime>"]
        lines += [f"<ExpirationTime>{now + day}</ExpirationTime><TrustSANs>1</TrustSANs>"]
        certificate = f"<Certificate>{''.join(lines)}</Certificate>"
        text = document(f"<TrustedCerts>{certificate}</TrustedCerts>")
        (self.folder / "trustedcerts.xml").write_text(text)

    def _write_site(self):
        password = b64encode(self.server.password.encode()).decode()
        lines = [f"<Host>127.0.0.1</Host><Port>{self.port}</Port>"]
        lines += [f"<Protocol>{protocol(self.c)}</Protocol><Type>0</Type>"]
        lines += [f"<User>{self.server.user}</User><Pass encoding='base64'>{password}</Pass>"]
        lines += [f"<Logontype>{NORMAL_LOGON}</Logontype><Name>site</Name>"]
        self.site = "".join(lines)

    def open_at(self, local: Path, remote: str):
        """Has the site open these folders."""
        folders = f"<LocalDir>{escape(str(local))}</LocalDir>"
        folders += f"<RemoteDir>{escape(safe_path(remote))}</RemoteDir>"
        text = document(f"<Servers><Server>{self.site}{folders}</Server></Servers>")
        (self.folder / "sitemanager.xml").write_text(text)

    def queue(self, files, mode="default"):
        """Fills the queue: flags, a file's name, its folder here, and that on the server."""
        database = sqlite3.connect(self.folder / "queue.sqlite3")
        database.executescript(QUEUE)
        columns = "id, host, port, user, password, protocol, type, logontype, timezone_offset, "
        columns += "transfer_mode, max_connections, encoding, bypass_proxy"
        server = (1, "127.0.0.1", self.port, self.server.user, self.server.password)
        server += (protocol(self.c), 0, NORMAL_LOGON, 0, mode, 0, "Auto", 0)
        database.execute(f"INSERT INTO servers ({columns}) VALUES ({','.join('?' * 13)})", server)
        for flags, name, local, remote in files:
            paths = []
            for table, path in ("local_paths", f"{local}/"), ("remote_paths", safe_path(remote)):
                done = database.execute(f"INSERT INTO {table} (path) VALUES (?)", (path,))
                paths.append(done.lastrowid)
            columns = "server, source_file, local_path, remote_path, priority, flags"
            row = (1, name, *paths, NORMAL_PRIORITY, flags)
            database.execute(f"INSERT INTO files ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
        database.commit()
        database.close()

    @contextmanager
    def running(self, *arguments):
        """Runs it, until it has ended itself, which has to be in time."""
        with PLACES, self._display() as display:
            self.environment["DISPLAY"] = display
            self.until = time.monotonic() + LIMIT_SECONDS
            with open(self.home / "output", "wb") as output:
                command = ["filezilla", *arguments]
                where = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
                self.process = subprocess.Popen(command, env=self.environment, **where)
            try:
                yield self
                self.wait(lambda: self.process.poll() is not None, "its end")
            except (Failed, subprocess.TimeoutExpired) as failed:
                raise Failed(f"{failed}; windows: {self.windows()}") from None
            finally:
                self.process.kill()
                self.process.wait()
                self.c.said.append(f"$ {' '.join(command)}\n{self.text()}")
        if self.process.returncode != 0:
            raise Failed(f"exit code {self.process.returncode}")

    @contextmanager
    def _display(self):
        reader, writer = os.pipe()
        command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL, **quiet)
        os.close(writer)
        try:
            with open(reader) as numbers:
                number = numbers.readline().strip()
            if not number:
                raise Failed("Xvfb did not start")
            yield f":{number}"
        finally:
            server.terminate()
            server.wait()

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait(self, condition, what: str):
        while not condition():
            if time.monotonic() > self.until:
                raise Failed(f"took more than {LIMIT_SECONDS} s: waited for {what}")
            if what != "its end" and self.process.poll() is not None:
                raise Failed(f"ended with {self.process.returncode} before {what}")
            time.sleep(0.02)

    def wait_for(self, text: str, times=1):
        """Waits until the log has a text so many times."""
        self.wait(lambda: self.text().count(text) >= times, f"{text!a} in the log")

    def do(self, *arguments, check=True) -> str:
        command = ["xdotool", *map(str, arguments)]
        patience = max(1, self.until - time.monotonic())
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=patience)
        if check and done.returncode != 0:
            raise Failed(f"{command}: {done.stderr.decode(errors='replace')!a}")
        return done.stdout.decode(errors="replace")

    def windows(self) -> list:
        done = self.do("search", "--onlyvisible", "--name", ".", "getwindowname", "%@", check=False)
        return done.splitlines()

    def repeat(self, action, done, what: str):
        """Does something until it had an effect: input that comes too early is not noticed."""
        while not done():
            action()
            patience = min(time.monotonic() + 3, self.until)
            while not done() and time.monotonic() < patience:
                time.sleep(0.02)
            if time.monotonic() > self.until:
                raise Failed(f"took more than {LIMIT_SECONDS} s: waited for {what}")

    def choose(self, place, key: str, done, what: str):
        """Selects all in a list, and chooses from its menu, until that had an effect."""

        def action():
            self.do("key", "Escape", "mousemove", *place, "click", "1", "key", "ctrl+a", "Menu")
            # The menu has no name to wait for.
            time.sleep(0.3)
            self.do("key", key)

        self.repeat(action, done, what)

    def answer(self, title: str, text=None):
        """Gives a dialog a text, and presses its last button, which takes it."""
        number = self.do("search", "--sync", "--onlyvisible", "--name", title).split()[0]
        if text is not None:
            # No window manager is there to give it the focus.
            self.do("windowfocus", "--sync", number, "key", "ctrl+a", "type", text)
        shape = dict(re.findall(r"(\w+)=(\d+)", self.do("getwindowgeometry", "--shell", number)))
        corner = int(shape["WIDTH"]) - 60, int(shape["HEIGHT"]) - 24
        self.do("mousemove", "--window", number, *corner, "click", "1")


def process_queue(c, files, mode="default", server=None, **options) -> str:
    """Has a queue processed, after which FileZilla closes; returns its log."""
    screen = Screen(c, server, **options)
    screen.queue(files, mode)
    with screen.running():
        screen.do("search", "--sync", "--onlyvisible", "--name", "FileZilla")
        begun = lambda: screen.text() != ""
        screen.repeat(lambda: screen.do("key", "ctrl+p"), begun, "the queue's beginning")
    return screen.text()


def names_both_ways(c, mode="default"):
    names = os.listdir(c.tree / "names")
    files = [(DOWNLOAD, name, c.out, "tree/names") for name in names]
    process_queue(c, files + [(0, name, c.tree / "names", c.up) for name in names], mode)
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived, c.tree / "names")


@filezilla.operation("queue: get, put, odd names", on=EVERY)
def _(c):
    names_both_ways(c)
    c.same_time(c.out / "plain.txt", c.tree / "names/plain.txt")
    c.same_time(c.arrived / "plain.txt", c.tree / "names/plain.txt")


@filezilla.operation("queue: active")
def _(c):
    names_both_ways(c, "active")


@filezilla.operation("queue: get, put 64 MiB", on=EVERY)
def _(c):
    big = c.tree / "big"
    text = process_queue(
        c, [(DOWNLOAD, "large.bin", c.out, "tree/big"), (0, "large.bin", big, c.up)]
    )
    c.same_file(c.out / "large.bin", c.large)
    c.same_file(c.arrived / "large.bin", c.large)
    c.equal("resum" in text.lower() and c.tls == "", False, "resumption")


@filezilla.operation("queue: get, put resumed", on=EVERY)
def _(c):
    actions = {"File exists action download": RESUME, "File exists action upload": RESUME}
    down, up = c.part_of_large(c.out / "large.bin"), c.part_of_large(c.arrived / "large.bin")
    files = [(DOWNLOAD, "large.bin", c.out, "tree/big"), (0, "large.bin", c.tree / "big", c.up)]
    text = process_queue(c, files, **actions)
    c.same_file(down, c.large)
    c.same_file(up, c.large)
    c.equal(text.count("REST 10000000"), 2, "REST")


@filezilla.operation("queue: refusals", on=MOST)
def _(c):
    (c.out / "refused").write_bytes(b"refused")
    files = [(DOWNLOAD, "none", c.out, "tree"), (0, "refused", c.out, "up")]
    files += [(DOWNLOAD, "lines.txt", c.out, "tree/text")]
    text = process_queue(c, files, server=c.reader)
    c.equal(text.count("Response: 550 ") >= 2, True, "550 is said")
    c.same_file(c.out / "lines.txt", c.tree / "text/lines.txt")
    c.equal((c.root / "up/refused").exists(), False, "an upload to the server for reading")


# Links: it leaves out all of them on the way up, and on the way down what MLSD calls a link, which
# is only one to a folder.
NOT_DOWN = ["links/to-folder"]


@contextmanager
def browsing(c, local: Path, remote: str, **options):
    """Opens a folder here and one on the server, and yields when both are listed."""
    screen = Screen(c, **options)
    screen.open_at(local, remote)
    with screen.running("-c", "0/site"):
        screen.wait_for("Directory listing of")
        yield screen


@filezilla.operation("by hand: download folders")
def _(c):
    with browsing(c, c.out, "tree") as screen:
        begun = lambda: "Status: Starting download" in screen.text()
        screen.choose(REMOTE_LIST, "d", begun, "a download")
    c.same_tree(c.out, c.tree, want_links="follow", leave_out=NOT_DOWN)


@filezilla.operation("by hand: upload folders")
def _(c):
    with browsing(c, c.tree, c.up) as screen:
        begun = lambda: "Status: Starting upload" in screen.text()
        screen.choose(LOCAL_LIST, "u", begun, "an upload")
    c.same_tree(c.arrived, c.tree, want_links="skip")


@filezilla.operation("by hand: rename, make, remove", on=EVERY)
def _(c):
    (c.arrived / "old name").write_bytes(b"12345")
    with browsing(c, c.out, c.up) as screen:
        x, y = REMOTE_LIST
        named = lambda: (c.arrived / "new name").exists()
        edit = ["mousemove", x, y, "click", "1", "key", "Home", "Down", "F2", "ctrl+a"]
        screen.repeat(lambda: screen.do(*edit, "type", "new name\n"), named, "the new name")
        asked = lambda: "Create directory" in screen.windows()
        screen.choose(REMOTE_LIST, "c", asked, "the question for a name")
        screen.answer("Create directory", f"/{c.up}/made")
        screen.wait(lambda: (c.arrived / "made").is_dir(), "the folder")
        screen.wait_for("Response: 257 ", 2)
        asked = lambda: "Confirmation needed" in screen.windows()
        screen.choose(REMOTE_LIST, "e", asked, "the question whether to delete")
        screen.answer("Confirmation needed")
        screen.wait(lambda: not os.listdir(c.arrived), "an empty folder")
        screen.do("key", "ctrl+q")


@filezilla.operation("an address to open", on=MOST)
def _(c):
    """It takes a password as it stands in the address, with each %41 in it: so without one."""
    scheme = "ftps" if c.implicit else "ftpes" if c.tls else "ftp"
    screen = Screen(c, c.reader)
    with screen.running(f"{scheme}://127.0.0.1:{c.port(c.reader)}/tree/names"):
        screen.wait_for('Directory listing of "/tree/names" successful')
        screen.do("key", "ctrl+q")
