"""A client that speaks v1 by hand through python-socketio, unchanged: what an application in Python does on the wire.

    python python-peer.py --url http://127.0.0.1:9000 --id A [--client async|threaded] [--transport websocket|polling|upgrade]

It is driven by the same JSON lines as v1-peer.mjs: `register`, `emit2`, `unregister`, `list` and `quit`. It accepts
whoever asks for it, and echoes `chat` and `note`. Bytes are {"$bin":"<base64>"}, both ways.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import sys
import threading

import socketio

parser = argparse.ArgumentParser()
parser.add_argument("--url", required=True)
parser.add_argument("--id", required=True)
parser.add_argument("--client", choices=["async", "threaded"], default="async")
parser.add_argument("--transport", choices=["websocket", "polling", "upgrade"], default="websocket")
options = parser.parse_args()

transports = ["polling", "websocket"] if options.transport == "upgrade" else [options.transport]
backoff = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.2, "randomization_factor": 0}
Client = socketio.AsyncClient if options.client == "async" else socketio.Client
client = Client(**backoff)

partner = None
unregistering = False
last_error = {"code": "none"}
printing = threading.Lock()
tasks = set()


def printable(value):
    if isinstance(value, bytes):
        return {"$bin": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [printable(inner) for inner in value]
    if isinstance(value, dict):
        return {key: printable(inner) for key, inner in value.items()}
    return value


def revived(value):
    if isinstance(value, dict) and "$bin" in value:
        return base64.b64decode(value["$bin"])
    if isinstance(value, list):
        return [revived(inner) for inner in value]
    if isinstance(value, dict):
        return {key: revived(inner) for key, inner in value.items()}
    return value


def say(event, **fields):
    with printing:  # Threads take turns.
        print(json.dumps({"event": event, **printable(fields)}), flush=True)


def emit(event, data=None, callback=None):
    sent = client.emit(event, data, callback=callback)
    if asyncio.iscoroutine(sent):
        # Tasks begin in the order in which they were made.
        task = asyncio.ensure_future(sent)
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def connected():
    # The server says that it is connected a moment before others can ask for it; it answers when they can.
    emit("LIST_CLIENTS", callback=lambda _: say("connected", clientId=options.id))


def complained(message):
    global last_error
    code = re.search(r"\(([a-z-]+)\)$", message)
    last_error = {"code": code[1] if code else "server-error", "message": message}
    say("error", **last_error)


def paired(source):
    global partner
    partner = source
    say("paired", partner=partner)


def unpaired(reason):
    global partner
    partner = None
    say("unpaired", reason=reason)


def asked(source):
    # The library acknowledges everything, so the server need not say that it wants an answer.
    say("register-asked", source=source)
    accepted = partner is None
    if accepted:
        paired(source)
    return accepted


def released():
    say("unregister-asked")
    if not unregistering:
        unpaired("unregistered")


def disconnected():
    # A client without a partner may get it too: from a server that was just started.
    if partner is not None:
        unpaired("disconnected")


def heard(name):
    def handler(*args):
        say("incoming", **{"from": partner, "name": name, "args": args})
        return {"echo": list(args)}

    client.on(name, handler)


client.on("connect", connected)
client.on("disconnect", lambda reason: say("disconnected", reason=reason))
client.on("connect_error", lambda data: say("error", code="connect_error", message=str(data)))
client.on("SERVER_ERROR", complained)
client.on("P2P_REGISTER", asked)
client.on("P2P_UNREGISTER", released)
client.on("P2P_DISCONNECT", disconnected)
heard("chat")
heard("note")


def register(target):
    global last_error
    last_error = {"code": "none"}

    def answered(accepted):
        if accepted is True:
            paired(target)
        else:
            say("refused", target=target, answer=accepted, **last_error)

    emit("P2P_REGISTER", target, answered)


def emit2(id, event, args=(), ack=False):
    call = {"targetClientId": partner, "event": event, "args": revived(list(args))}
    if not ack:
        emit("P2P_EMIT", call)
        return say("sent", id=id)

    def answered(*values):
        say("reply", id=id, value=values[0] if values else None, values=values, route="relay")

    emit("P2P_EMIT_ACKNOWLEDGE", call, answered)


def unregister():
    global unregistering
    unregistering = True

    def answered(*_):
        global unregistering
        unregistering = False
        unpaired("unregistered")

    emit("P2P_UNREGISTER", callback=answered)


def obey(line):
    command = json.loads(line)
    name = command.pop("cmd")
    if name == "list":
        emit("LIST_CLIENTS", callback=lambda clients: say("clients", clients=clients))
    else:
        {"register": register, "emit2": emit2, "unregister": unregister}[name](**command)


def is_last(line):
    return not line or json.loads(line)["cmd"] == "quit"


url = f"{options.url}?clientId={options.id}"


async def run_async():
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await client.connect(url, transports=transports, retry=True)
    while not is_last(line := await reader.readline()):
        obey(line)


def run_threaded():
    client.connect(url, transports=transports, retry=True)
    while not is_last(line := sys.stdin.readline()):
        obey(line)


if options.client == "async":
    asyncio.run(run_async())
else:
    run_threaded()
sys.stdout.flush()
os._exit(0)  # Threads of the library go on otherwise.
