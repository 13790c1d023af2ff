"""File systems to try things on: small images, mounted for as long as a test takes."""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path


class Unavailable(Exception):
    """This machine has no such file system."""


def run(*command, check=True):
    command = [str(word) for word in command]
    if not shutil.which(command[0]):
        raise Unavailable(f"no {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise Unavailable(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


@contextlib.contextmanager
def loop_device(image: Path):
    device = run("losetup", "--find", "--show", image).strip()
    try:
        yield device
    finally:
        run("losetup", "--detach", device, check=False)


@contextlib.contextmanager
def mounted(kind: str, megabytes: int = 32):
    """Yields the folder where a new file system of this kind is mounted."""
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wharf-fs-")))
        base.chmod(0o755)
        folder = base / "mnt"
        folder.mkdir()

        def unmount():
            if run("findmnt", "--noheadings", folder, check=False):
                run("umount", "--lazy", folder)

        if kind == "tmpfs":
            run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "wharf", folder)
            stack.callback(unmount)
            yield folder
            return
        if kind == "overlay":
            lower = stack.enter_context(mounted("tmpfs", megabytes))
            for name in ("lower", "upper", "work"):
                (lower / name).mkdir()
            layers = f"lowerdir={lower}/lower,upperdir={lower}/upper,workdir={lower}/work"
            run("mount", "-t", "overlay", "-o", layers, "wharf", folder)
            stack.callback(unmount)
            yield folder
            return
        image = base / "image"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        if kind == "ext4":
            run("mkfs.ext4", "-q", "-F", "-m", "0", image)
            run("mount", "-o", "loop", image, folder)
        elif kind == "exfat":
            run("mkfs.exfat", image)
            device = stack.enter_context(loop_device(image))
            run("mount.exfat-fuse", device, folder)
        elif kind == "ntfs":
            run("mkfs.ntfs", "-F", "-q", image)
            device = stack.enter_context(loop_device(image))
            run("ntfs-3g", device, folder)
        elif kind == "vfat":
            run("mkfs.vfat", image)
            run("mount", "-t", "vfat", "-o", "loop", image, folder)
        else:
            raise Unavailable(f"unknown: {kind}")
        stack.callback(unmount)
        yield folder
