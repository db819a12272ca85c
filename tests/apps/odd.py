"""An app that does as it is told, well or badly: what the front's stories need behind the worker.

Settings come from the environment (ODD_*), the way to answer from the path. It speaks HTTP by hand,
for a library would not let it misbehave. SIGTERM ends it at once, without any grace.
"""

import json
import os
import signal
import socket
import sys
import threading
import time


def say(text):
    print(text, file=sys.stderr, flush=True)


def setting(name, default=None):
    return os.environ.get("ODD_" + name, default)


def read_head(file):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()
        if not line:
            return None
        head += line
    return head.decode("latin-1")


def fields(head):
    lines = head.split("\r\n")[1:]
    return {n.lower(): v.strip() for n, v in (line.split(":", 1) for line in lines if line)}


def pieces(file, head):
    """The body, in the pieces it arrived in; trailers are left in `pieces.trailers`."""
    pieces.trailers = []
    of = fields(head)
    if of.get("transfer-encoding") == "chunked":
        while True:
            size = int(file.readline(), 16)
            if size == 0:
                break
            yield file.read(size)
            file.readline()
        while (line := file.readline().strip()):
            pieces.trailers.append(line.decode())
    left = int(of.get("content-length", 0))
    while left:
        piece = file.read1(min(left, 65536))
        if not piece:
            raise EOFError
        left -= len(piece)
        yield piece


def reply(client, body=b"", status="200 OK", more=""):
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    client.sendall(head.encode() + body)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"


def answer(client, file, head, counts):
    method, target, _ = head.split("\r\n")[0].split(" ")
    path, _, query = target.partition("?")
    counts[path] = counts.get(path, 0) + 1
    say(f"{method} {target}")
    if path == "/head":
        body = b"".join(pieces(file, head))
        fds = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
               if os.path.islink(f"/proc/self/fd/{fd}")}
        told = {"head": head, "body": body.decode("latin-1"), "trailers": pieces.trailers,
                "env": dict(os.environ), "fds": fds, "pid": os.getpid(), "group": os.getpgrp()}
        reply(client, json.dumps(told).encode())
    elif path == "/counts":
        reply(client, json.dumps(counts).encode())
    elif path == "/echo":
        client.sendall(CHUNKED + b"\r\n")
        for piece in pieces(file, head):
            client.sendall(chunk(piece))
        client.sendall(b"0\r\n\r\n")
    elif path == "/ready":
        reply(client, b"", "200 OK" if counts[path] > 3 else "503 Service Unavailable")
    elif path == "/slow":
        time.sleep(int(query) / 1000)
        reply(client, b"slow\n")
    elif path == "/never":
        for _ in pieces(file, head):
            pass
        while client.recv(1):
            pass
    elif path == "/close-unsaid":
        reply(client, b"bye\n")
        return False
    elif path == "/close-unanswered":
        return False
    elif path == "/close-unanswered-once":
        if counts[path] == 1:
            return False
        reply(client, b"at last\n")
    elif path == "/die":
        os._exit(int(query or 7))
    elif path == "/garbage":
        client.sendall(b"220 smtp.example.com ESMTP\r\n")
        return False
    elif path == "/half":
        client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        return False
    elif path == "/half-chunked":
        client.sendall(CHUNKED + b"\r\n" + chunk(b"hello"))
        return False
    elif path == "/early":
        reply(client, b"too much\n", "413 Content Too Large", "connection: close\r\n")
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
        return False
    elif path == "/drip":
        client.sendall(CHUNKED + b"content-type: text/event-stream\r\n\r\n")
        for number in range(int(query)):
            client.sendall(chunk(b"data: %d\n\n" % number))
            time.sleep(0.1)
        client.sendall(b"0\r\n\r\n")
    elif path == "/trailers":
        client.sendall(CHUNKED + b"trailer: x-sum\r\n\r\n" + chunk(b"hello") + b"0\r\nx-sum: 5\r\n\r\n")
    elif path == "/one-hop":
        more = "connection: x-secret, keep-alive\r\nkeep-alive: timeout=5\r\nx-secret: 1\r\nx-kept: 2\r\n"
        reply(client, b"", more=more)
    elif path == "/continue":
        if query == "refuse":
            reply(client, b"no\n", "417 Expectation Failed")
            return False
        if query != "silent":
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        reply(client, b"".join(pieces(file, head)))
    elif path == "/big":
        client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % int(query))
        for _ in range(int(query) // 65536):
            client.sendall(b"x" * 65536)
        client.sendall(b"x" * (int(query) % 65536))
    elif path == "/swallow":
        reply(client, b"%d" % sum(len(piece) for piece in pieces(file, head)))
    elif path == "/switch-unasked":
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
    else:
        reply(client, b"hello\n")
    return True


def serve(client, counts):
    keep_alive = setting("KEEP_ALIVE")
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) if client.family != socket.AF_UNIX else None
    file = client.makefile("rb")
    try:
        while True:
            client.settimeout(float(keep_alive) if keep_alive else None)
            head = read_head(file)
            client.settimeout(None)
            if head is None or not answer(client, file, head, counts):
                break
    except (OSError, EOFError, ValueError) as error:
        say(f"client lost: {error!r}")
    finally:
        file.close()
        client.close()
        say("closed a connection")


def listener():
    if path := os.environ.get("SOCKET_PATH"):
        made = socket.socket(socket.AF_UNIX)
        made.bind(path)
    else:
        host = setting("HOST", "127.0.0.1")
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, int(os.environ["PORT"])))
    made.listen(int(setting("BACKLOG", 1024)))
    return made


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])


def told_to_go(_signal, _frame):
    say("told to go")
    if setting("IGNORES_TERM") is None:
        os._exit(0)


def main():
    signal.signal(signal.SIGTERM, told_to_go)
    if setting("CHILD"):
        if os.fork() == 0:
            signal.pause()
    print("booting (stdout)", flush=True)
    say("booting (stderr)")
    time.sleep(float(setting("BOOT", 0)))
    if setting("FAILS"):
        sys.exit(int(setting("FAILS")))
    accepting = listener()
    if setting("NOTIFIES"):
        time.sleep(float(setting("NOTIFIES")))
        notify("STATUS=warm\nREADY=1")
    counts = {}
    while True:
        client, _ = accepting.accept()
        threading.Thread(target=serve, args=(client, counts), daemon=True).start()


main()
