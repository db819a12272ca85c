"""Talks to an echo over WebSockets, N clients at a time, until standard input ends.

Says "connected" when every client has had its first echo, and at the end, as JSON, what became of
the connections. A client that is closed by the other side connects again.
"""

import asyncio
import json
import sys
from collections import Counter

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


class Talk:
    def __init__(self, url, clients):
        self.url = url
        self.clients = clients
        self.is_over = False
        self.greeted = 0
        self.connects = 0
        self.echoes = 0
        self.codes = Counter()
        self.failed = []

    async def run(self):
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.clients):
                tasks.create_task(self.client(number))
            await asyncio.to_thread(sys.stdin.read)
            self.is_over = True

    async def client(self, number):
        is_greeted = False
        while not self.is_over:
            try:
                async with connect(self.url, proxy=None) as socket:
                    self.connects += 1
                    await self.echo(socket, number)
                    if not is_greeted:
                        is_greeted = True
                        self.greet()
                    while not self.is_over:
                        await self.echo(socket, number)
            except ConnectionClosed as closed:
                self.codes[closed.rcvd.code if closed.rcvd else "none"] += 1
            except Exception as error:
                self.failed.append(repr(error))
                await asyncio.sleep(0.1)

    def greet(self):
        self.greeted += 1
        if self.greeted == self.clients:
            print("connected", flush=True)

    async def echo(self, socket, number):
        # Now and then one that is longer than what anybody buffers.
        long = 100_000 if self.echoes % 50 == 0 else 1
        message = f"{number}: {self.echoes} " * long
        await socket.send(message)
        answer = await asyncio.wait_for(socket.recv(), 10)
        if answer != message:
            raise ValueError(f"{len(answer)} bytes, not the {len(message)} expected")
        self.echoes += 1
        await asyncio.sleep(0.01)


talk = Talk(sys.argv[1], int(sys.argv[2]))
asyncio.run(talk.run())
told = {name: getattr(talk, name) for name in ["connects", "echoes", "codes", "failed"]}
print(json.dumps(told), flush=True)
