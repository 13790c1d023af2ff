"""What was measured, kept in a file and read back from it: medians, spreads and ratios."""

import json
import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from measure import BUSY


@dataclass(frozen=True)
class Figure:
    """The median of some samples, and how far apart they are, as a part of it."""

    median: float
    spread: float

    @classmethod
    def of(cls, values: list):
        values = [value for value in values if value is not None]
        if not values:
            return None
        median = statistics.median(values)
        return cls(median, (max(values) - min(values)) / abs(median) if median else 0.0)


class Results:
    """`ours` and `peers` are names of servers, in the order of columns."""

    def __init__(self, kept: dict):
        self.kept = kept
        self.samples = kept["samples"]
        self.labels = kept["labels"]
        self.ours = [name for name in self.labels if name.startswith("wharf-")]
        self.peers = [name for name in self.labels if name not in self.ours]

    @classmethod
    def read(cls, file: Path):
        return cls(json.loads(file.read_text()))

    def write(self, file: Path):
        """A line for each sample, so that one can see what has changed."""
        head = {key: value for key, value in self.kept.items() if key != "samples"}
        text = json.dumps(head, indent=1).removesuffix("\n}")
        lines = ",\n".join("  " + json.dumps(sample) for sample in self.samples)
        file.write_text(f'{text},\n "samples": [\n{lines}\n ]\n}}\n')

    def of(self, row: str, server: str) -> list:
        return [s for s in self.samples if s["row"] == row and s["server"] == server]

    def rate(self, row, server: str):
        return Figure.of([sample["rate"] for sample in self.of(row.key, server)])

    def unit(self, row) -> str:
        units = [sample["unit"] for sample in self.samples if sample["row"] == row.key]
        return units[0] if units else ""

    def limit(self, row):
        """Of the best way in which the machine can do it."""
        found = [Figure.of([s["rate"] for s in self.of(name, "limit")]) for name in row.limits]
        return max(filter(None, found), key=lambda figure: figure.median, default=None)

    def cpu(self, row, server: str):
        """Of the server: seconds for a GiB, or microseconds for anything else."""
        found = [sample for sample in self.of(row.key, server) if "cpu" in sample]
        return Figure.of([s["cpu"] * (1 if s["per"] == "GiB" else 1e6) for s in found])

    def latency(self, key: str, server: str, percentile: str):
        found = [s.get("latency_us") for s in self.of(key, server)]
        return Figure.of([latency[percentile] for latency in found if latency])

    def memory(self, row, server: str):
        """Of the server's processes, for each session: KiB."""
        found = [sample.get("memory") for sample in self.of(row.key, server)]
        return Figure.of([memory["each_kib"] for memory in found if memory])

    def best_peer(self, value, row, least=False):
        """Returns the name of the peer with the most, or the least, of a value, and the value."""
        found = {name: value(row, name) for name in self.peers}
        found = {name: figure.median for name, figure in found.items() if figure and figure.median}
        if not found:
            return None, None
        name = (min if least else max)(found, key=found.get)
        return name, found[name]

    def ratio(self, value, row, server: str, least=False):
        """Returns how many times better than the best peer a server is."""
        mine, (_, best) = value(row, server), self.best_peer(value, row, least)
        if not mine or not best or not mine.median:
            return None
        return best / mine.median if least else mine.median / best

    def compares(self, row) -> bool:
        """Returns `true` if one of ours and a peer have been measured."""
        return any(self.ratio(self.rate, row, name) for name in self.ours)

    def busy(self) -> int:
        return sum(sample["busy"] > BUSY for sample in self.samples)


def describe_machine() -> dict:
    """Returns what one has to know of this machine, and of the program's source."""
    cpu = platform.processor()
    memory = 0
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        lines = Path("/proc/meminfo").read_text().split()
        memory = round(int(lines[lines.index("MemTotal:") + 1]) / (1 << 20))
    except (OSError, StopIteration, ValueError):
        pass
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    here = Path(__file__).resolve().parent
    commit = subprocess.run(command, cwd=here, capture_output=True, text=True).stdout.strip()
    return {
        "processor": cpu,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "system": system_name(),
        "kernel": platform.release(),
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
    }


def system_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
