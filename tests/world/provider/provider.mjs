// The identity provider of the end-to-end tests: the certified `oidc-provider`,
// with the clients, scopes and resources of the story that the tests tell.
//
//     node provider.mjs FOLDER
//
// FOLDER is the one whose `node_modules` holds oidc-provider (`tests/run`
// installs it below `target/`, so that the tree stays clean). Two servers
// listen on loopback ports of the kernel's choice, and one line of JSON on
// standard output names them: `issuer` speaks OpenID Connect and nothing else,
// `control` is how a test moves the provider about:
//
//     POST /login   {"sub", "scope", "resource"?, "nonce"?, "e2e"?, "browser"?,
//                   "parameters"?, "ago"?}
//                   one authorization-code flow with PKCE, over HTTP against
//                   the issuer, as a browser would; answers the token response.
//                   A browser that has a name keeps its cookies, and with them
//                   the session; `parameters` go to the authorization endpoint;
//                   who has to log in did so that many seconds ago
//     POST /rotate  {"keep": bool}   new keys sign; the old ones stay published or go
//     POST /fault   {"kind": …}      what the key set endpoint does, see FAULTS;
//                                    `slow` does its duty, but late
//     POST /down, /up                stops and starts to listen, on the same port
//     GET  /seen                     how often discovery, key set and introspection
//                                    were asked for
//     GET  /client-key               the private key of the client `reports-signed`
//
// A token request may carry a parameter `e2e`, a JSON object with `claims`
// (added to the access token), `alg` and `ttl`.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = createRequire(join(process.argv[2], 'package.json'));
const { Provider, interactionPolicy } = await import(pathToFileURL(modules.resolve('oidc-provider')));

const SCOPES = ['read:reports', 'read:orders', 'write:orders', 'read:invoices', 'write:invoices'];
const CLASSES = ['urn:example:password', 'urn:example:strong'];
const CALLBACK = 'https://app.example.com/callback';

// The APIs that a client may ask a token for (RFC 8707). One gets encrypted
// tokens, which nobody but itself can read; one gets tokens that are no JWTs,
// and asks the provider about them (RFC 7662).
const RESOURCES = {
  'https://api.example.com': {},
  'https://invoices.example.com': {},
  'https://encrypted.example.com': {
    jwt: { encrypt: { alg: 'dir', enc: 'A128CBC-HS256', key: randomBytes(32) } },
  },
  'https://reports.example.com': { format: 'opaque' },
};

// By which `reports-signed` proves who it is (RFC 7523).
const clientKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });

// The resource server that asks, by a secret and by a signature. The secret has
// what a form has to encode.
const ASKING = {
  grant_types: [],
  redirect_uris: [],
  response_types: [],
};

const CLIENTS = [
  {
    client_id: 'machine',
    client_secret: 'machine-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
  },
  {
    // Its tokens are bound to the certificate that it shows (RFC 8705).
    client_id: 'certified',
    client_secret: 'certified-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
    tls_client_certificate_bound_access_tokens: true,
  },
  {
    ...ASKING,
    client_id: 'reports-api',
    client_secret: 's3cret: 100% + more & = /',
    token_endpoint_auth_method: 'client_secret_basic',
  },
  {
    ...ASKING,
    client_id: 'reports-signed',
    jwks: { keys: [{ ...clientKey.publicKey.export({ format: 'jwk' }), kid: 'k-1' }] },
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
  },
  {
    client_id: 'spa',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [CALLBACK],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
];

const FAULTS = {
  none: (_, duty) => duty(),
  slow: (_, duty) => setTimeout(duty, 1000),
  hang: () => {},
  html: (response) => response.setHeader('content-type', 'text/html').end('<html><body>Service maintenance</body></html>'),
  empty: (response) => response.setHeader('content-type', 'application/json').end('{"keys":[]}'),
  error: (response) => { response.statusCode = 500; response.end(); },
  huge: (response) => sendHuge(response),
};

// A key set that starts well and goes on for 100 MB.
function sendHuge(response) {
  const block = Buffer.alloc(1 << 20, ' ');
  let left = 100;
  response.setHeader('content-type', 'application/json');
  response.write('{"keys":[');
  const more = () => {
    while (left > 0) {
      left -= 1;
      if (!response.write(block)) {
        response.once('drain', more);
        return;
      }
    }
    response.end(']}');
  };
  more();
}

function newKeys() {
  const kinds = [
    ['rsa', { modulusLength: 2048 }],
    ['ec', { namedCurve: 'P-256' }],
    ['ed25519', {}],
  ];
  return kinds.map(([kind, options]) => ({
    ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }),
    kid: randomBytes(8).toString('hex'),
    use: 'sig',
  }));
}

