"""An ASGI app with the routes that the tests ask for; it knows nothing of restarts."""

import asyncio
from urllib.parse import parse_qs

PIECE = bytes(range(251)) * 256


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        return await echo_messages(receive, send)
    assert scope["type"] == "http", scope["type"]
    query = {name: int(values[0]) for name, values in parse_qs(scope["query_string"].decode()).items()}
    route = ROUTES.get((scope["method"], scope["path"]))
    if route is None:
        await send({"type": "http.response.start", "status": 404})
        return await send({"type": "http.response.body"})
    headers, body = await route(receive, **query)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for part in body:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def hello(receive):
    return [(b"content-length", b"6")], parts(b"hello\n")


async def slow(receive, ms):
    await asyncio.sleep(ms / 1000)
    return [(b"content-length", b"5")], parts(b"slow\n")


async def echo(receive):
    async def send():
        more = True
        while more:
            message = await receive()
            yield message.get("body", b"")
            more = message.get("more_body", False)

    return [], send()


async def events(receive, count, ms):
    async def send():
        for number in range(count):
            if number:
                await asyncio.sleep(ms / 1000)
            yield b"data: %d\n\n" % number

    return [(b"content-type", b"text/event-stream")], send()


async def download(receive, bytes):
    async def send():
        left = bytes
        while left:
            part = PIECE[:left]
            left -= len(part)
            yield part

    return [(b"content-length", str(bytes).encode())], send()


async def parts(*all):
    for part in all:
        yield part


async def echo_messages(receive, send):
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


ROUTES = {
    ("GET", "/"): hello,
    ("GET", "/slow"): slow,
    ("POST", "/echo"): echo,
    ("GET", "/events"): events,
    ("GET", "/download"): download,
}
