"""An API and a token endpoint with next to no cost; the first argument is the token endpoint's latency in seconds.

Runs as a process and prints its URL. Every GET gets the same response, each POST a new token.
"""

import asyncio
import json
import sys

BODY = b'{"stations": []}'


def answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


OK = answer(BODY)


class Connection(asyncio.Protocol):
    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.heard = transport, b""

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, end, body = self.heard.partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"POST"):
            length = next(
                int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"
            )
            if len(body) < length:
                return
            Connection.count += 1
            token = {"access_token": f"a{self.count}", "refresh_token": f"r{self.count}"}
            self.later(answer(json.dumps({**token, "token_type": "Bearer", "expires_in": 3600}).encode()))
        else:
            self.transport.write(OK)
        self.heard = b""

    def later(self, what: bytes) -> None:
        asyncio.get_running_loop().call_later(float(sys.argv[1]), self.transport.write, what)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=256)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
