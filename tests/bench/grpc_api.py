"""A gRPC server that answers every call at once. Runs as a process and prints its URL."""

from __future__ import annotations

from concurrent import futures
from typing import Any

import grpc


class Handler(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    def service(self, _: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")


server = grpc.server(futures.ThreadPoolExecutor(1))
server.add_generic_rpc_handlers((Handler(),))
port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
server.start()
print(f"http://127.0.0.1:{port}", flush=True)
server.wait_for_termination()