// What the test asked for beside the protocol's own parameters.
function asked(ctx) {
  return JSON.parse(ctx.oidc.body?.e2e ?? '{}');
}

// How and when the user of an access token logged in, which RFC 9470 asks an
// authorization server to say in it.
function loginClaims(ctx) {
  const { AuthorizationCode, RefreshToken } = ctx.oidc.entities;
  const { authTime, acr } = AuthorizationCode ?? RefreshToken ?? {};
  return { ...(authTime ? { auth_time: authTime } : {}), ...(acr ? { acr } : {}) };
}

// The prompts of oidc-provider, and one more reason to log in again: that the
// session's login is of none of the classes that the client asks for.
function prompts() {
  const { Check, base } = interactionPolicy;
  const policy = base();
  policy.get('login').checks.add(new Check('acr_values', 'a stronger login is asked for', (ctx) => {
    const wanted = ctx.oidc.params.acr_values?.split(' ');
    return wanted && !wanted.includes(ctx.oidc.session.acr) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
  }));
  return policy;
}

function newProvider(issuer, keys) {
  const provider = new Provider(issuer, {
    acrValues: CLASSES,
    clients: CLIENTS,
    jwks: { keys },
    scopes: ['openid', 'offline_access', ...SCOPES],
    claims: { openid: ['sub'], profile: ['name'] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // A client that proves a key gets tokens that are bound to it (RFC 9449).
      dPoP: { enabled: true },
      encryption: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      // Nothing ends TLS in front of this provider: the test says what a proxy would.
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => decodeURIComponent(ctx.get('x-client-cert')) || undefined,
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => {
          const found = RESOURCES[resource];
          if (!found) {
            throw new Error(`unknown resource ${resource}`);
          }
          const { alg = 'RS256', ttl = 600 } = asked(ctx);
          return {
            accessTokenFormat: found.format ?? 'jwt',
            accessTokenTTL: ttl,
            audience: resource,
            scope: SCOPES.join(' '),
            jwt: found.jwt ?? { sign: { alg } },
          };
        },
      },
    },
    extraTokenClaims: (ctx) => ({ ...loginClaims(ctx), ...asked(ctx).claims }),
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { policy: prompts(), url: (_, interaction) => `/interaction/${interaction.uid}` },
    responseTypes: ['code'],
  });
  provider.on('server_error', (_, error) => console.error(error));
  return provider;
}

// How long ago somebody who has to log in did so, in seconds.
let loggedInAgo = 0;

