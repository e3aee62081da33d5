from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest
from token_endpoint_proxy import TokenEndpointProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider

# Ray reads them when it is loaded. Without them everybody on the network could run code in its processes
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@pytest.fixture
def token_proxy(demo: DemoProvider) -> Iterator[TokenEndpointProxy]:
    with TokenEndpointProxy(demo.issuer) as proxy:
        yield proxy
