// Segment's own Node SDK, changed in nothing but the host, tells the story of `story.py`.
// In: MODULES, and STORY as JSON {host, writeKey, backwards, times, flushAt, gzip}. Out: what went wrong, as JSON.
import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'

const { Analytics } = createRequire(process.env.MODULES + '/')('@segment/analytics-node')
const story = JSON.parse(process.env.STORY)

const at = (minute) => new Date(Date.UTC(2026, 2, 1, 10, minute))
const calls = [
  (sdk) => sdk.page({ anonymousId: 'a1', name: 'Home', timestamp: at(0), messageId: 's0' }),
  (sdk) => sdk.identify({ userId: 'u1', anonymousId: 'a1', traits: { email: 'ana@example.org', name: 'Ana' }, timestamp: at(1), messageId: 's1' }),
  (sdk) => sdk.track({ userId: 'u1', event: 'Product Viewed', properties: { sku: 'p1', category: 'Books' }, timestamp: at(2), messageId: 's2' }),
  (sdk) => sdk.group({ userId: 'u1', groupId: 'acme', traits: { name: 'Acme' }, timestamp: at(3), messageId: 's3' }),
  (sdk) => sdk.screen({ userId: 'u1', name: 'Phone home', timestamp: at(4), messageId: 's4' }),
  (sdk) => sdk.page({ anonymousId: 'a2', name: 'Elsewhere', timestamp: at(5), messageId: 's5' }),
  (sdk) => sdk.alias({ previousId: 'a2', userId: 'u1', timestamp: at(6), messageId: 's6' }),
]

// The SDK doesn't compress; its own `httpClient` option lets an application do so.
const compressed = (url, options) =>
  fetch(url, { ...options, body: gzipSync(options.body), headers: { ...options.headers, 'Content-Encoding': 'gzip' } })

const errors = []
const requests = []
for (let time = 0; time < story.times; time++) {
  const sdk = new Analytics({
    writeKey: story.writeKey,
    host: story.host,
    maxRetries: 1,
    ...(story.flushAt ? { flushAt: story.flushAt } : {}),
    ...(story.gzip ? { httpClient: compressed } : {}),
  })
  sdk.on('error', (error) => errors.push(`${error.code}: ${error.reason?.message ?? error.reason}`))
  sdk.on('http_request', ({ url, body }) => requests.push([new URL(url).pathname, Object.keys(body)]))
  for (const call of story.backwards ? calls.toReversed() : calls) call(sdk)
  await sdk.closeAndFlush({ timeout: 20_000 })
}
console.log(JSON.stringify({ errors, requests }))
