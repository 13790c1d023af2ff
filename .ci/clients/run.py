#!/usr/bin/env python3
"""Drives real FTP clients against wharf, on each of its backends, and shows what came of it.

    run.py --wharf target/release/wharf [--backend mio ...] [--only curl ...]

Ends with 1 where something failed. What went wrong, and what the client said, stands above the
table.
"""

import argparse
import importlib
import io
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from ftplib import FTP
from pathlib import Path

import report
import tree
from harness import Case, Failed
from server import ServerError, Wharf

BACKENDS = ["mio", "smol", "threaded"]

# Modules, each with a Client of the same name.
CLIENTS = ["curl", "lftp", "wget", "tnftp", "ncftp", "rclone", "aria2", "python"]

# How much the server's memory may grow while all clients are served.
MEMORY_GROWTH_MIB = 32


def main() -> int:
    options = parse()
    clients, missing = choose_clients(options)
    if missing and not options.skip_missing:
        print(f"not installed: {', '.join(missing)}; see .ci/clients/install", file=sys.stderr)
        return 2
    work = Path(tempfile.mkdtemp(prefix="wharf-clients-"))
    started = time.monotonic()
    try:
        # A backend each to a thread: the work is done by servers and clients.
        with ThreadPoolExecutor(options.jobs) as pool:
            runs = list(pool.map(lambda name: drive(name, clients, work, options), options.backend))
    finally:
        if options.keep:
            print(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    report.failures(runs)
    report.table(runs)
    print(f"\n{time.monotonic() - started:.0f} s; without: {', '.join(missing) or 'none'}")
    return 1 if any(outcome.failed for run in runs for outcome in run.outcomes) else 0


def parse():
    parser = argparse.ArgumentParser(description="Drives real FTP clients against wharf.")
    parser.add_argument("--wharf", required=True, type=Path, help="the program")
    parser.add_argument("--backend", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=CLIENTS, help="clients")
    parser.add_argument("--match", default="", help="only operations with this in their name")
    parser.add_argument("--skip-missing", action="store_true", help="leave out what is missing")
    parser.add_argument("--jobs", type=int, default=3, help="backends at once")
    parser.add_argument("--keep", action="store_true", help="keep files and the servers' logs")
    parser.add_argument("--verbose", action="store_true", help="run the servers with -vv")
    options = parser.parse_args()
    options.wharf = options.wharf.resolve()
    return options


def choose_clients(options):
    clients, missing = [], []
    for name in options.only:
        client = getattr(importlib.import_module(name), name)
        there = client.program is None or shutil.which(client.program)
        (clients if there else missing).append(client if there else name)
    return clients, missing


def drive(backend: str, clients: list, work: Path, options) -> report.Run:
    """Runs everything against one backend."""
    run = report.Run(backend)
    root = work / backend / "root"
    root.mkdir(parents=True)
    tree.make(root)
    before = tree.snapshot(root / "tree")
    logs = [work / backend / "wharf.log", work / backend / "reader.log"]
    wharf = Wharf(options.wharf, root, backend, logs[0], verbose=options.verbose)
    reader = Wharf(options.wharf, root, backend, logs[1], anonymous=True, verbose=options.verbose)
    servers = [wharf, reader]
    for server in servers:
        warm_up(server)
    idle = [len(server.open_files()) for server in servers]
    memory = [server.memory_mib() for server in servers]
    for client in clients:
        for number, (name, operation) in enumerate(client.operations):
            if options.match not in name:
                continue
            case = Case(f"{client.name}-{number}", wharf, reader, work / backend)
            outcome = report.Outcome(client.name, name)
            attempt(outcome, lambda: operation(case), servers)
            outcome.said = case.said
            run.outcomes.append(outcome)
            if not options.keep:
                case.clean()
    for server, files, mib in zip(servers, idle, memory):
        who = "reader" if server.anonymous else "server"
        checks = {
            f"{who}: open files as before": lambda: check_files(server, files),
            f"{who}: memory": lambda: check_memory(server, mib, run),
            f"{who}: ends when asked": lambda: check_end(server),
            f"{who}: no panic": lambda: check_log(server),
        }
        for name, check in checks.items():
            run.outcomes.append(attempt(report.Outcome("wharf", name), check, []))
    untouched = report.Outcome("wharf", "what was only read is as it was")
    run.outcomes.append(attempt(untouched, lambda: check_tree(before, root / "tree"), []))
    return run


def attempt(outcome, action, servers):
    """Carries out an action, and takes note of how it went."""
    started = time.monotonic()
    try:
        action()
        if dead := [server for server in servers if not server.is_alive()]:
            outcome.reason = f"wharf has died: {dead[0].errors()[-300:]!a}"
    except (Failed, ServerError) as error:
        outcome.reason = str(error)
    except Exception as error:  # A mistake of the harness is a failure too, not the end.
        outcome.reason = f"{type(error).__name__}: {error}"
    outcome.seconds = time.monotonic() - started
    return outcome


def warm_up(server: Wharf):
    """A first session, so that what the server opens once and for all is open."""
    with FTP(encoding="utf-8") as ftp:
        ftp.connect("127.0.0.1", server.port, timeout=10)
        ftp.login(server.user, server.password)
        ftp.nlst("tree/links")
        ftp.retrbinary("RETR tree/text/lines.txt", lambda chunk: None)
        if not server.anonymous:
            ftp.mkd("up")
            ftp.storbinary("STOR up/warm", io.BytesIO(b"warm"))
            ftp.delete("up/warm")


def check_files(server: Wharf, idle: int):
    files = server.wait_for_open_files(idle)
    if len(files) > idle:
        raise Failed(f"{len(files)} are open, {idle} were before: {', '.join(files)}")


def check_memory(server: Wharf, before: float, run: report.Run):
    now, peak = server.memory_mib(), server.memory_mib("VmHWM")
    run.notes.append(f"memory: {before:.1f} MiB before, {now:.1f} after, {peak:.1f} at the most")
    if now > before + MEMORY_GROWTH_MIB:
        raise Failed(f"grew from {before:.0f} to {now:.0f} MiB")


def check_end(server: Wharf):
    code = server.stop()
    if code != 0:
        raise Failed(f"exit code {code}")


def check_log(server: Wharf):
    if "panicked" in server.errors():
        raise Failed(server.errors()[-1000:])


def check_tree(before: dict, folder: Path):
    if text := tree.difference(tree.snapshot(folder), before):
        raise Failed(text)


if __name__ == "__main__":
    sys.exit(main())
