"""Stock clients of python-socketio (asyncio) that speak v1 in pairs, for `soak stock`.

    python clients.py

Commands, calls and records are those of clients.mjs. What findings/ shows of this library is evaded: a poll may bring
more than 16 packets, no poll is repeated, a connection that the library has given up before it says "connect" is none, and a client
that stays unconnected for good is made anew; it is `helped`.
"""

import asyncio
import json
import math
import random
import sys
import time

import aiohttp
import engineio.payload
import socketio

AGAIN = 2.1  # The server takes five registrations in ten seconds.
TURN = 0.02
IN_FLIGHT = 16
# Refusals of registrations come as answers too.
ANSWERED = ("(offline)", "(source-busy)", "(target-busy)", "(declined)", "(timeout)", "(cancelled)")
UNHELPED = 20  # Longer than any attempt of the library that comes to an end.

engineio.payload.Payload.max_decode_packets = 1024

records = []
clients = []
talk = {"rate": 0, "burst": 1, "largest": 0}
marked = math.inf  # The time of the mark.
tasks = set()


def start(coroutine):
    task = asyncio.ensure_future(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def note(name, *fields):
    records.append({name: list(fields) if len(fields) > 1 else fields[0]})


def filler(number, length):
    return (f"{number}." * math.ceil(length / 2))[:length]


def partner_of(number):
    return f"stock-{number ^ 1}"


def size():
    kind = random.random()
    most = talk["largest"] if kind < 0.01 else talk["largest"] / 8 if kind < 0.1 else 100
    return int(random.random() * most)


def session_without_retries():
    session = aiohttp.ClientSession()
    session._retry_connection = False  # There is no public way.
    return session


class StockClient(socketio.AsyncClient):
    """Tells a DISCONNECT of Socket.IO from a CLOSE of Engine.IO, which has the same reason. There is no public way."""

    def __init__(self, sent_away, **options):
        super().__init__(**options)
        self.sent_away = sent_away

    async def _handle_disconnect(self, namespace):
        self.sent_away()
        await super()._handle_disconnect(namespace)


class Client:
    def __init__(self, described, settings):
        self.number = described["number"]
        transport = described["transport"]
        self.transports = ["polling", "websocket"] if transport == "upgrade" else [transport]
        self.settings = settings
        self.connection = self.epoch = self.made = self.budget = self.right = 0
        self.well = True
        self.partner = None  # As a stock application believes: until the server says otherwise.
        self.asking = False
        self.open = {}
        self.calls = 0
        self.last_reason = "never connected"
        self.is_up = False
        self.down_since = time.monotonic()
        self.make()

    def make(self):
        client = self.client = StockClient(
            lambda: note("sent_away", self.number, self.connection),
            http_session=session_without_retries,
            reconnection_delay=self.settings["delayMs"] / 1000,
            reconnection_delay_max=self.settings["delayMaxMs"] / 1000,
            # In seconds here, whatever the delay.
            randomization_factor=self.settings["delayMs"] / 2000,
        )

        def mine(handler):
            # What a client that was given up still says is not heard.
            return lambda *args: handler(*args) if self.client is client else None

        client.on("connect", mine(self.connected))
        client.on("disconnect", mine(self.disconnected))
        client.on("connect_error", mine(self.refused))
        client.on("P2P_REGISTER", mine(self.asked))
        client.on("P2P_DISCONNECT", mine(self.unpaired))
        client.on("P2P_UNREGISTER", mine(self.unpaired))
        client.on("SERVER_ERROR", mine(self.told))
        client.on("call", mine(self.ran))
        start(self.connect(client))

    async def connect(self, client):
        url = f"{self.settings['url']}?clientId=stock-{self.number}"
        try:
            await client.connect(url, transports=self.transports, retry=True)
        except socketio.exceptions.ConnectionError:
            pass  # It is helped.

    def help(self):
        if self.is_up and self.client.eio.state != "connected":
            self.disconnected("lost in silence")  # The library says so only of what it counts as connected.
        if self.is_up or time.monotonic() - self.down_since < UNHELPED:
            return
        note("helped", self.number, self.last_reason)
        self.down_since = time.monotonic()
        old = self.client
        self.make()
        start(give_up(old))

    def connected(self):
        if self.client.eio.state != "connected":
            return  # It is given up, and there will be no "disconnect".
        self.is_up = True
        self.connection += 1
        note("up", self.number)
        start(self.ask())

    def disconnected(self, reason):
        self.is_up = False
        self.down_since = time.monotonic()
        self.last_reason = str(reason)
        note("down", self.number, self.connection, self.last_reason)
        self.asking = False
        if self.open:
            note("given_up", len(self.open))
        self.open.clear()

    def refused(self, error):
        # Text is what the network did.
        if isinstance(error, dict):
            note("refused", self.number, str(error.get("message")))

    def told(self, text):
        if not text.endswith(ANSWERED):
            note("complained", self.number, self.epoch, text)

    async def emit(self, event, data, callback=None):
        try:
            await self.client.emit(event, data, callback=callback)
            return True
        except socketio.exceptions.SocketIOError:
            return False  # It has just lost its connection.

    async def ask(self, after=0.0):
        await asyncio.sleep(after)
        if self.number % 2 == 0 or self.partner is not None or self.asking or not self.is_up:
            return
        self.asking = True
        connection = self.connection

        def answered(accepted):
            if connection != self.connection:
                return
            self.asking = False
            if accepted is True:
                self.paired()
            else:
                start(self.ask(AGAIN))

        if not await self.emit("P2P_REGISTER", partner_of(self.number), answered):
            self.asking = False

    def asked(self, source):
        accepted = self.partner is None and source == partner_of(self.number)
        if accepted:
            self.paired()
        return accepted

    def paired(self):
        self.partner = partner_of(self.number)
        self.epoch += 1
        self.made = 0
        note("paired", self.number, self.connection, self.epoch)

    def unpaired(self):
        if self.partner is None:
            return
        self.partner = None
        note("unpaired", self.number, self.epoch)
        start(self.ask(0.1))

    def ran(self, epoch, number, length, text):
        last = records[-1].get("ran") if records else None
        if last and last[:3] == [self.number, self.connection, epoch] and last[4] + 1 == number:
            last[4] = number
        else:
            note("ran", self.number, self.connection, epoch, number, number)
        if text != filler(number, len(text)):
            note("strange", self.number, f"{epoch}.{number} came changed")
        return f"{self.number}:{epoch}:{number}", filler(number, length)

    async def turn(self, seconds):
        self.help()
        rate, burst = talk["rate"], talk["burst"]
        if rate == 0 or self.partner is None or not self.is_up:
            return
        self.budget = min(self.budget + 2 * random.random() * rate * seconds, 2 * burst)
        calls = math.ceil(random.random() * burst)
        if self.budget < calls:
            return
        self.budget -= calls
        for _ in range(calls):
            if len(self.open) < IN_FLIGHT and self.partner is not None:
                await self.call()

    async def call(self):
        epoch, number = self.epoch, self.made
        length, answer_length = size(), size()
        args = [epoch, number, answer_length, filler(number, length)]
        emit = {"targetClientId": self.partner, "event": "call", "args": args}
        self.made += 1
        if random.random() < 0.2:
            sent = await self.emit("P2P_EMIT", emit)
        else:
            self.calls += 1
            call = self.calls
            self.open[call] = epoch, number, self.connection, time.monotonic()

            def answered(value=None, text=None, *_):
                opened = self.open.pop(call, None)
                if opened is None:
                    return  # An answer after the end of its connection, or a second one.
                if isinstance(value, dict) and "error" in value:
                    note("failed", self.number, epoch, number, value["error"].get("code"))
                elif (value, text) != (f"{self.number ^ 1}:{epoch}:{number}", filler(number, answer_length)):
                    note("wrong", self.number, epoch, number, str(value))
                else:
                    self.right += 1
                    if opened[3] >= marked and not self.well:
                        self.well = True
                        note("well", self.number)

            sent = await self.emit("P2P_EMIT_ACKNOWLEDGE", emit, answered)
            if not sent:
                self.open.pop(call, None)
        if not sent and self.epoch == epoch and self.made == number + 1:
            self.made = number

    def count(self):
        self.flush()
        now = time.monotonic()
        calls = [[epoch, number, connection, now - since] for epoch, number, connection, since in self.open.values()]
        note("rest", self.number, self.connection, self.epoch, self.made, calls)

    def flush(self):
        if self.right > 0:
            note("right", self.right)
        self.right = 0


async def give_up(client):
    try:
        await asyncio.wait_for(client.shutdown(), 5)
    except Exception:  # It is given up in any case.
        pass


def print_records():
    for client in clients:
        client.flush()
    if records:
        print(json.dumps(records), flush=True)
    records.clear()


def obey(command):
    global marked, talk
    if command == "mark":
        marked = time.monotonic()  # A call made before does not count.
        for client in clients:
            client.well = False
    elif command == "count":
        for client in clients:
            client.count()
        records.append("counted")
        print_records()
    elif "clients" in command:
        random.seed(command["seed"])
        clients.extend(Client(client, command) for client in command["clients"])
    elif "talk" in command:
        talk = command["talk"]


async def read_commands():
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        obey(json.loads(line))


async def take_turns():
    before = time.monotonic()
    while True:
        await asyncio.sleep(TURN)
        now = time.monotonic()
        for client in clients:
            await client.turn(now - before)
        before = now
        print_records()


async def main():
    turns = asyncio.ensure_future(take_turns())
    reading = asyncio.ensure_future(read_commands())
    done, _ = await asyncio.wait([turns, reading], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    sys.stdout.flush()


loop = asyncio.new_event_loop()
loop.run_until_complete(main())
# Without waiting for what the clients still do.
sys.stdout.flush()
import os  # noqa: E402

os._exit(0)
