"""Begins a sign-in where the system refuses threads, and prints the error."""

from __future__ import annotations

import resource
import threading

from authnb.errors import LoginFailed
from authnb.flows import loopback_flow
from authnb.flows.listener import LoopbackListener
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider

endpoints = {f"{name}_endpoint": f"https://id.example.org/{name}" for name in ("authorization", "token")}
client = Client(Provider("https://id.example.org", **endpoints), client_id="c", scope="read")
LoopbackListener().close()  # all is imported
# Threads are refused if there is no address space left for their stacks
threading.stack_size(1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
client.prefetch()
try:
    next(loopback_flow(client))
except LoginFailed as error:
    print(error)
