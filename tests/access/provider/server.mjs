// An OpenID provider written by others (npm oidc-provider, certified), for tests: any name signs in with any password.
// Environment: MODULES (folder with node_modules), PORT, CALLBACK, SIGNED_OUT, BACK_CHANNEL, AUDIENCE. Prints "ready" when it listens.
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { MODULES, PORT, CALLBACK, SIGNED_OUT, BACK_CHANNEL, AUDIENCE } = process.env;
const resolve = createRequire(join(MODULES, 'index.js')).resolve;
const { Provider } = await import(pathToFileURL(resolve('oidc-provider')));

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(`http://localhost:${PORT}`, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'theirs', use: 'sig', alg: 'RS256' }] },
  cookies: { keys: ['for tests only'] },
  claims: { openid: ['sub', 'sid', 'auth_time'], profile: ['name'], email: ['email'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, email: `${id}@example.com` }),
  }),
  clients: [
    {
      client_id: 'extranet',
      client_secret: 'a secret of the extranet, with = and +',
      redirect_uris: [CALLBACK],
      post_logout_redirect_uris: [SIGNED_OUT],
      backchannel_logout_uri: BACK_CHANNEL,
      backchannel_logout_session_required: true,
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
    {
      client_id: 'tool',
      client_secret: 'a secret of the tool',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
  ],
  pkce: { required: () => true },
  // It refuses to fetch from this machine (SSRF), where its client is in these tests.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: 'graph:read', audience: AUDIENCE, accessTokenFormat: 'jwt' }),
    },
  },
});
provider.listen(Number(PORT), 'localhost', () => console.log('ready'));
