"""The names of `authnb`: which there are, that each is one thing, and that importing the package loads none."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import authnb

MODULES = {"demo", "flows"}
NAMES = {
    *MODULES,
    *("login", "signup", "doctor", "language", "preset", "record"),
    *(
        "Client",
        "Login",
        "LoginMode",
        "Provider",
        "Quirks",
        "Session",
        "SignUpMode",
        "Verification",
        "ViewName",
    ),
    *(
        "AuthnbError",
        "InteractionRequired",
        "InvalidToken",
        "LoginFailed",
        "LoginRequired",
        "LoginTimeout",
        "ProviderError",
        "ShareError",
        "StepUpRequired",
        "StorageError",
    ),
    *("AccessToken", "Account", "FileStorage", "MemoryStorage", "SignIn", "TokenStorage"),
    *(
        "Exchange",
        "Field",
        "Finding",
        "Findings",
        "Form",
        "Headers",
        "Holder",
        "Lifetime",
        "Recording",
        "Share",
        "SignedOut",
        "Token",
        "TokenAuth",
    ),
}


def test_the_names_are_these() -> None:
    assert set(authnb.__all__) == set(dir(authnb)) == NAMES
    assert all(getattr(authnb, name) is not None for name in NAMES)


def test_no_name_is_a_module_and_something_else() -> None:
    """Whatever is imported before: importing a submodule binds its name in the package."""
    for module in pkgutil.walk_packages(authnb.__path__, "authnb."):
        # an adapter's library need not be installed
        if not module.name.endswith("__main__") and not module.name.startswith(
            ("authnb.adapters.", "authnb.cluster.")
        ):
            import_module(module.name)
    assert {name for name in NAMES if isinstance(getattr(authnb, name), ModuleType)} == MODULES
    submodules = {module.name for module in pkgutil.iter_modules(authnb.__path__)}
    assert submodules & NAMES == MODULES


def test_importing_the_package_loads_nothing() -> None:
    """Names are imported when first used (PEP 562)."""
    code = "import sys; before = set(sys.modules); import authnb; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(run.stdout.split())
    assert "typing" not in loaded
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == {"authnb"}
