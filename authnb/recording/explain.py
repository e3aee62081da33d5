"""The parameters of a sign-in: meaning, section of the standard, and whether the value may be shown."""

from __future__ import annotations

from dataclasses import dataclass

_BASES = {
    "RFC": "https://www.rfc-editor.org/rfc/rfc{number}.html#section-{section}",
    "Core": "https://openid.net/specs/openid-connect-core-1_0.html",
    "Discovery": "https://openid.net/specs/openid-connect-discovery-1_0.html",
    "Logout": "https://openid.net/specs/openid-connect-rpinitiated-1_0.html",
    "Create": "https://openid.net/specs/openid-connect-prompt-create-1_0.html#section-{section}",
}
# Of specifications whose sections are not linked by number
_ANCHORS = {
    "Core 2": "IDToken",
    "Core 3.1.2.1": "AuthRequest",
    "Core 3.1.3.6": "CodeIDToken",
    "Core 3.1.3.7": "IDTokenValidation",
    "Core 5.1": "StandardClaims",
    "Discovery 3": "ProviderMetadata",
    "Logout 2": "RPLogout",
    "Logout 2.1": "OPMetadata",
}


@dataclass(frozen=True)
class Explanation:
    """The meaning of a parameter; ``source`` as in ``RFC 6749 4.1.1`` or ``Core 3.1.2.1``."""

    meaning: str
    source: str
    public: bool

    @property
    def link(self) -> str:
        """The URL of the section."""
        name, *numbers = self.source.split()
        address = _BASES[name].format(number=numbers[0], section=numbers[-1])
        return f"{address}#{_ANCHORS[self.source]}" if self.source in _ANCHORS else address


def _table(text: str, *, public: bool) -> dict[str, Explanation]:
    rows = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
    return {name: Explanation(meaning, source, public) for name, source, meaning in rows}


