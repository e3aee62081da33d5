// openid-client signs in: `node client_openid_client.mjs ISSUER CLIENT_ID REDIRECT_URI SCOPE`.
// It prints the address to open, reads the one the browser ended on, and prints who that is and what it could do.
import { createInterface } from 'node:readline/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.cwd()}/package.json`);
const oidc = await import(pathToFileURL(require.resolve('openid-client')));
const [issuer, clientId, redirect_uri, scope] = process.argv.slice(2);

const insecure = { execute: [oidc.allowInsecureRequests] }; // http, on loopback
const config = await oidc.discovery(new URL(issuer), clientId, { token_endpoint_auth_method: 'none' }, oidc.None(), insecure);
const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
const code_challenge = await oidc.calculatePKCECodeChallenge(pkceCodeVerifier);
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
const parameters = { redirect_uri, scope, code_challenge, code_challenge_method: 'S256', state, nonce };
console.log(oidc.buildAuthorizationUrl(config, parameters).href);

const answer = new URL(await createInterface({ input: process.stdin }).question(''));
const checks = { pkceCodeVerifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
const tokens = await oidc.authorizationCodeGrant(config, answer, checks);
const { sub, name } = tokens.claims();
const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, sub);
const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
await oidc.tokenRevocation(config, renewed.refresh_token);
const after = await oidc.refreshTokenGrant(config, renewed.refresh_token).catch((error) => error.error);
console.log(JSON.stringify({ name, userinfo: userinfo.name, renewed: renewed.access_token !== tokens.access_token, after }));
process.exit();
