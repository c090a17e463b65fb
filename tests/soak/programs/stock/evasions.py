"""Tests that clients.py evades what findings/ shows of python-socketio: its evasions use parts that are not public, which
another version may not have.

    python evasions.py
"""

import asyncio
from types import SimpleNamespace

import aiohttp
import engineio.payload

import clients


async def no_poll_is_repeated():
    async with aiohttp.ClientSession() as plain:
        assert plain._retry_connection is True, "the library repeats them by itself"
    async with clients.session_without_retries() as session:
        assert session._retry_connection is False


def a_poll_may_bring_more_than_16_packets():
    packets = engineio.payload.Payload(encoded_payload="\x1e".join(["4"] * 17)).packets
    assert len(packets) == 17


class Unconnected(clients.Client):
    """A client that has no connection of the library."""

    def __init__(self):
        self.times_made = 0
        super().__init__({"number": 0, "transport": "polling"}, {})

    def make(self):
        self.times_made += 1
        self.client = SimpleNamespace(eio=SimpleNamespace(state="disconnected"))

    async def ask(self):
        pass


async def a_connection_that_the_library_has_given_up_before_it_says_connect_is_none():
    client = Unconnected()
    client.connected()
    assert not client.is_up and clients.records == []

    client.client.eio.state = "connected"
    client.connected()
    assert client.is_up and clients.records == [{"up": 0}]

    # The library never says that it is gone.
    client.client.eio.state = "disconnected"
    client.help()
    assert not client.is_up and clients.records[1:] == [{"down": [0, 1, "lost in silence"]}]
    clients.records.clear()


async def one_that_stays_unconnected_is_made_anew():
    given_up = []

    async def give_up(old):
        given_up.append(old)

    client, clients.give_up = Unconnected(), give_up
    old = client.client
    client.help()
    assert client.times_made == 1 and clients.records == []

    client.down_since -= clients.UNHELPED + 1
    client.help()
    await asyncio.sleep(0)
    assert client.times_made == 2 and given_up == [old]
    assert clients.records == [{"helped": [0, "never connected"]}]


a_poll_may_bring_more_than_16_packets()
asyncio.run(no_poll_is_repeated())
asyncio.run(a_connection_that_the_library_has_given_up_before_it_says_connect_is_none())
asyncio.run(one_that_stays_unconnected_is_made_anew())
print("all hold")