# Neither secret nor personal: shown as they are
_PUBLIC = """
response_type | RFC 6749 3.1.1 | the kind of response requested: an authorization code
client_id | RFC 6749 2.2 | identifies the client at the provider; not a secret
client_assertion_type | RFC 7521 4.2 | the kind of assertion that authenticates the client: a JWT
redirect_uri | RFC 6749 3.1.2 | where the provider redirects the browser with its response
scope | RFC 6749 3.3 | the access requested or granted
code_challenge_method | RFC 7636 4.3 | how the challenge is derived from the verifier: S256
prompt | Core 3.1.2.1 | which pages to show the person; create asks for a new account
max_age | Core 3.1.2.1 | seconds since the last sign-in after which the person must sign in again
response_mode | Core 3.1.2.1 | how the response is returned
grant_type | RFC 6749 4.1.3 | what is exchanged for tokens
token_type | RFC 6749 7.1 | how the access token is used: a Bearer token works for anyone who holds it
token_type_hint | RFC 7009 2.1 | the kind of token to revoke
expires_in | RFC 6749 5.1 | lifetime of the access token, or of the device code, in seconds
interval | RFC 8628 3.2 | minimum seconds between two polls
verification_uri | RFC 8628 3.2 | where the person enters the code
error | RFC 6749 5.2 | the error code
error_description | RFC 6749 5.2 | the error in words
iss | RFC 9207 2 | the issuer of the response
issuer | RFC 8414 2 | the provider's identifier
authorization_endpoint | RFC 8414 2 | where the person signs in
token_endpoint | RFC 8414 2 | where codes and refresh tokens are exchanged for tokens
jwks_uri | RFC 8414 2 | where the provider's public keys are
userinfo_endpoint | Discovery 3 | returns claims about the person for an access token
device_authorization_endpoint | RFC 8628 4 | issues device codes and user codes
pushed_authorization_request_endpoint | RFC 9126 5 | takes authorization requests from the client itself
dpop_signing_alg_values_supported | RFC 9449 5.1 | algorithms of proofs of possession that are taken
dpop_bound_access_tokens_required | RFC 9728 2 | whether the API takes only tokens that are bound to a key
require_pushed_authorization_requests | RFC 9126 5 | whether it takes none from the browser
revocation_endpoint | RFC 8414 2 | where tokens are revoked
end_session_endpoint | Logout 2.1 | where the browser logs out
registration_endpoint | RFC 8414 2 | where clients register
resource | RFC 8707 2 | the API that the token is for, or whose metadata these are
authorization_servers | RFC 9728 2 | where the users of this API sign in
bearer_methods_supported | RFC 9728 2 | where the API takes a token: in a header, the body or the query
client_name | RFC 7591 2 | the name of the client, as people are shown it
software_id | RFC 7591 2 | the program, the same wherever it runs
software_version | RFC 7591 2 | its version
redirect_uris | RFC 7591 2 | where the client may have codes sent
grant_types | RFC 7591 2 | what the client may have exchanged for tokens
response_types | RFC 7591 2 | what the client may request of the authorization endpoint
token_endpoint_auth_method | RFC 7591 2 | how the client authenticates; none: it has no secret
code_challenge_methods_supported | RFC 8414 2 | supported PKCE methods
grant_types_supported | RFC 8414 2 | supported grant types
scopes_supported | RFC 8414 2 | supported scopes
response_types_supported | RFC 8414 2 | supported response types
response_modes_supported | RFC 8414 2 | supported response modes
token_endpoint_auth_methods_supported | RFC 8414 2 | client authentication methods; none is for public clients
token_endpoint_auth_signing_alg_values_supported | RFC 8414 2 | algorithms with which a client's key may sign
revocation_endpoint_auth_methods_supported | RFC 8414 2 | the same at the revocation endpoint
id_token_signing_alg_values_supported | Discovery 3 | signature algorithms of ID tokens
subject_types_supported | Discovery 3 | whether all clients see the same sub
claims_supported | Discovery 3 | claims that may be provided
prompt_values_supported | Create 4 | supported values of prompt
service_documentation | RFC 8414 2 | documentation for developers
authorization_response_iss_parameter_supported | RFC 9207 3 | whether authorization responses contain iss
aud | Core 2 | the client the ID token is issued to
azp | Core 2 | the client that requested it
exp | Core 2 | when the ID token expires
iat | Core 2 | when it was issued
auth_time | Core 2 | when the person signed in
typ | RFC 7519 5.1 | the type of token: JWT, a JSON Web Token
alg | RFC 7515 4.1.1 | the signature algorithm
Content-Type | RFC 9110 8.3 | the media type of the body
Location | RFC 9110 10.2.2 | where the browser is redirected; its parameters follow
WWW-Authenticate | RFC 6750 3 | the authentication challenge: what is missing
Retry-After | RFC 9110 10.2.3 | when to retry
Cache-Control | RFC 9111 5.2 | who may cache it and for how long; no-store: nobody
"""

# Secret or personal: only the length is shown
_HIDDEN = """
state | RFC 6749 10.12 | binds the response to the browser that made the request
nonce | Core 3.1.2.1 | binds the ID token to this sign-in
request_uri | RFC 9126 2.2 | refers to the parameters that were pushed; good for a short time, and once
code_challenge | RFC 7636 4.2 | the hash of a secret that only the client knows
code_verifier | RFC 7636 4.5 | that secret: proves that the same client redeems the code
code | RFC 6749 4.1.2 | authorization code: exchanged for tokens, once and soon
access_token | RFC 6749 1.4 | authorizes API calls: by whoever holds it, or with a proof of the key it is bound to
refresh_token | RFC 6749 1.5 | obtains a new access token without the person
id_token | Core 2 | who signed in, signed by the provider; decoded below
client_secret | RFC 6749 2.3.1 | the client's password
client_assertion | RFC 7521 4.2 | signed by the client with its private key: authenticates this one request
registration_access_token | RFC 7592 3 | reads and deletes the client's registration
token | RFC 7009 2.1 | the token to revoke
device_code | RFC 8628 3.2 | identifies the device while it polls; never shown
user_code | RFC 8628 3.2 | the code that the person enters
verification_uri_complete | RFC 8628 3.3.1 | the verification URI with the user code included
login_hint | Core 3.1.2.1 | the account that the sign-in page suggests
id_token_hint | Logout 2 | who logs out
Authorization | RFC 6750 2.1 | the access token, or the client's name and secret
DPoP | RFC 9449 4.2 | proof of possession: signed for this one request with the key that tokens are bound to
DPoP-Nonce | RFC 9449 8 | to be put into the next proof, so that none can be made in advance
dpop_jkt | RFC 9449 10 | the thumbprint of that key: the code is of no use without it
Cookie | RFC 6265 4.2 | identifies the browser's session at the provider
Set-Cookie | RFC 6265 4.1 | sets the cookie that identifies the browser's session
sub | Core 2 | the person's identifier at this provider
name | Core 5.1 | the person's full name
preferred_username | Core 5.1 | the name the person signs in with
email | Core 5.1 | the person's address
email_verified | Core 5.1 | whether the provider has checked it
at_hash | Core 3.1.3.6 | half a hash of the access token: the two belong together
kid | RFC 7515 4.1.4 | which of the provider's keys signed it
keys | RFC 7517 5.1 | the provider's public keys
password | RFC 6749 10.7 | sent from the sign-in page to the provider; the client never sees it
csrf_token | RFC 6749 10.12 | proves that the form came from the provider's own page
"""

