"""Carries out operations by fsspec's FTPFileSystem, which come as JSON on standard input, and
answers each as JSON; see library.py. The version of TLS is up to OPENSSL_CONF.
"""

import json
import sys
from datetime import datetime, timezone

from fsspec.implementations.ftp import FTPFileSystem


def main() -> int:
    task = json.load(sys.stdin)
    # A text is for implicit TLS: "tls" leaves the version open.
    tls = "tls" if task.get("implicit") else bool(task.get("tls"))
    login = {"username": task["user"], "password": task["password"], "tls": tls, "timeout": 20}
    files = FTPFileSystem("127.0.0.1", task["port"], **login)
    if task.get("implicit"):
        # There it leaves that to its user, and data would go in clear.
        files.ftp.prot_p()
    answers = []
    for operation in task["operations"]:
        try:
            answers.append({"value": perform(files, *operation)})
        except Exception as error:
            # It has FileNotFoundError in the place of some replies.
            text = str(error.__cause__ or error)
            answer = {"error": f"{type(error).__name__}: {text}"}
            answers.append(answer | ({"code": int(text[:3])} if text[:3].isdigit() else {}))
    files.ftp.quit()
    print(json.dumps(answers))
    return 0


def perform(files, what: str, one="", two="", offset=0):
    match what:
        case "get":
            if offset:
                with open(two, "ab") as file:
                    file.write(files.cat_file(one, start=offset))
            else:
                files.get_file(one, two)
        case "get through a file":
            with files.open(one, "rb") as source, open(two, "wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
        case "get range":
            with files.open(one, "rb", block_size=1 << 16) as source:
                source.seek(offset)
                return source.read(two).hex()
        case "put":
            files.put_file(one, two)
        case "write":
            with files.open(one, "wb", block_size=5 * 1024 * 1024) as target, open(two, "rb") as source:
                while block := source.read(1 << 20):
                    target.write(block)
        case "list":
            return [describe(entry) for entry in files.ls(one, refresh=True)]
        case "find":
            return files.find(one, withdirs=True)
        case "glob":
            return files.glob(one)
        case "size":
            return files.info(one)["size"]
        case "time":
            when = datetime.strptime(files.info(one)["modify"], "%Y%m%d%H%M%S")
            return int(when.replace(tzinfo=timezone.utc).timestamp())
        case "where":
            return files.ftp.pwd()
        case "enter":
            files.ftp.cwd(one)
        case "make":
            files.mkdir(one)
        case "rename":
            files.mv(one, two)
        case "remove":
            files.rm_file(one)
        case "remove folder":
            files.rmdir(one)
        case "remove all":
            files.rm(one, recursive=True)
        case "get tree":
            files.get(one, two, recursive=True)
        case "put tree":
            files.put(one, two, recursive=True)
        case _:
            raise ValueError(f"no such operation: {what}")


def describe(entry: dict) -> dict:
    folder = entry["type"] != "file"
    return {"name": entry["name"].rsplit("/", 1)[1], "folder": folder, "size": entry["size"]}


if __name__ == "__main__":
    sys.exit(main())
