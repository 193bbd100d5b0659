// Runs calls of @actions/cache, GitHub's own client of its cache service.
//
// Usage: node actions_client.mjs PACKAGE CALLS, where CALLS is a list in JSON of [function, argument
// ...]. Writes the list of their results to $RESULTS; standard output has what the client reports.
import { readFileSync, writeFileSync } from 'node:fs'

const [, , place, calls] = process.argv
const cache = await import(`${place}/lib/cache.js`)
const http = await import(`${place}/lib/internal/cacheHttpClient.js`)
const { internalCacheTwirpClient } = await import(`${place}/lib/internal/shared/cacheTwirpClient.js`)

const functions = {
  save: (paths, key, options) => cache.saveCache(paths, key, options),
  restore: (paths, key, others) => cache.restoreCache(paths, key, others),

  // Those that name an entry by its version, as BuildKit does, and not by the paths in an archive.
  async download(key, version, path) {
    const request = { key, restoreKeys: [key], version }
    const found = await internalCacheTwirpClient().GetCacheEntryDownloadURL(request)
    if (!found.ok) return null
    await http.downloadCache(found.signedDownloadUrl, path)
    return found.matchedKey
  },
  async upload(key, version, path) {
    const client = internalCacheTwirpClient()
    const made = await client.CreateCacheEntry({ key, version })
    await http.saveCache(-1, path, made.signedUploadUrl, { useAzureSdk: true })
    const sizeBytes = `${readFileSync(path).length}`
    return (await client.FinalizeCacheEntryUpload({ key, version, sizeBytes })).ok
  },
}

const results = []
for (const [name, ...words] of JSON.parse(calls)) results.push((await functions[name](...words)) ?? null)
writeFileSync(process.env.RESULTS, JSON.stringify(results))
