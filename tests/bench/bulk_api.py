"""An API whose responses have as many bytes as the first argument says. Runs as a process and prints its URL."""

import socket
import sys
import threading

SIZE, BLOCK = int(sys.argv[1]), bytes(1 << 20)


def serve(connection: socket.socket) -> None:
    while request := connection.recv(65536):
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode())
        for _ in range(SIZE // len(BLOCK)):
            connection.sendall(BLOCK)


with socket.create_server(("127.0.0.1", 0)) as server:
    print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
