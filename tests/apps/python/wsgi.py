"""A WSGI app with the routes that the tests ask for; it knows nothing of restarts."""

import time
from urllib.parse import parse_qs

PIECE = bytes(range(251)) * 256


def app(environ, start_response):
    query = {name: int(values[0]) for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    route = ROUTES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    if route is None:
        start_response("404 Not Found", [])
        return []
    headers, body = route(environ, **query)
    start_response("200 OK", headers)
    return body


def hello(environ):
    return [("Content-Length", "6")], [b"hello\n"]


def slow(environ, ms):
    time.sleep(ms / 1000)
    return [("Content-Length", "5")], [b"slow\n"]


def echo(environ):
    length = environ["CONTENT_LENGTH"]
    return [("Content-Length", length)], [environ["wsgi.input"].read(int(length))]


def events(environ, count, ms):
    def send():
        for number in range(count):
            if number:
                time.sleep(ms / 1000)
            yield b"data: %d\n\n" % number

    return [("Content-Type", "text/event-stream")], send()


def download(environ, bytes):
    def send():
        left = bytes
        while left:
            part = PIECE[:left]
            left -= len(part)
            yield part

    return [("Content-Length", str(bytes))], send()


ROUTES = {
    ("GET", "/"): hello,
    ("GET", "/slow"): slow,
    ("POST", "/echo"): echo,
    ("GET", "/events"): events,
    ("GET", "/download"): download,
}
