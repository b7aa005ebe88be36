// Runs oidc-provider, a certified OpenID provider, for the tests: node provider.mjs CALLBACK
// It prints its issuer once it listens, accepts any login, and ends when its standard input does.
import { createServer } from 'node:http'
import { generateKeyPairSync } from 'node:crypto'
import Provider from 'oidc-provider'

const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']
const methods = ['client_secret_basic', 'client_secret_post']

const keys = [
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ed25519'),
].map(({ privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), use: 'sig' }))

const server = createServer().listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const clients = algorithms.flatMap((algorithm) => methods.map((method) => ({
    client_id: `${algorithm}.${method}`,
    client_secret: 'secret+with/characters=that&need%escapes',
    redirect_uris: [process.argv[2]],
    id_token_signed_response_alg: algorithm,
    token_endpoint_auth_method: method,
  })))
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    cookies: { keys: ['invented'] },
    claims: { openid: ['sub', 'auth_time'], email: ['email', 'email_verified'], profile: ['name'] },
    // The name of the login decides whether its address is verified.
    findAccount: (_, login) => ({
      accountId: login,
      claims: () => ({
        sub: login, email: `${login}@example.com`, email_verified: !login.startsWith('unverified'), name: login,
      }),
    }),
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
process.stdin.resume().on('end', () => process.exit())
