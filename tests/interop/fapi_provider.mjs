// oidc-provider, from npm, twice in one process: `node fapi_provider.mjs JWKS`, in the folder that has it installed.
// JWKS: the public keys of the clients "bank-ES256" and "bank-PS256". At /bank it is as the FAPI 2.0 Security Profile wants
// it: pushed requests, private_key_jwt, DPoP with nonces, codes of a minute. At /open a public client has DPoP alone. Each
// has an API below it, /api/…, that checks proofs and tokens itself, and tells what came at /told. What is posted to /set
// has effect from then on: {"lifetime": seconds of new access tokens, "nonce": any, for a new one of the API's}. It prints
// its issuers, then serves.
import http from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.cwd()}/package.json`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));
const jose = await import(pathToFileURL(require.resolve('jose')));

const clientKeys = JSON.parse(process.argv[2]).keys;
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const ALGORITHMS = ['ES256', 'PS256'];
const PROOF_LIFETIME = 60; // seconds
const ROWS = [{ station: 'harbour', no2: 21.0 }];

const native = {
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE],
  dpop_bound_access_tokens: true,
};

async function signingKeys() {
  return Promise.all(ALGORITHMS.map(async (alg) => {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    return { ...await jose.exportJWK(privateKey), use: 'sig', alg };
  }));
}

async function configuration(settings) {
  const nonceSecret = randomBytes(32);
  return {
    jwks: { keys: await signingKeys() },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    claims: { openid: ['sub'], profile: ['name'] },
    findAccount: async (_, sub) => ({ accountId: sub, claims: async () => ({ sub, name: 'Ada Byron' }) }),
    responseTypes: ['code'],
    enabledJWA: {
      clientAuthSigningAlgValues: ALGORITHMS, dPoPSigningAlgValues: ['ES256'], idTokenSigningAlgValues: ALGORITHMS,
    },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => true },
      introspection: { enabled: true },
      pushedAuthorizationRequests: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    ttl: {
      AccessToken: () => settings.lifetime, AuthorizationCode: 60, IdToken: 3600, RefreshToken: 3600, DeviceCode: 600, Grant: 3600,
      Session: 3600, Interaction: 600,
    },
  };
}

async function bank(settings) {
  const told = await configuration(settings);
  told.clientAuthMethods = ['private_key_jwt'];
  told.features.fapi = { enabled: true, profile: '2.0' };
  told.features.pushedAuthorizationRequests = { enabled: true, requirePushedAuthorizationRequests: true };
  told.clients = ALGORITHMS.map((alg) => ({
    ...native,
    client_id: `bank-${alg}`,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: alg,
    id_token_signed_response_alg: alg,
    jwks: { keys: clientKeys.filter((key) => key.alg === alg) },
  }));
  return told;
}

async function open(settings) {
  const told = await configuration(settings);
  told.clientAuthMethods = ['none'];
  told.clients = [{
    ...native, client_id: 'notebook', token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256',
  }];
  return told;
}

// The API

class Refused extends Error {
  constructor(error, why) {
    super(why);
    this.error = error;
  }
}

const hashed = (text) => createHash('sha256').update(text).digest('base64url');

// The thumbprint of the key that made this proof, RFC 9449 section 4.3

async function proven(request, url, token, api) {
  const sent = request.headersDistinct.dpop ?? [];
  if (sent.length !== 1) throw new Refused('invalid_dpop_proof', `${sent.length} proofs`);
  let verified;
  try {
    verified = await jose.jwtVerify(sent[0], jose.EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256'] });
  } catch (error) {
    throw new Refused('invalid_dpop_proof', error.message);
  }
  const { payload, protectedHeader } = verified;
  const { htm, htu, iat, jti, ath, nonce } = payload;
  if (nonce !== api.nonce) throw new Refused('use_dpop_nonce', nonce === undefined ? 'no nonce' : 'another nonce');
  if (htm !== request.method) throw new Refused('invalid_dpop_proof', `for ${htm}`);
  if (htu !== url) throw new Refused('invalid_dpop_proof', `for ${htu}, not ${url}`);
  if (!(Math.abs(Date.now() / 1000 - iat) < PROOF_LIFETIME)) throw new Refused('invalid_dpop_proof', `of ${iat}`);
  if (ath !== hashed(token)) throw new Refused('invalid_dpop_proof', 'for another token');
  if (!jti || api.seen.has(jti)) throw new Refused('invalid_dpop_proof', 'a replay');
  api.seen.add(jti);
  return jose.calculateJwkThumbprint(protectedHeader.jwk);
}

async function answer(provider, request, url, api) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  if (!token) throw new Refused('invalid_token', 'no token');
  const known = await provider.AccessToken.find(token);
  if (!known) throw new Refused('invalid_token', 'an unknown or expired token');
  if (scheme.toLowerCase() !== 'dpop') throw new Refused('invalid_token', `a bound token as ${scheme}`);
  if (await proven(request, url, token, api) !== known.jkt) throw new Refused('invalid_token', "another's key");
  return hashed(token).slice(0, 8);
}

async function serve(provider, request, response, url, told) {
  const { api } = told;
  const headers = { 'content-type': 'application/json' };
  try {
    told.calls.push(await answer(provider, request, url, api));
    response.writeHead(200, headers).end(JSON.stringify(ROWS));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    told.refused.push(`${error.error}: ${error.message}`);
    if (error.error === 'use_dpop_nonce') headers['dpop-nonce'] = api.nonce;
    headers['www-authenticate'] = `DPoP error="${error.error}", algs="ES256"`;
    response.writeHead(401, headers).end(JSON.stringify({ error: error.error, why: error.message }));
  }
}

// Both, on one port

async function mounted(origin, path, described) {
  const settings = { lifetime: 3600 };
  const told = {
    calls: [], refused: [], requests: [], grants: [], api: { nonce: randomBytes(9).toString('hex'), seen: new Set() },
  };
  const provider = new Provider(`${origin}${path}`, await described(settings));
  const kind = ({ oidc }) => oidc.params?.grant_type;
  provider.on('grant.success', (ctx) => told.grants.push(`${kind(ctx)}: ${ctx.body.token_type}`));
  provider.on('grant.error', (ctx, error) => told.grants.push(`${kind(ctx)}: ${error.error}, ${error.error_detail ?? ''}`));
  const oidc = provider.callback();
  return async (request, response, url) => {
    const inside = url.pathname.slice(path.length);
    if (inside === '/told') {
      const { api, ...rest } = told;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...rest, nonce: api.nonce }));
    } else if (inside === '/set') {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { lifetime, nonce } = JSON.parse(body);
      settings.lifetime = lifetime ?? settings.lifetime;
      if (nonce) told.api.nonce = randomBytes(9).toString('hex');
      response.writeHead(204).end();
    } else if (inside.startsWith('/api/')) {
      await serve(provider, request, response, `${origin}${url.pathname}`, told);
    } else {
      told.requests.push(`${request.method} ${inside}?${[...url.searchParams.keys()].sort().join('&')}`);
      request.originalUrl = request.url;
      request.url = request.url.slice(path.length) || '/';
      oidc(request, response);
    }
  };
}

const server = http.createServer();
server.listen(0, '127.0.0.1', async () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const places = { '/bank': await mounted(origin, '/bank', bank), '/open': await mounted(origin, '/open', open) };
  server.on('request', (request, response) => {
    const url = new URL(request.url, origin);
    const place = places[`/${url.pathname.split('/')[1]}`];
    if (!place) return response.writeHead(404).end();
    return place(request, response, url).catch((error) => response.writeHead(500).end(String(error.stack)));
  });
  console.log(JSON.stringify({ bank: `${origin}/bank`, open: `${origin}/open` }));
});
