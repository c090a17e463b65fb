"""Connects, disconnects and connects again with the same id, as strict-mode.mjs does: with python-socketio.

    python strict-mode.py --url http://127.0.0.1:9000 --id A [--transport websocket|polling|upgrade] [--rounds 60]

If `disconnect` of python-socketio 5.18.1 comes while a POST is under way, its last words are dropped: it then polls until
the server's next ping, and the server cannot know that it is gone. So a client is ended when its requests are answered.
"""

import argparse
import asyncio
import json

import socketio

PATIENCE = 60
SENDING = 5

parser = argparse.ArgumentParser()
parser.add_argument("--url", required=True)
parser.add_argument("--id", required=True)
parser.add_argument("--transport", choices=["websocket", "polling", "upgrade"], default="websocket")
parser.add_argument("--rounds", type=int, default=60)
options = parser.parse_args()
transports = ["polling", "websocket"] if options.transport == "upgrade" else [options.transport]


class Connection:
    """One connection, which is ended also while it is being made."""

    def __init__(self):
        self.client = socketio.AsyncClient(reconnection=False)
        self.refusal = None
        self.client.on("connect_error", self.refused)
        url = f"{options.url}?clientId={options.id}"
        # Left to itself the library gives up after a second: findings/ shows it.
        connecting = self.client.connect(url, transports=transports, wait_timeout=PATIENCE)
        self.connecting = asyncio.ensure_future(connecting)

    def refused(self, error):
        self.refusal = str(error.get("message")) if isinstance(error, dict) else str(error)

    async def outcome(self):
        try:
            await self.connecting
            return "connected"
        except socketio.exceptions.ConnectionError as error:
            return self.refusal or str(error)

    async def end(self):
        self.connecting.cancel()
        await asyncio.wait([self.connecting])
        if self.client.eio.queue:
            # A client that was cancelled in its upgrade sends nothing more.
            sent = asyncio.ensure_future(self.client.eio.queue.join())
            await asyncio.wait([sent], timeout=SENDING)
        try:
            await self.client.disconnect()
        except TypeError:
            pass  # The library cannot end what was cancelled in its upgrade, and leaves it to the server.


async def main():
    refusals = {}
    for number in range(options.rounds):
        first = Connection()
        if number % 2:
            await first.outcome()
        await asyncio.sleep(number % 40 / 1000 if number % 4 else 0)
        await first.end()

        second = Connection()
        outcome = await second.outcome()
        if outcome != "connected":
            refusals[outcome] = refusals.get(outcome, 0) + 1
        await second.end()
    print(json.dumps({"rounds": options.rounds, "refusals": refusals}))


asyncio.run(main())
