"""Each check of the client, and how it is switched off. See `mutants`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A check switched off: in ``file``, ``old`` becomes ``new``; ``tests`` should notice."""

    check: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


LISTENER = "tests/security/test_listener.py"
ORIGINS = ("tests/test_session_origins.py",)
ANSWERS, IDENTITY = ("tests/test_answers.py",), ("tests/test_identity.py",)
MUTANTS = [
    Mutant(
        check="state",
        file="answers.py",
        old="if not hmac.compare_digest(",
        new="if False and not hmac.compare_digest(",
        tests=ANSWERS,
    ),
    Mutant(
        check="a parameter twice",
        file="answers.py",
        old="if len(values) != len(pairs):",
        new="if False:",
        tests=ANSWERS,
    ),
    Mutant(
        check="iss of the answer (RFC 9207)",
        file="answers.py",
        old="if self.iss != provider.issuer and (required or self.iss is not None):",
        new="if False:",
        tests=ANSWERS,
    ),
    Mutant(check="nonce", file="identity.py", old="if nonce is not None:", new="if False:", tests=IDENTITY),
    Mutant(
        check="issuer of the ID token",
        file="identity.py",
        old='"iss": {"essential": True, "value": issuer},',
        new='"iss": {"essential": True},',
        tests=IDENTITY,
    ),
    Mutant(
        check="audience",
        file="identity.py",
        old='"aud": {"essential": True, "value": client_id},',
        new='"aud": {"essential": True},',
        tests=IDENTITY,
    ),
    Mutant(
        check="azp",
        file="identity.py",
        old='if claims.get("azp", client_id) != client_id:',
        new="if False:",
        tests=IDENTITY,
    ),
    Mutant(
        check="expiry",
        file="identity.py",
        old='"exp": {"essential": True},',
        new="",
        tests=IDENTITY,
    ),
    Mutant(
        check="current time",
        file="identity.py",
        old="LEEWAY = 60 ",
        new="LEEWAY = 60_000_000 ",
        tests=IDENTITY,
    ),
    Mutant(
        check="at_hash",
        file="identity.py",
        old='if access_token is not None and "at_hash" in claims:',
        new="if False:",
        tests=IDENTITY,
    ),
    Mutant(
        check="signature",
        file="identity.py",
        old="genuine = jws.validate_compact(",
        new="genuine = True or jws.validate_compact(",
        tests=IDENTITY,
    ),
    Mutant(
        check="list of algorithms",
        file="identity.py",
        old="ALGORITHMS = (\n",
        new='ALGORITHMS = (\n    "none",\n    "HS256",\n',
        tests=IDENTITY,
    ),
    Mutant(
        check="type of key",
        file="identity.py",
        old='if key.get("kty") != key_type or key.get("use", "sig") != "sig":',
        new="if False:",
        tests=("tests/mischief", "-k", "encryption or ES256"),
    ),
    Mutant(
        check="flood of key fetches",
        file="provider.py",
        old="if time.monotonic() - self._renewed < _KEYS_AGAIN_AFTER:",
        new="if False:",
        tests=IDENTITY,
    ),
    Mutant(
        check="issuer of the metadata",
        file="provider.py",
        old="if not ours:",
        new="if False:",
        tests=("tests/test_provider.py",),
    ),
    Mutant(
        check="https",
        file="transport.py",
        old='return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)',
        new="return True",
        tests=("tests/test_provider.py", *ANSWERS),
    ),
    Mutant(
        check="redirects refused",
        file="transport.py",
        old='if self.refuses_redirects and "location" in response.headers',
        new="if False",
        tests=("tests/test_flows.py", "tests/test_provider.py"),
    ),
    Mutant(
        check="size of an answer",
        file="transport.py",
        old="if size > ANSWER_LIMIT:",
        new="if False:",
        tests=("tests/test_provider.py",),
    ),
    Mutant(
        check="time for an answer",
        file="transport.py",
        old="ANSWER_DEADLINE = 20.0 ",
        new="ANSWER_DEADLINE = 20_000.0 ",
        tests=("tests/mischief", "-k", "continue"),
    ),
    Mutant(
        check="PKCE",
        file="client.py",
        old='code_challenge_method="S256",',
        new="code_challenge_method=None,",
        tests=("tests/test_flows.py",),
    ),
    Mutant(
        check="the person stays the same at renewal",
        file="userinfo.py",
        old='if known and told.get("sub") != known["sub"]:',
        new="if False:",
        tests=("tests/test_client.py",),
    ),
    Mutant(
        check="host name of the listener",
        file="redirects.py",
        old="if path != PATH or not own_name or",
        new="if path != PATH or",
        tests=("tests/test_redirects.py",),
    ),
    Mutant(
        check="first answer counts",
        file="redirects.py",
        old="if answer is None or self.answer is not None:",
        new="if answer is None:",
        tests=("tests/test_redirects.py",),
    ),
    Mutant(
        check="number of connections",
        file="redirects.py",
        old="_MOST_VISITS = 64 ",
        new="_MOST_VISITS = 64_000 ",
        tests=(LISTENER, "-k", "shots"),
    ),
    Mutant(
        check="time for a request",
        file="redirects.py",
        old="_REQUEST_TIMEOUT = 5 ",
        new="_REQUEST_TIMEOUT = 5000 ",
        tests=(LISTENER, "-k", "hold"),
    ),
    Mutant(
        check="size of a request",
        file="redirects.py",
        old="_LONGEST_REQUEST = 65_536 ",
        new="_LONGEST_REQUEST = 65_536_000 ",
        tests=(LISTENER, "-k", "kept"),
    ),
    Mutant(
        check="address hidden from other users",
        file="views/browser.py",
        old="return self._file.as_uri()",
        new="return address",
        tests=("tests/security/test_neighbours.py",),
    ),
    Mutant(
        check="origin of the API",
        file="bearer.py",
        old="if self.origins and origin(url) not in self.origins:",
        new="if False:",
        tests=(*ORIGINS, "-k", "foreign_address"),
    ),
    Mutant(
        check="no token in clear or to an address with a user name",
        file="bearer.py",
        old="if not is_secure(url):",
        new="if False:",
        tests=(*ORIGINS, "-k", "https_and_loopback"),
    ),
    Mutant(
        check="a redirect elsewhere drops the token",
        file="session.py",
        old="return origin(old_url) != origin(new_url)",
        new="return False",
        tests=(*ORIGINS, "-k", "redirect_elsewhere"),
    ),
    Mutant(
        check="a 401 from elsewhere gets no token",
        file="bearer.py",
        old="while response.status_code == UNAUTHORIZED and carried and",
        new="while response.status_code == UNAUTHORIZED and",
        tests=(*ORIGINS, "-k", "redirect_elsewhere"),
    ),
    Mutant(
        check="secrets in a refusal",
        file="answers.py",
        old='        said = said.replace(secret, "…")',
        new="        pass",
        tests=ANSWERS,
    ),
    Mutant(
        check="critical headers (crit)",
        file="identity.py",
        old='if "crit" in header:',
        new="if False:",
        tests=IDENTITY,
    ),
    Mutant(
        check="header is an object",
        file="identity.py",
        old="if not isinstance(header, dict):",
        new="if False:",
        tests=("tests/mischief", "-k", "header"),
    ),
    Mutant(
        check="no address on this machine from elsewhere",
        file="provider.py",
        old="if is_loopback(address) and not is_loopback(issuer):",
        new="if False:",
        tests=("tests/test_provider.py",),
    ),
    Mutant(
        check="files that others can read",
        file="private.py",
        old='if os.name == "posix" and mode & 0o077:',
        new="if False:",
        tests=("tests/test_storage_files.py", "-k", "others_can_read"),
    ),
    Mutant(
        check="the host of the page for everybody",
        file="place.py",
        old="return page if above and own is not None else None",
        new="return page if own is not None else None",
        tests=("tests/test_place.py",),
    ),
    Mutant(
        check="the address that is pasted",
        file="callbacks.py",
        old="if place not in {self.redirect_uri, self._ends_on} or not answered:",
        new="if not answered:",
        tests=("tests/test_place.py",),
    ),
]
