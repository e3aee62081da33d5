from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from token_endpoint_proxy import TokenEndpointProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider


@pytest.fixture
def token_proxy(demo: DemoProvider) -> Iterator[TokenEndpointProxy]:
    with TokenEndpointProxy(demo.issuer) as proxy:
        yield proxy
