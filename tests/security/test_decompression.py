"""An answer that is small on the wire and endless when unpacked takes no more memory than an honest one may."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from servers import Server

from authnb.errors import ProviderError
from authnb.transport.http import provider_session

SPACES = b" " * (100 << 20)
BOMBS = {
    "gzip": gzip.compress(SPACES, 9),
    "deflate": zlib.compress(SPACES, 9),
    "gzip, gzip": gzip.compress(gzip.compress(SPACES, 9), 9),
}


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_decompression_bomb_is_not_unpacked(encoding: str) -> None:
    """Holds from urllib3 2.6 on: before, 64 KiB were unpacked at once, whatever came of them."""
    with Server() as server, provider_session() as http:
        server.routes["/bomb"] = lambda _: (200, {"Content-Encoding": encoding}, BOMBS[encoding])
        tracemalloc.start()
        with pytest.raises(ProviderError, match="larger than 1 MiB"):
            http.get(f"{server.url}/bomb")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 8 << 20
