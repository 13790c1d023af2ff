"""Carries out operations by aioftp, which come as JSON on standard input, and answers each as JSON;
see library.py.
"""

import asyncio
import json
import logging
import ssl
import sys
from datetime import datetime, timezone

import aioftp


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    logging.getLogger("aioftp").setLevel(logging.DEBUG)
    answers = asyncio.run(carry_out(json.load(sys.stdin)))
    print(json.dumps(answers))
    return 0


async def carry_out(task: dict) -> list:
    context = None
    if version := task.get("tls"):
        context = ssl.create_default_context(cafile=task["certificate"])
        versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
        context.minimum_version = context.maximum_version = versions[version]
    implicit = task.get("implicit", False)
    passive = (task["passive"],) if "passive" in task else ("epsv", "pasv")
    client = aioftp.Client(
        socket_timeout=20,
        connection_timeout=20,
        ssl=context if implicit else None,
        passive_commands=passive,
    )
    await client.connect("127.0.0.1", task["port"])
    if context and not implicit:
        await client.upgrade_to_tls(context)
    await client.login(task["user"], task["password"])
    answers = []
    for operation in task["operations"]:
        try:
            answers.append({"value": await perform(client, *operation)})
        except aioftp.StatusCodeError as error:
            answers.append({"error": str(error), "code": int(error.received_codes[-1])})
        except Exception as error:
            answers.append({"error": f"{type(error).__name__}: {error}"})
    await client.quit()
    return answers


async def perform(client, what: str, one="", two="", offset=0):
    match what:
        case "get":
            with open(two, "r+b" if offset else "wb") as file:
                file.seek(offset)
                async with client.download_stream(one, offset=offset) as stream:
                    async for block in stream.iter_by_block():
                        file.write(block)
        case "put":
            await send(client.upload_stream(two, offset=offset), one, offset)
        case "append":
            await send(client.append_stream(two), one, 0)
        case "list":
            return [describe(path, info) for path, info in await client.list(one)]
        case "list (LIST)":
            found = await client.list(one, raw_command="LIST")
            return [describe(path, info) for path, info in found]
        case "get tree":
            await client.download(one, two, write_into=True)
        case "put tree":
            await client.upload(one, two)
        case "size":
            return int((await client.stat(one))["size"])
        case "time":
            when = datetime.strptime((await client.stat(one))["modify"], "%Y%m%d%H%M%S")
            return int(when.replace(tzinfo=timezone.utc).timestamp())
        case "where":
            return str(await client.get_current_directory())
        case "enter":
            await client.change_directory(one)
        case "make":
            await client.make_directory(one)
        case "rename":
            await client.rename(one, two)
        case "remove":
            await client.remove_file(one)
        case "remove folder":
            await client.remove_directory(one)
        case "remove all":
            await client.remove(one)
        case _:
            raise ValueError(f"no such operation: {what}")


async def send(opening, path: str, offset: int):
    with open(path, "rb") as file:
        file.seek(offset)
        async with opening as stream:
            while block := file.read(1 << 16):
                await stream.write(block)


def describe(path, info) -> dict:
    return {"name": path.name, "folder": info["type"] != "file", "size": int(info.get("size", 0))}


if __name__ == "__main__":
    sys.exit(main())
