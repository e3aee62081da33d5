// oidc-provider (npm) as a peer of the embedded provider: accounts, sign-up, sign-in and consent pages, refresh tokens
// that rotate. All is kept in memory. Argument: so many people have an account already, whose password is not hashed.
import http from 'node:http';
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const require = createRequire(`${process.cwd()}/package.json`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const derive = promisify(scrypt);
const work = { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 }; // what Werkzeug does by default
const hash = (password, salt) => derive(password, salt, 64, work);

const accounts = new Map();
for (let number = 0; number < Number(process.argv[2]); number += 1) {
  accounts.set(`person${number}`, { password: 'a long passphrase' });
}
async function signUp(name, password) {
  const salt = randomBytes(16);
  accounts.set(name, { salt, hash: await hash(password, salt) });
}
async function rightPassword(name, password) {
  const account = accounts.get(name);
  if (!account) return false;
  if (account.password) return account.password === password;
  return timingSafeEqual(await hash(password, account.salt), account.hash);
}

// Its own adapter forgets all but the last 1000 records; this one keeps them.
const records = new Map();
const family = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async find(id) { return records.get(this.key(id)); }
  async findByUid(uid) { return records.get(`uid:${uid}`); }
  async findByUserCode(code) { return records.get(`code:${code}`); }
  async destroy(id) { records.delete(this.key(id)); }
  async consume(id) { records.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async upsert(id, payload) {
    records.set(this.key(id), payload);
    if (this.model === 'Session') records.set(`uid:${payload.uid}`, payload);
    if (payload.userCode) records.set(`code:${payload.userCode}`, payload);
    if (payload.grantId) family.set(payload.grantId, [...family.get(payload.grantId) ?? [], this.key(id)]);
  }
  async revokeByGrantId(grantId) { for (const key of family.get(grantId) ?? []) records.delete(key); }
}

const body = async (request) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
};
const page = (response, title, fields, status = 200) => {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`<!doctype html><title>${title}</title><h1>${title}</h1><form method="post">${fields}</form>`);
};
const PERSON = '<input name="name"><input name="password" type="password"><button>Go on</button>';
const DECISION = '<button name="decision" value="allow">Allow</button>';

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    adapter: Memory,
    clients: [{
      client_id: 'notebook',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    async findAccount(_, sub) {
      const claims = { sub, name: sub, preferred_username: sub, email: `${sub}@example.org`, email_verified: false };
      return { accountId: sub, claims: async () => claims };
    },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, IdToken: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600 },
  });

  async function interact(request, response) {
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
    if (request.method === 'GET') {
      if (prompt.name === 'login') return page(response, 'Sign in', PERSON);
      return page(response, `Allow ${params.client_id}?`, DECISION);
    }
    const form = await body(request);
    if (prompt.name === 'login') {
      if (!await rightPassword(form.get('name'), form.get('password'))) return page(response, 'Wrong', PERSON, 400);
      return provider.interactionFinished(request, response, { login: { accountId: form.get('name') } });
    }
    const grant = grantId ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '));
    return provider.interactionFinished(
      request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  }

  async function register(request, response) {
    if (request.method === 'GET') return page(response, 'Create an account', PERSON);
    const form = await body(request);
    if (accounts.has(form.get('name'))) return page(response, 'This name is taken', PERSON, 400);
    await signUp(form.get('name'), form.get('password'));
    response.writeHead(303, { location: '/welcome' });
    return response.end();
  }

  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (request.url === '/welcome') page(response, 'Welcome', PERSON);
    else if (request.url === '/signup') register(request, response);
    else if (request.url.startsWith('/interaction/')) interact(request, response);
    else answer(request, response);
  });
  console.log(issuer);
});
