#!/usr/bin/env python3
"""Stores, cuts off, renames and removes on file systems that are not a developer's own.

Needs root, loop devices and FUSE; what this machine has not is named and left out. Each case is a
function; the program under test is a real one, and is asked by Python's ftplib.
"""

import argparse
import contextlib
import ftplib
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True

from mounts import Unavailable, mounted, run

NOBODY = 65534
PATIENCE_SECONDS = 20
CASES = []


def case(*kinds):
    """Registers a case: once, or for each kind of file system."""

    def register(function):
        CASES.extend((function, kind) for kind in kinds or [None])
        return function

    return register


class Server:
    """A wharf process that serves `folder` to the user "u" for writing."""

    def __init__(self, folder, *options, wrapper=(), program=None):
        self.log = tempfile.NamedTemporaryFile(mode="w+")
        command = [*wrapper, program or PROGRAM, folder, "--listen", "127.0.0.1:0", "--user", "u", "--write"]
        self.process = subprocess.Popen(
            [str(word) for word in [*command, *options]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, "WHARF_PASSWORD": "p"},
        )
        said = b""
        while not (match := re.search(rb"ftp://127\.0\.0\.1:(\d+)/", said)):
            line = self.process.stdout.readline()
            assert line, f"no start: {self.errors()}"
            said += line
        self.port = int(match[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def errors(self):
        return Path(self.log.name).read_text(errors="replace")

    def client(self):
        client = ftplib.FTP(encoding="utf-8")
        client.connect("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        client.login("u", "p")
        client.voidcmd("TYPE I")
        return client


def store(client, name, content, command="STOR"):
    data = client.transfercmd(f"{command} {name}".strip())
    try:
        data.sendall(content)
    except (ConnectionResetError, BrokenPipeError):
        pass  # The reply says why.
    finally:
        data.close()
    return client.voidresp()


def refused(action, *codes):
    """Returns the reply with which an action was refused."""
    try:
        reply = action()
    except ftplib.all_errors as error:
        assert str(error)[:3] in codes, f"{error}, not {codes}"
        return str(error)
    raise AssertionError(f"not refused: {reply}")


def cut_off(client, name, content, command="STOR"):
    """Begins an upload and resets both connections in the middle of it."""
    data = client.transfercmd(f"{command} {name}")
    data.sendall(content)
    time.sleep(0.3)  # The bytes are to be with the server before the reset, which overtakes them.
    for connection in (data, client.sock):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def eventually(what):
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.02)
    assert found, "waited in vain"
    return found


def free(folder):
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def as_nobody():
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@contextlib.contextmanager
def open_folder():
    """A folder on the machine's own disk that other users can enter."""
    with tempfile.TemporaryDirectory(prefix="wharf-fs-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


# The kinds of file systems.

ALL = ("ext4", "tmpfs", "overlay", "exfat", "ntfs", "vfat")


@case(*ALL)
def stores_and_replaces(kind):
    with mounted(kind) as folder, Server(folder) as server:
        client = server.client()
        client.mkd("d")
        for content in (b"one" * 1000, b"", b"two" * 100_000):
            store(client, "d/f", content)
            assert (folder / "d/f").read_bytes() == content
        store(client, "d/f", b"!", "APPE")
        assert (folder / "d/f").read_bytes() == b"two" * 100_000 + b"!"
        reply = store(client, "", b"unique", "STOU")
        assert reply.startswith("226"), reply
        client.rename("d/f", "d/g")
        assert os.listdir(folder / "d") == ["g"]
        client.delete("d/g")
        client.rmd("d")


@case(*ALL)
def cut_off_keeps_what_came(kind):
    with mounted(kind) as folder, Server(folder) as server:
        content = b"half" * 50_000
        cut_off(server.client(), "new", content)
        eventually(lambda: (folder / "new").exists())
        assert content.startswith((folder / "new").read_bytes())
        (folder / "old").write_bytes(b"old")
        cut_off(server.client(), "old", content)
        eventually(lambda: [name for name in os.listdir(folder) if "upload" in name] == [])
        assert (folder / "old").read_bytes() == b"old"


@case(*ALL)
def a_crash_leaves_nothing_for_long(kind):
    with mounted(kind) as folder:
        (folder / "d").mkdir()
        with Server(folder) as server:
            data = server.client().transfercmd("STOR d/f")
            data.sendall(b"half" * 50_000)
            server.kill()
            data.close()
        left = os.listdir(folder / "d")
        assert "f" not in left, left
        with Server(folder) as server:
            eventually(lambda: os.listdir(folder / "d") == [])
            if left:
                eventually(lambda: f"removed d/{left[0]}" in server.errors())
            # What another has left, that is known to be unlocked only when it is looked at.
            (folder / "d/.wharf-upload-1").write_bytes(b"x")
            server.client().rmd("d")
        if kind in ("ext4", "tmpfs"):
            assert not left, f"{kind} has files without a name"


@case("exfat", "ntfs", "vfat")
def a_name_that_is_refused_is_refused_at_once(kind):
    with mounted(kind) as folder, Server(folder) as server:
        client = server.client()
        names = ["a:b", "a?b", 'a"b', "x" * 200 + ":" + "x" * 40, ":" + "x" * 254]
        # ntfs-3g takes all that POSIX takes.
        taken = kind == "ntfs"
        for name in names + ["x" * 256]:
            for command in ("STOR", "APPE"):
                if taken and len(name) < 256:
                    store(client, name, b"x", command)
                    client.delete(name)
                    continue
                refused(lambda: client.transfercmd(f"{command} {name}").close(), "553")
            if not taken or len(name) == 256:
                refused(lambda: client.mkd(name), "550", "553")
        for name in ("x" * 255, "\u00e4" * 120, "a.b c", "CON"):
            store(client, name, b"x")
            assert name in os.listdir(folder), os.listdir(folder)
            client.delete(name)
        assert os.listdir(folder) in ([], ["System Volume Information"]), os.listdir(folder)


@case(*ALL)
def times_are_set_or_refused(kind):
    with mounted(kind) as folder, Server(folder) as server:
        client = server.client()
        store(client, "f", b"x")
        for time_value in ("20010909014640", "20200101120000", "19600101000000"):
            try:
                reply = client.voidcmd(f"MFMT {time_value} f")
            except ftplib.error_perm:
                assert time_value.startswith("1960"), "refused"
                continue
            said = re.search(r"\d{14}", reply)[0]
            assert said == client.sendcmd("MDTM f")[4:], reply
            assert abs(int(said) - int(time_value)) <= 2, f"{reply} for {time_value}"


@case(*ALL)
def another_letter_case_is_another_name(kind):
    with mounted(kind) as folder, Server(folder) as server:
        client = server.client()
        store(client, "file", b"x")
        client.mkd("folder")
        client.rename("file", "FILE")
        client.rename("folder", "FOLDER")
        assert sorted(os.listdir(folder)) in (["FILE", "FOLDER"], ["FILE", "FOLDER", "lost+found"])
        # Another folder is no letter case of this one.
        client.mkd("other")
        refused(lambda: client.rename("FOLDER", "other"), "550", "553")


# What has been written to the disk by the time of the reply.


@contextlib.contextmanager
def after_a_power_cut(folder):
    """Yields the folder as it is when the machine goes out now, and on again."""
    with tempfile.TemporaryDirectory(prefix="wharf-fs-") as place:
        image = Path(place) / "image"
        # What the system still holds in memory is not in the image.
        shutil.copy(folder.parent / "image", image)
        there = Path(place) / "mnt"
        there.mkdir()
        run("mount", "-o", "loop", image, there)
        try:
            yield there
        finally:
            run("umount", there)


@case("ext4")
def a_power_cut_keeps_what_was_acknowledged(kind):
    for options in ([], ["--no-atomic-uploads"]):
        with mounted(kind) as folder, Server(folder, *options) as server:
            client = server.client()
            (folder / "old").write_bytes(b"old")
            os.chmod(folder / "old", 0o640)
            (folder / "gone").write_bytes(b"gone")
            (folder / "dir-gone").mkdir()
            os.sync()
            content = os.urandom(300_000)

            def look(check):
                with after_a_power_cut(folder) as there:
                    assert check(there), (options, sorted(os.listdir(there)))

            store(client, "new", content)
            look(lambda there: (there / "new").read_bytes() == content)
            store(client, "old", content)
            look(lambda there: (there / "old").read_bytes() == content)
            look(lambda there: os.stat(there / "old").st_mode & 0o777 == 0o640)
            client.mkd("d")
            client.mkd("d/e")
            store(client, "d/e/f", content)
            look(lambda there: (there / "d/e/f").read_bytes() == content)
            store(client, "d/log", content, "APPE")
            store(client, "d/log", content, "APPE")
            look(lambda there: (there / "d/log").read_bytes() == content * 2)
            store(client, "", content, "STOU")
            look(lambda there: any(p.read_bytes() == content for p in there.glob("upload.*")))
            client.rename("new", "d/moved")
            look(lambda there: (there / "d/moved").exists() and not (there / "new").exists())
            client.delete("gone")
            client.rmd("dir-gone")
            look(lambda there: not (there / "gone").exists() and not (there / "dir-gone").exists())
            client.voidcmd("MFMT 20010909014640 old")
            look(lambda there: os.stat(there / "old").st_mtime == 1_000_000_000)
            client.voidcmd("SITE CHMOD 600 old")
            look(lambda there: os.stat(there / "old").st_mode & 0o777 == 0o600)


# What can be full.


@case("ext4", "tmpfs", "exfat", "ntfs")
def a_full_disk_does_not_stay_full(kind):
    for options in ([], ["--no-atomic-uploads"]):
        with mounted(kind, 16) as folder, Server(folder, *options) as server:
            big = b"x" * (1 << 20) * 20
            old = b"o" * 100_000
            (folder / "old").write_bytes(old)
            (folder / "log").write_bytes(old)
            os.sync()
            before = free(folder)
            for command, name in [("STOR", "new"), ("APPE", "new"), ("STOU", ""), ("STOR", "old"),
                                  ("APPE", "log")]:
                client = server.client()
                refused(lambda: store(client, name, big, command), "452", "552", "426")
                eventually(lambda: free(folder) > before - 300_000)
                names = set(os.listdir(folder)) - {"lost+found", "System Volume Information"}
                assert names == {"old", "log"}, (command, names)
                if command == "APPE" and name == "log":
                    assert (folder / "log").read_bytes() == old
            if not options:
                assert (folder / "old").read_bytes() == old
            store(server.client(), "small", b"fits")


# What cannot be replaced by a rename.


@case()
def a_mounted_file_is_written_in_place(_):
    with mounted("tmpfs") as folder, mounted("tmpfs") as elsewhere:
        (elsewhere / "real").write_bytes(b"the old one")
        (folder / "f").write_bytes(b"")
        run("mount", "--bind", elsewhere / "real", folder / "f")
        try:
            with Server(folder) as server:
                client = server.client()
                cut_off(server.client(), "f", b"half")
                store(client, "g", b"")
                assert (elsewhere / "real").read_bytes() == b"the old one"
                assert store(client, "f", b"new").startswith("226")
                assert (elsewhere / "real").read_bytes() == b"new"
                refused(lambda: client.delete("f"), "550")
                refused(lambda: client.rename("f", "h"), "550")
                refused(lambda: client.rename("g", "f"), "550", "553")
        finally:
            run("umount", folder / "f")


@case()
def anothers_file_is_written_in_place(_):
    for folder_mode, file_mode in [(0o1777, 0o666), (0o755, 0o666), (0o1777, 0o660), (0o777, 0o660)]:
        with open_folder() as base:
            folder = base / "d"
            folder.mkdir()
            file = folder / "f"
            file.write_bytes(b"the old one")
            os.chown(file, 12345, NOBODY if file_mode == 0o660 else 12345)
            os.chmod(file, file_mode)
            os.chmod(folder, folder_mode)
            before = os.stat(file)
            with Server(folder, wrapper=as_nobody()) as server:
                assert store(server.client(), "f", b"new").startswith("226")
            after = os.stat(file)
            assert file.read_bytes() == b"new"
            for what in ("st_uid", "st_gid", "st_mode"):
                assert getattr(after, what) == getattr(before, what), (oct(folder_mode), what)


@case()
def what_may_not_be_written_is_refused_before_the_bytes(_):
    with open_folder() as base:
        folder = base / "d"
        folder.mkdir(0o755)
        (folder / "f").write_bytes(b"old")
        with Server(folder, wrapper=as_nobody()) as server:
            client = server.client()
            for command in ("STOR f", "STOR new", "APPE f", "APPE new", "STOU"):
                refused(lambda: client.transfercmd(command).close(), "550", "553")
    with mounted("ext4") as folder:
        (folder / "f").write_bytes(b"old")
        (folder / "log").write_bytes(b"old")
        with contextlib.suppress(Unavailable):
            run("chattr", "+a", folder / "log")
            run("chattr", "+i", folder / "f")
            with Server(folder) as server:
                client = server.client()
                for command in ("STOR f", "STOR log", "APPE f"):
                    refused(lambda: client.transfercmd(command).close(), "550", "553")
                store(client, "log", b"!", "APPE")
                assert (folder / "log").read_bytes() == b"old!"
            run("chattr", "-a", folder / "log")
            run("chattr", "-i", folder / "f")
        run("mount", "-o", "remount,ro", folder)
        with Server(folder) as server:
            client = server.client()
            for command in ("STOR f", "STOR new", "APPE f", "STOU"):
                reply = refused(lambda: client.transfercmd(command).close(), "550", "553")
                assert "ead-only" in reply, reply


# What a replaced file keeps.


@case("ext4")
def owner_acl_and_attributes_are_kept(kind):
    with mounted(kind) as folder:
        file = folder / "f"
        file.write_bytes(b"old")
        os.chown(file, 12345, 12346)
        os.chmod(file, 0o640)
        run("setfacl", "-m", "u:777:r", file)
        run("setfattr", "-n", "user.colour", "-v", "blue", file)
        # What the folder hands down to new files is not for this one.
        run("setfacl", "-d", "-m", "u:888:rw", folder)
        known = run("getfacl", "-n", "--absolute-names", file), os.stat(file)[:1]
        with Server(folder) as server:
            store(server.client(), "f", b"new")
            store(server.client(), "g", b"new")
        assert file.read_bytes() == b"new"
        assert (run("getfacl", "-n", "--absolute-names", file), os.stat(file)[:1]) == known
        assert (os.stat(file).st_uid, os.stat(file).st_gid) == (12345, 12346)
        assert os.getxattr(file, "user.colour") == b"blue"
        assert "888" in run("getfacl", "-n", "--absolute-names", folder / "g")


@case()
def a_group_that_cannot_be_kept_is_not_widened(_):
    """The server may write the file, and be in its group, but not give files to its owner."""
    with open_folder() as base:
        folder = base / "d"
        folder.mkdir(0o777)
        os.chmod(folder, 0o777)
        file = folder / "f"
        file.write_bytes(b"old")
        os.chown(file, NOBODY, 12346)
        os.chmod(file, 0o640)
        with Server(folder, wrapper=as_nobody()) as server:
            store(server.client(), "f", b"new")
        after = os.stat(file)
        assert file.read_bytes() == b"new"
        assert (after.st_uid, after.st_gid, after.st_mode & 0o777) == (NOBODY, 12346, 0o640)


@case("ext4", "tmpfs")
def all_names_of_a_file_have_the_new_content(kind):
    with mounted(kind) as folder, Server(folder) as server:
        (folder / "f").write_bytes(b"the old one")
        os.link(folder / "f", folder / "g")
        cut_off(server.client(), "f", b"half")
        store(server.client(), "f", b"new")
        assert (folder / "g").read_bytes() == b"new"


@case()
def a_file_that_becomes_too_large_ends_its_upload_alone(_):
    with open_folder() as folder:
        with Server(folder, wrapper=["prlimit", "--fsize=1000000"]) as server:
            client = server.client()
            refused(lambda: store(client, "big", b"x" * 3_000_000), "552", "426")
            assert os.listdir(folder) == []
            store(server.client(), "small", b"x")


@case()
def a_chroot_without_proc_stores_too(_):
    with open_folder() as base:
        binary = base / "wharf"
        shutil.copy(PROGRAM, binary)
        for line in run("ldd", binary).splitlines():
            if match := re.search(r"(/\S+) \(", line):
                there = base / match[1].lstrip("/")
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(match[1], there)
        folder = base / "d"
        folder.mkdir()
        for user in ([], [f"--userspec={NOBODY}:{NOBODY}"]):
            if user:
                os.chown(folder, NOBODY, NOBODY)
            wrapper = ["chroot", *user, base]
            with Server("/d", wrapper=wrapper, program="/wharf") as server:
                client = server.client()
                for content in (b"one", b"two"):
                    store(client, "f", content)
                    assert (folder / "f").read_bytes() == content
                cut_off(server.client(), "half", b"half")
                eventually(lambda: (folder / "half").exists())
                assert sorted(os.listdir(folder)) == ["f", "half"]
                client.delete("half")
                client.delete("f")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wharf", required=True)
    parser.add_argument("only", nargs="*", help="parts of the names of cases")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: file systems can be mounted by root alone")
        return 0
    global PROGRAM
    # Where each user can run it.
    with tempfile.TemporaryDirectory(prefix="wharf-fs-", dir="/var/tmp") as place:
        os.chmod(place, 0o755)
        PROGRAM = shutil.copy(options.wharf, place)
        failed = 0
        for function, kind in CASES:
            name = function.__name__ + (f" on {kind}" if kind else "")
            if options.only and not any(part in name for part in options.only):
                continue
            began = time.monotonic()
            try:
                function(kind)
            except Unavailable as error:
                print(f"skipped  {name}: {error}", flush=True)
            except Exception:
                failed += 1
                print(f"FAILED   {name}\n{traceback.format_exc()}", flush=True)
            else:
                print(f"ok       {name}  [{time.monotonic() - began:.1f}s]", flush=True)
    return failed and 1


if __name__ == "__main__":
    sys.exit(main())
