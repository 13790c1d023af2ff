"""Reports of ftpspec, joined and read back from the page that is made of them."""

import re

# From the best to know to the least.
VERDICTS = ["fail", "pass", "not offered", "does not apply", "not checked"]


def joined(reports: list, name: str) -> dict:
    """Makes one report of several on the same server: what any of them found out."""
    rows = {}
    for report in reports:
        for row in report["results"]:
            before = rows.get(row["id"])
            if before is None or rank(row) < rank(before):
                rows[row["id"]] = row
    return reports[0] | {"name": name, "results": list(rows.values()), **counts(rows.values())}


def rank(row: dict) -> int:
    return VERDICTS.index(row["verdict"])


def counts(rows) -> dict:
    verdicts = [row["verdict"] for row in rows]
    passed, failed = verdicts.count("pass"), verdicts.count("fail")
    return {"passed": passed, "failed": failed, "skipped": len(verdicts) - passed - failed}


def explained(report: dict, reasons: dict) -> dict:
    """Has the report say why something fails in our words: the server's own vary."""
    rows = [
        row | {"reason": reasons[row["id"]]}
        if row["verdict"] == "fail" and row["id"] in reasons
        else row
        for row in report["results"]
    ]
    return report | {"results": rows}


def reasons(text: str) -> dict:
    """Reads a file of conformance/expect."""
    lines = [line.split(None, 1) for line in text.splitlines() if line[:1] not in ("", "#")]
    return {name: reason for name, reason in lines}


def verdicts(page: str) -> dict:
    """Returns what a page says of each row and column, notes aside.

    A row that stands in two tables is the same in both, or it is none that was generated.
    """
    found, names = {}, []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| |"):
            names = cells[2:]
        elif match := re.search(r"\(`([^`]+)`\)", cells[0]):
            words = [re.sub(r" \[\d+\]\(.*|\*", "", cell) for cell in cells[2:]]
            for name, word in zip(names, words):
                if found.setdefault((match[1], name), word) != word:
                    found[match[1], name] += f" and {word}"
    return found
