"""An MCP server that asks a provider whose token a request has, as RFC 6750 resource servers do."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Self

import httpx2
import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl
from support import wait_for

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

SCOPE = "measurements:read"
STATIONS = ["harbour", "market", "park", "hill"]


class UserinfoVerifier(TokenVerifier):
    """Accepts the tokens that the provider's userinfo endpoint accepts, but for those in ``refused``."""

    def __init__(self, userinfo_endpoint: str) -> None:
        self.endpoint = userinfo_endpoint
        self.accepted: list[str] = []
        self.refused: set[str] = set()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose token this is, None if it has expired."""
        async with httpx2.AsyncClient(timeout=60) as client:
            response = await client.get(self.endpoint, headers={"Authorization": f"Bearer {token}"})
        if response.status_code != 200 or token in self.refused:
            return None
        self.accepted.append(token)
        return AccessToken(token=token, client_id="notebook", scopes=[], subject=response.json()["sub"])


class IntrospectionVerifier(TokenVerifier):
    """Accepts the tokens that the provider calls active (RFC 7662), and says which resource they are for."""

    def __init__(self, endpoint: str, credentials: tuple[str, str]) -> None:
        self.endpoint, self.credentials = endpoint, credentials

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose token this is, and for what."""
        async with httpx2.AsyncClient(timeout=60, auth=self.credentials) as client:
            response = await client.post(self.endpoint, data={"token": token})
        answer = response.json()
        if not answer["active"]:
            return None
        return AccessToken(
            token=token,
            client_id=answer["client_id"],
            scopes=answer.get("scope", "").split(),
            resource=answer.get("aud"),
            subject=answer["sub"],
        )


class MCPOnThread:
    """An `MCPServer` with one tool, on a thread and a port of its own; subclasses say who may use it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"{self.origin}/mcp"
        server = self.server()
        server.tool()(stations)
        config = uvicorn.Config(server.streamable_http_app(), log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def server(self) -> MCPServer:
        """The server, with its authorization."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self._server.started, "the MCP server")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class ProtectedMCP(MCPOnThread):
    """For bearer tokens of the provider for learning; 401 without one."""

    def __init__(self, demo: DemoProvider) -> None:
        self.verifier = UserinfoVerifier(f"{demo.issuer}/userinfo")
        self._issuer = demo.issuer
        super().__init__()

    def server(self) -> MCPServer:
        """Any of the provider's tokens will do."""
        settings = AuthSettings(
            issuer_url=AnyHttpUrl(self._issuer),
            resource_server_url=AnyHttpUrl(self.url),
            validate_token_resource=False,  # the provider for learning knows no audience of ours
        )
        return MCPServer("Air", token_verifier=self.verifier, auth=settings, log_level="ERROR")


class MCPBehindProvider(MCPOnThread):
    """For tokens that another provider issued for this server and this scope (RFC 8707), by introspection there."""

    def __init__(self, issuer: str, endpoint: str, credentials: tuple[str, str]) -> None:
        self._issuer, self._verifier = issuer, IntrospectionVerifier(endpoint, credentials)
        super().__init__()

    def server(self) -> MCPServer:
        """It names the provider in its metadata (RFC 9728)."""
        settings = AuthSettings(
            issuer_url=AnyHttpUrl(self._issuer),
            resource_server_url=AnyHttpUrl(self.url),
            required_scopes=[SCOPE],
            validate_token_resource=True,
        )
        return MCPServer("Air", token_verifier=self._verifier, auth=settings, log_level="ERROR")


def stations() -> list[str]:
    """Where air is measured."""
    return STATIONS
