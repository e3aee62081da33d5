// oauth4webapi signs in: `node client_oauth4webapi.mjs ISSUER CLIENT_ID REDIRECT_URI SCOPE`.
// It prints the address to open, reads the one the browser ended on, and prints who that is and what it could do.
import { createInterface } from 'node:readline/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.cwd()}/package.json`);
const oauth = await import(pathToFileURL(require.resolve('oauth4webapi')));
const [issuer, client_id, redirect_uri, scope] = process.argv.slice(2);

const http = { [oauth.allowInsecureRequests]: true }; // http, on loopback
const at = new URL(issuer);
const server = await oauth.processDiscoveryResponse(at, await oauth.discoveryRequest(at, http));
const [client, none] = [{ client_id }, oauth.None()];
const verifier = oauth.generateRandomCodeVerifier();
const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
const asked = new URL(server.authorization_endpoint);
const code_challenge = await oauth.calculatePKCECodeChallenge(verifier);
const parameters = { client_id, redirect_uri, response_type: 'code', scope, code_challenge, code_challenge_method: 'S256', state, nonce };
for (const [name, value] of Object.entries(parameters)) asked.searchParams.set(name, value);
console.log(asked.href);

const answer = new URL(await createInterface({ input: process.stdin }).question(''));
const checked = oauth.validateAuthResponse(server, client, answer, state);
const response = await oauth.authorizationCodeGrantRequest(server, client, none, checked, redirect_uri, verifier, http);
const expected = { expectedNonce: nonce, requireIdToken: true };
const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, expected);
await oauth.validateApplicationLevelSignature(server, response, http);
const { sub, name } = oauth.getValidatedIdTokenClaims(tokens);
const told = await oauth.userInfoRequest(server, client, tokens.access_token, http);
const userinfo = await oauth.processUserInfoResponse(server, client, sub, told);
const renew = (token) => oauth.refreshTokenGrantRequest(server, client, none, token, http)
  .then((fresh) => oauth.processRefreshTokenResponse(server, client, fresh));
const renewed = await renew(tokens.refresh_token);
const revoked = await oauth.revocationRequest(server, client, none, renewed.refresh_token, http);
await oauth.processRevocationResponse(revoked);
const after = await renew(renewed.refresh_token).catch((error) => error.error);
console.log(JSON.stringify({ name, userinfo: userinfo.name, renewed: renewed.access_token !== tokens.access_token, after }));
process.exit();
