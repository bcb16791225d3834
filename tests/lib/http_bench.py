"""ASGI applications for tests: one request without a server, or a real server on loopback."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn


def call(application, method, path, *pieces):
    """Run one request through an application; return status and JSON."""
    parts = list(pieces) or [b""]
    waiting = [
        {"type": "http.request", "body": body, "more_body": number < len(parts) - 1}
        for number, body in enumerate(parts)
    ]
    sent = []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(application({"type": "http", "method": method, "path": path}, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@contextmanager
def serving(application):
    """Yield the address of a real server that runs an application."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
