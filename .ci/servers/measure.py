"""Runs ftpbench against servers that all serve the same folder, in rounds that are interleaved."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rows import IDLE, LISTS
from server import NOBODY, ServerError, descendants

# A machine that is busy with something else is measured again, so often.
TRIES = 3
BUSY = 0.10
PAUSE_SECONDS = 2

# So that the order is another one in each round, and the same in each run.
SEED = 959


class Tree:
    """What servers serve: made once, on a file system in memory where there is one."""

    SMALL_FILES, SMALL_BYTES = 16, 4096

    def __init__(self, big_mib: int, entries: list):
        self.big_mib, self.entries = big_mib, entries

    def __enter__(self) -> Path:
        memory = Path("/dev/shm")
        where = memory if memory.is_dir() else None
        self.root = Path(tempfile.mkdtemp(prefix="wharf-bench-", dir=where))
        try:
            self.root.chmod(0o755)
            self.bench = self.root / "bench"
            self.bench.mkdir()
            # vsftpd is another user than the others.
            self.bench.chmod(0o777)
            with open(self.bench / "big", "wb") as big:
                for _ in range(self.big_mib):
                    big.write(os.urandom(1 << 20))
            for number in range(self.SMALL_FILES):
                (self.bench / f"small-{number}").write_bytes(os.urandom(self.SMALL_BYTES))
            for count in self.entries:
                folder = self.bench / f"list-{count}"
                folder.mkdir()
                for number in range(count):
                    (folder / f"file-{number}").touch()
            self.give_away()
            self.own = set(os.listdir(self.bench))
        except BaseException:
            self.__exit__()
            raise
        return self.root

    def give_away(self):
        """Has all of it belong to the user that most servers are.

        wharf tells clients what they may do with each entry, and has to ask about those of others.
        """
        if os.getuid() == 0:
            for folder, _, files in os.walk(self.bench):
                for path in folder, *(os.path.join(folder, name) for name in files):
                    os.chown(path, NOBODY, NOBODY)

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def sweep(self):
        """Removes what clients have stored."""
        for name in set(os.listdir(self.bench)) - self.own:
            (self.bench / name).unlink(missing_ok=True)


class Run:
    """Rounds over rows and servers; `samples` has what was found, in the order of time."""

    def __init__(self, options, rows: list, servers: dict):
        self.options, self.rows, self.servers = options, rows, servers
        self.random = random.Random(SEED)
        self.samples, self.problems, self.versions = [], [], {}
        self.started = time.monotonic()
        self.done = 0
        wanted = sum(self.can(row, name) for row in rows for name in servers)
        # The machine's limits are a step too, which takes as long as several.
        self.steps = options.rounds * (wanted + bool(self.limits()))

    @staticmethod
    def can(row, server: str) -> bool:
        return server not in row.without and (not row.only or server in row.only)

    def limits(self) -> list:
        return [name for row in self.rows for name in row.limits]

    def rounds(self):
        """Carries out a round at each step of the iteration."""
        lists = [row.workload for row in self.rows if row.group == LISTS]
        tree = Tree(self.options.size, sorted({int(name.split("-")[1]) for name in lists}))
        with tree as folder:
            for number in range(self.options.rounds):
                self.round(number, folder, tree)
                yield number

    def round(self, number: int, folder: Path, tree: Tree):
        with ExitStack() as stack:
            running = {}
            for name in self.servers:
                if server := self.start(name, folder, stack):
                    running[name] = server
                    self.versions[name] = server.version()
            if self.limits():
                self.step("the machine's limits", number)
                self.measure_limits(number)
            for row in self.rows:
                names = [name for name in running if self.can(row, name)]
                self.random.shuffle(names)
                for name in names:
                    self.step(f"{row.group}: {row.title}: {name}", number)
                    if row.group == IDLE:
                        # What a server has freed before would be taken again, and not be counted.
                        with ExitStack() as alone:
                            if server := self.start(name, folder, alone):
                                self.measure_row(row, name, server, number)
                    else:
                        self.measure_row(row, name, running[name], number)
                        tree.sweep()

    def start(self, name: str, folder: Path, stack: ExitStack):
        """Returns a server that runs until the stack ends, or `None` if it cannot be started."""
        try:
            return stack.enter_context(self.servers[name](folder))
        except (ServerError, OSError, subprocess.CalledProcessError) as error:
            self.problem(f"{name}: {error}")
            return None

    def measure_row(self, row, name: str, server, number: int):
        words = ["--host", "127.0.0.1", "--port", server.port, "--user", server.USER]
        words += ["--password", server.PASSWORD, "--pid", server.processes[0].pid]
        words += ["--seconds", self.options.seconds, "--size", self.options.size]
        words += ["--tls"] if row.tls else []
        words += ["--cpu", 0] if row.one_cpu else []
        words.append(row.workload)
        if row.one_cpu:
            pin(server, {0})
        try:
            found = self.quietest(words)
        finally:
            if row.one_cpu:
                pin(server, os.sched_getaffinity(0))
        if not server.is_alive():
            self.problem(f"{name} has ended: {server.errors()}")
        for result, busy in found:
            # Idle sessions have another result for the small file that is retrieved among them.
            key = row.key.replace(row.workload, result["workload"])
            self.keep(key, name, number, result, busy)
        if not found:
            self.problem(f"{name}: {row.key}: {self.said}")

    def measure_limits(self, number: int):
        for result, busy in self.quietest(["limits", "--seconds", self.options.seconds]):
            self.keep(result["workload"], "limit", number, result, busy)
        if self.said:
            self.problem(f"the machine's limits: {self.said}")

    def keep(self, key: str, server: str, number: int, result: dict, busy: float):
        where = {"row": key, "server": server, "round": number + 1}
        self.samples.append(where | essence(result, busy))

    def quietest(self, words: list) -> list:
        """Returns results, each with what others did meanwhile: of the first quiet try, or else of
        the one in which they did least; none if all tries failed."""
        best, least = [], None
        for _ in range(TRIES):
            found = self.ftpbench(words)
            worst = max((busy for _, busy in found), default=None)
            if found and (least is None or worst < least):
                best, least = found, worst
            if best and (least <= BUSY or not self.options.refuse):
                break
            time.sleep(PAUSE_SECONDS)
        return best

    def ftpbench(self, words: list) -> list:
        command = [self.options.ftpbench, *map(str, words), "--json"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=self.options.patience
            )
            report = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            self.said = f"no end after {self.options.patience} s"
            return []
        except ValueError:
            self.said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
            return []
        self.said = "; ".join(failed["error"] for failed in report["failed"])
        cores = os.cpu_count()
        return [
            (result, result["load"]["others_cpu_seconds"] / (result["seconds"] * cores))
            for result in report["results"]
        ]

    def step(self, what: str, number: int):
        """Says what is next, and how long it may take to the end."""
        spent = time.monotonic() - self.started
        minutes = spent / max(self.done, 1) * (self.steps - self.done) / 60
        left = f"{minutes:.0f} min left" if self.done else ""
        text = f"{self.done}/{self.steps} round {number + 1}: {what}"
        end = "\n"
        if sys.stderr.isatty():
            text, end = f"\r\x1b[K{text}", ""
        print(f"{text}  {left}".rstrip(), end=end, file=sys.stderr, flush=True)
        self.done += 1

    def problem(self, text: str):
        self.problems.append(text)
        print(f"\n{text}" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


def pin(server, cpus: set):
    """Has all threads of a server, and those that they start, run on these processors."""
    for process in server.processes:
        for pid in [process.pid, *descendants(process.pid)]:
            try:
                threads = os.listdir(f"/proc/{pid}/task")
            except OSError:
                continue
            for thread in threads:
                try:
                    os.sched_setaffinity(int(thread), cpus)
                except ProcessLookupError:
                    pass


def essence(result: dict, busy: float) -> dict:
    """What of a result is kept."""
    kept = {"rate": result["rate"], "unit": result["unit"], "busy": round(busy, 3)}
    if result.get("cpu"):
        kept["cpu"], kept["per"] = result["cpu"]["each"], result["cpu"]["per"]
    if result.get("latency_us"):
        kept["latency_us"] = result["latency_us"]
    if result.get("memory"):
        kept["memory"] = result["memory"]
    return kept
