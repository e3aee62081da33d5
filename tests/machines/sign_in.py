"""Signs in twice, once to be remembered, where it is started, and prints as JSON what came of it. Run by the tests.

``kept``: whether the sign-in is on disk; ``found``: whether the same cell, run again, finds it; ``why``: what the
person is told if it is not remembered.
"""

from __future__ import annotations

import json
import sys

import authnb
from authnb.demo import DemoProvider
from authnb.storage.files import FileStorage

result: dict[str, object] = {"from": authnb.__file__}
with DemoProvider() as demo:
    for name, remember in (("forgotten", False), ("remembered", True)):

        def begin(*, name: str = name, remember: bool = remember) -> authnb.Login:
            return authnb.login(
                demo.issuer,
                client_id=demo.client_id,
                mode="loopback",
                view=None,
                profile=name,
                remember=remember,
            )

        login = begin()
        demo.visit(login.verification(60).uri, name="ada")
        result[name] = login.wait(60).user["name"]
        again = begin()
        again.wait(60)
        result["found"] = again.remembered
    result["why"] = login.not_stored.description if login.not_stored else None
    try:
        result["kept"] = FileStorage().load(login.account) is not None
    except authnb.StorageError as error:
        result["kept"] = error.error
sys.stdout.write(json.dumps(result))
