// oidc-provider, from npm, for one test run: `node oidc_provider.mjs FIXED [PATH]`, in the folder that has it installed.
// FIXED is the one redirect address of the client "hub". With a PATH the issuer has it, and the pages are ours: passwords
// that are checked, prompt=create, a consent that can be given in part, and token exchange by a grant of ours, for it has
// none. It prints its issuer, then serves.
import http from 'node:http';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.cwd()}/package.json`);
const { default: Provider, errors, interactionPolicy } = await import(pathToFileURL(require.resolve('oidc-provider')));
const { exportJWK, generateKeyPair } = await import(pathToFileURL(require.resolve('jose')));

const [fixed, path = ''] = process.argv.slice(2);
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const APIS = ['https://api.example.org', 'https://archive.example.org'];
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const ADA = { name: 'Ada Byron', email: 'ada@example.org', password: 'a long passphrase of ada' };
const people = new Map([['ada', ADA]]);

const native = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE, ...(path ? [EXCHANGE] : [])],
  response_types: ['code'],
};
const web = { client_secret: 's3cret', redirect_uris: [fixed], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] };

async function keys() {
  const kinds = [['RS256'], ['ES256'], ['ES384'], ['ES512'], ['EdDSA', { crv: 'Ed25519' }]];
  return Promise.all(kinds.map(async ([alg, options]) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true, ...options });
    return { ...await exportJWK(privateKey), use: 'sig' };
  }));
}

// RFC 8707: the APIs that tokens are for, those of the tests on any port. With a PATH their tokens can be read (RFC 9068).

function api(resource) {
  const tests = resource.startsWith('http://127.0.0.1:');
  if (!tests && !APIS.includes(resource)) throw new errors.InvalidTarget('there is no such API');
  const accessTokenFormat = tests && path ? 'jwt' : 'opaque';
  return { scope: 'measurements:read', audience: resource, accessTokenFormat, jwt: { sign: { alg: 'RS256' } } };
}

// RFC 8693: an access token of the client for one that is for another API

async function exchange(ctx) {
  const { client, params, provider } = ctx.oidc;
  const subject = await provider.AccessToken.find(params.subject_token);
  if (subject?.clientId !== client.clientId) throw new errors.InvalidGrant('the subject token is not valid');
  if (!params.resource) throw new errors.InvalidTarget('say which API the token is for');
  const { accountId, expiresWithSession, grantId, sessionUid } = subject;
  const token = new provider.AccessToken({ accountId, client, expiresWithSession, grantId, gty: 'exchange', sessionUid });
  if (subject.jkt) token.setThumbprint('jkt', subject.jkt); // RFC 9449: what was bound to a key stays so
  token.resourceServer = new provider.ResourceServer(params.resource, api(params.resource));
  const grant = await provider.Grant.find(grantId);
  const scope = params.scope?.split(' ') ?? [...token.resourceServer.scopes];
  token.scope = grant.getResourceScopeFiltered(params.resource, scope);
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: token.scope,
  };
}

async function configuration() {
  const told = {
    clients: [
      { client_id: 'notebook', ...native },
      ...ALGORITHMS.map((alg) => ({ client_id: `notebook-${alg}`, ...native, id_token_signed_response_alg: alg })),
      { client_id: 'hub', ...web },
      { client_id: 'hub-post', ...web, token_endpoint_auth_method: 'client_secret_post' },
    ],
    jwks: { keys: await keys() },
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    async findAccount(_, sub) {
      const person = people.get(sub) ?? (path ? undefined : ADA);
      const claims = { sub, name: person?.name, preferred_username: sub, email: person?.email, email_verified: true };
      return person && { accountId: sub, claims: async () => claims };
    },
    features: {
      devInteractions: { enabled: !path },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      registration: { enabled: true },
      registrationManagement: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: (_, resource) => api(resource) },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    ttl: { AccessToken: 3600, IdToken: 3600, RefreshToken: 3600, DeviceCode: 600, Grant: 3600, Session: 3600, Interaction: 600 },
  };
  if (path) {
    const policy = interactionPolicy.base();
    policy.add(new interactionPolicy.Prompt({ name: 'create', requestable: true }), 0);
    told.interactions = { policy, url: (_, interaction) => `${path}/ui/${interaction.uid}` };
    told.discovery = { prompt_values_supported: ['none', 'login', 'consent', 'create'] };
  }
  return told;
}

// The pages of our own

const page = (response, body, status = 200) => {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><title>oidc-provider</title>${body}`);
};
const form = (action, inner) => `<form method="post" action="${action}">${inner}<button>Go on</button></form>`;
const PASSWORD = '<input name="login"><input name="password" type="password">';

async function answers(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
}

async function ui(provider, request, response) {
  const [, uid, action] = request.url.slice(path.length).match(/^\/ui\/([^/?]+)(?:\/(\w+))?/) ?? [];
  const { prompt, grantId, params, session } = await provider.interactionDetails(request, response);
  const finish = (result, options) => provider.interactionFinished(request, response, result, options);
  const at = (name) => `${path}/ui/${uid}/${name}`;
  if (action === 'abort') return finish({ error: 'access_denied', error_description: 'The person said no' });
  if (request.method === 'GET') {
    const abort = `<a href="${at('abort')}">No</a>`;
    if (prompt.name === 'create') return page(response, form(at('create'), `${PASSWORD}<input name="email">`) + abort);
    if (prompt.name === 'login') return page(response, form(at('login'), PASSWORD) + abort);
    return page(response, form(at('consent'), '<input name="withheld">') + abort);
  }
  const given = await answers(request);
  const accountId = given.get('login');
  if (action === 'create') {
    if (people.has(accountId)) return page(response, 'That name is taken', 409);
    people.set(accountId, { name: accountId, email: given.get('email'), password: given.get('password') });
    return finish({ create: {}, login: { accountId } }, { mergeWithLastSubmission: false });
  }
  if (action === 'login') {
    if (people.get(accountId)?.password !== given.get('password')) return page(response, 'Wrong password', 401);
    return finish({ login: { accountId } }, { mergeWithLastSubmission: false });
  }
  const kind = provider.Grant;
  const grant = grantId ? await kind.find(grantId) : new kind({ accountId: session.accountId, clientId: params.client_id });
  const withheld = (given.get('withheld') ?? '').split(' ');
  const asked = prompt.details.missingOIDCScope ?? [];
  grant.addOIDCScope(asked.filter((scope) => !withheld.includes(scope)).join(' '));
  grant.rejectOIDCScope(asked.filter((scope) => withheld.includes(scope)).join(' '));
  grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return finish({ consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

const server = http.createServer();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}${path}`;
  const provider = new Provider(issuer, await configuration());
  if (path) provider.registerGrantType(EXCHANGE, exchange, ['subject_token', 'subject_token_type', 'scope', 'resource']);
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (path && request.url.startsWith(`${path}/ui/`)) {
      ui(provider, request, response).catch((error) => page(response, String(error), 500));
    } else if (request.url.startsWith(path)) {
      request.originalUrl = request.url;
      request.url = request.url.slice(path.length) || '/';
      answer(request, response);
    } else {
      response.writeHead(404).end();
    }
  });
  console.log(JSON.stringify({ issuer }));
});