# What one value means, where the name alone does not say it; values in lower case
_VALUES = """
token_type: dpop | RFC 9449 5 | a DPoP token is bound to a key: it works with proofs of that key, and not for a thief
error: use_dpop_nonce | RFC 9449 8 | the proof has to hold the nonce of DPoP-Nonce: the request is made once more
error: invalid_dpop_proof | RFC 9449 5 | there is no proof of possession, or not one for this request
"""

# What header and claims of a JWT that the client sends mean there
_OF_A_PROOF = """
typ | RFC 9449 4.2 | the type: so that no other JWT is taken for a proof
alg | RFC 9449 4.2 | the signature algorithm; an asymmetric one, so that the public key is enough to check it
htm | RFC 9449 4.2 | the HTTP method of the one request that this proof is good for
iat | RFC 9449 4.2 | when the proof was made; it is accepted only for a short time
"""
_HIDDEN_OF_A_PROOF = """
jwk | RFC 9449 4.2 | the public key, with which anybody can check this signature; tokens are bound to it
htu | RFC 9449 4.2 | the address of that request, without query and fragment
jti | RFC 9449 4.2 | names this one proof, so that a second use can be seen
ath | RFC 9449 4.2 | the hash of the access token that it is sent with: the two belong together
nonce | RFC 9449 8 | from the server's DPoP-Nonce: the proof was not made before it
"""
_OF_AN_ASSERTION = """
typ | RFC 7515 4.1.9 | the type of token: JWT, a JSON Web Token
alg | RFC 7523 3 | the signature algorithm
iss | RFC 7523 3 | who made the assertion: the client, by its client id
aud | RFC 7523 3 | whom it is for: this provider, and no other may accept it
exp | RFC 7523 3 | when it expires: soon
nbf | RFC 7523 3 | from when on it is good
iat | RFC 7523 3 | when it was made
"""
_HIDDEN_OF_AN_ASSERTION = """
kid | RFC 7515 4.1.4 | which of the client's keys signed it
sub | RFC 7523 3 | whom it authenticates: the client itself, so it is the same as iss
jti | RFC 7523 3 | names this one assertion, so that a second use can be seen
"""

EXPLANATIONS = {**_table(_PUBLIC, public=True), **_table(_HIDDEN, public=False)}
VALUES = {(*name.split(": "),): explanation for name, explanation in _table(_VALUES, public=True).items()}
_JWTS = {
    "proof": {**_table(_OF_A_PROOF, public=True), **_table(_HIDDEN_OF_A_PROOF, public=False)},
    "assertion": {**_table(_OF_AN_ASSERTION, public=True), **_table(_HIDDEN_OF_AN_ASSERTION, public=False)},
}


def explanation_of(name: str, shown: str, jwt: str = "") -> Explanation | None:
    """What is known of a parameter, header or claim with this value.

    ``jwt``: ``proof`` or ``assertion`` for what stands in a DPoP proof or a client assertion, where it means its own.
    """
    if jwt in _JWTS:
        return _JWTS[jwt].get(name)
    return VALUES.get((name, shown.lower())) or EXPLANATIONS.get(name)
