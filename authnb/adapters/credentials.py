"""`Session.credentials`: the adapters under one roof, found by completion."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.adapters.source import Source


class NotInstalled(AttributeError):
    """The library of an adapter is missing or too old; the text says which version is needed.

    An `AttributeError`, so that ``inspect``, ``dir`` and ``copy`` pass over the attribute.
    """


class Adapter:
    """An attribute of `Credentials`: what a function of ``authnb.adapters.<module>`` makes of the session.

    ``requirement``: the library and its oldest version with the interface, ``aiohttp>=3.12``.
    """

    def __init__(self, module: str, function: str, requirement: str) -> None:
        self.module: str = module
        self.function: str = function
        self.requirement: str = requirement

    def __set_name__(self, owner: type, name: str) -> None:
        self.name: str = name

    def __get__(self, credentials: Credentials | None, owner: type) -> Any:
        if credentials is None:
            return self
        with _explained(self.requirement, needed_for=f"credentials.{self.name}"):
            return getattr(import_module(f"authnb.adapters.{self.module}"), self.function)(credentials.source)


def load(module: str, function: str, requirement: str, *, needed_for: str) -> Callable[..., Any]:
    """A function of ``authnb.adapters.<module>``; `NotInstalled` if the library that it needs is missing."""
    with _explained(requirement, needed_for=needed_for):
        found: Callable[..., Any] = getattr(import_module(f"authnb.adapters.{module}"), function)
        return found


@contextmanager
def _explained(requirement: str, *, needed_for: str) -> Iterator[None]:
    """Raise `NotInstalled` for a library that is older than required, or that cannot be loaded."""
    library = requirement.partition(">=")[0]
    remedy = f"Install it: pip install '{requirement}'"
    problem = f"{library} is not installed"
    try:
        with suppress(metadata.PackageNotFoundError):  # it may come in another one, mlflow-skinny in mlflow
            problem = f"{library} {_checked_version(requirement)} cannot be loaded"
        yield
    except _TooOldError as error:
        raise NotInstalled(f"{needed_for}: {error}. {remedy}") from None
    except Exception as error:  # what an import raises is the library's choice
        raise NotInstalled(f"{needed_for}: {problem} ({type(error).__name__}: {error}). {remedy}") from error


class _TooOldError(Exception):
    pass


@cache
def _checked_version(requirement: str) -> str:
    library, _, oldest = requirement.partition(">=")
    installed = metadata.version(library)
    if _release(installed) < _release(oldest):
        raise _TooOldError(f"{library} {installed} is too old")
    return installed


def _release(version: str) -> list[int]:
    """The numbers of a release, without what marks a pre-release (PEP 440)."""
    return [int(number) for number in re.findall(r"\d+", re.sub(r"[^\d.].*", "", version))]


class Credentials:
    """The session's token for other libraries, renewed by calling back: ``api.credentials.httpx``.

    An attribute raises `AttributeError` while its library is not installed.
    """

    aiohttp: Adapter = Adapter("aiohttp", "TokenMiddleware", "aiohttp>=3.12")
    anthropic: Adapter = Adapter("anthropic", "TokenProvider", "anthropic>=0.98")
    aws: Adapter = Adapter("aws", "sessions", "botocore>=1.34.63")
    aws_async: Adapter = Adapter("aws_async", "sessions", "aiobotocore>=2.12.3")
    azure: Adapter = Adapter("azure", "TokenCredential", "azure-core>=1.31")
    azure_async: Adapter = Adapter("azure_async", "AsyncTokenCredential", "azure-core>=1.31")
    confluent_kafka: Adapter = Adapter("confluent_kafka", "TokenCallback", "confluent-kafka>=2.0.2")
    databricks: Adapter = Adapter("databricks", "TokenStrategy", "databricks-sdk>=0.29")
    flight: Adapter = Adapter("flight", "TokenMiddlewareFactory", "pyarrow>=10.0.1")
    google: Adapter = Adapter("google", "SessionCredentials", "google-auth>=2.0")
    grpc: Adapter = Adapter("grpc", "TokenPlugin", "grpcio>=1.50")
    httpx: Adapter = Adapter("httpx", "auth", "httpx>=0.24")
    kafka: Adapter = Adapter("kafka", "TokenProvider", "kafka-python>=3.0")
    lancedb: Adapter = Adapter("lancedb", "TokenHeaderProvider", "lancedb>=0.25.1")
    mlflow: Adapter = Adapter("mlflow", "Registration", "mlflow-skinny>=2.8")
    obstore: Adapter = Adapter("obstore", "CredentialProvider", "obstore>=0.5")
    openai: Adapter = Adapter("openai", "api_key", "openai>=1.106")
    openai_async: Adapter = Adapter("openai", "async_api_key", "openai>=1.106")
    polars: Adapter = Adapter("polars", "CredentialProvider", "polars>=1.10")
    pyiceberg: Adapter = Adapter("pyiceberg", "auth", "pyiceberg>=0.10")
    pystac: Adapter = Adapter("pystac", "TokenModifier", "pystac-client>=0.6")
    trino: Adapter = Adapter("trino", "TokenAuthentication", "trino>=0.310")

    def __init__(self, source: Source) -> None:
        self.source = source

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if isinstance(getattr(type(self), name, None), Adapter)]

    def __repr__(self) -> str:
        return f"<Credentials of {self.source!r}>"