// The page on which a person would log in and consent. It takes the account
// from `login_hint`, logs in as the client asks, and agrees to everything.
async function interact(provider, request, response) {
  const { grantId, prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const [acr] = params.acr_values?.split(' ') ?? CLASSES;
    const ts = Math.floor(Date.now() / 1000) - loggedInAgo;
    await provider.interactionFinished(request, response, { login: { accountId: params.login_hint, acr, ts } });
    return;
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope = [], missingResourceScopes = {} } = prompt.details;
  grant.addOIDCScope(missingOIDCScope.join(' '));
  for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

// The cookies of the browsers that have a name.
const browsers = new Map();

function cookiesOf(browser) {
  if (browser === undefined) {
    return new Map();
  }
  if (!browsers.has(browser)) {
    browsers.set(browser, new Map());
  }
  return browsers.get(browser);
}

// A browser's part of the code flow: follows the redirects, keeps the cookies,
// and stops at the application's own address, which holds the code.
async function authorize(issuer, parameters, cookies) {
  let next = `${issuer}/auth?${new URLSearchParams(parameters)}`;
  for (let hops = 0; hops < 10; hops += 1) {
    const response = await fetch(next, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (!location) {
      throw new Error(`no redirect from ${next}: ${response.status} ${await response.text()}`);
    }
    next = new URL(location, next).href;
    if (next.startsWith(CALLBACK)) {
      const answer = new URL(next).searchParams;
      if (!answer.has('code')) {
        throw new Error(`no code: ${answer}`);
      }
      return answer.get('code');
    }
  }
  throw new Error('the authorization endpoint redirects for ever');
}

async function login(issuer, { sub, scope, resource, nonce, e2e, browser, parameters, ago }) {
  loggedInAgo = ago ?? 0;
  const verifier = randomBytes(32).toString('base64url');
  const target = resource ? { resource } : {};
  const offline = scope.split(' ').includes('offline_access') ? { prompt: 'consent' } : {};
  const code = await authorize(issuer, {
    client_id: 'spa',
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope,
    login_hint: sub,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(nonce ? { nonce } : {}),
    ...offline,
    ...target,
    ...parameters,
  }, cookiesOf(browser));
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'spa',
      redirect_uri: CALLBACK,
      code,
      code_verifier: verifier,
      ...(e2e ? { e2e: JSON.stringify(e2e) } : {}),
      ...target,
    }),
  });
  const body = await response.json();
  if (!response.ok) {
    throw new Error(JSON.stringify(body));
  }
  return body;
}

const seen = { discovery: 0, keys: 0, introspection: 0 };
let fault = 'none';
let issuer;
let keys = newKeys();
let provider;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://provider.invalid');
  const duty = () => provider.callback()(request, response);
  if (pathname.startsWith('/interaction/')) {
    interact(provider, request, response).catch((error) => {
      response.statusCode = 500;
      response.end(error.stack);
    });
    return;
  }
  if (pathname === '/.well-known/openid-configuration') {
    seen.discovery += 1;
  }
  if (pathname === '/token/introspection') {
    seen.introspection += 1;
  }
  if (pathname === '/jwks') {
    seen.keys += 1;
    FAULTS[fault](response, duty);
    return;
  }
  duty();
});

function listen(onServer, port) {
  return new Promise((resolve, reject) => {
    onServer.once('error', reject);
    onServer.listen(port, '127.0.0.1', () => resolve(onServer.address().port));
  });
}

const COMMANDS = {
  'POST /login': (body) => login(issuer, body),
  'POST /rotate': ({ keep }) => {
    const fresh = newKeys();
    provider = newProvider(issuer, keep ? [...fresh, ...keys] : fresh);
    keys = fresh;
    return {};
  },
  'POST /fault': ({ kind }) => {
    if (!Object.hasOwn(FAULTS, kind)) {
      throw new Error(`unknown fault ${kind}`);
    }
    fault = kind;
    return {};
  },
  'POST /down': () => new Promise((resolve) => {
    server.close(() => resolve({}));
    server.closeAllConnections();
  }),
  'POST /up': () => listen(server, new URL(issuer).port).then(() => ({})),
  'GET /seen': () => seen,
  'GET /client-key': () => ({ pem: clientKey.privateKey.export({ type: 'pkcs8', format: 'pem' }) }),
};

const control = createServer(async (request, response) => {
  try {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const command = COMMANDS[`${request.method} ${request.url}`];
    if (!command) {
      throw new Error(`unknown command ${request.method} ${request.url}`);
    }
    const answer = await command(JSON.parse(Buffer.concat(chunks).toString() || '{}'));
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  } catch (error) {
    response.statusCode = 500;
    response.end(error.stack);
  }
});

issuer = `http://127.0.0.1:${await listen(server, 0)}`;
provider = newProvider(issuer, keys);
console.log(JSON.stringify({ issuer, control: `http://127.0.0.1:${await listen(control, 0)}` }));
