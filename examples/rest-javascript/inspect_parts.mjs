// Inspect images with a running `oddlens serve`; Node 18 or later, no package. The functions run in a browser, too.
//
//     node inspect_parts.mjs http://127.0.0.1:8000 line-3 parts/*.jpg
//
// Prints score, verdict and path of each. The token of a service that asks for one is taken from $ODDLENS_TOKEN.
// Exit code: 0, or 1 if an image has no verdict.

const TRIES = 5;
const PASSING = [429, 503, 504]; // the service is busy, or not ready: send it again

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** The same image under the same name is inspected once, however often it is sent. */
async function keyOf(name, bytes) {
  const { subtle } = globalThis.crypto ?? (await import("node:crypto")).webcrypto;
  const content = await new Blob([name, bytes]).arrayBuffer();
  const digest = await subtle.digest("SHA-256", content);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The result of an image: an object with score, verdict, regions and links. Throws an Error with the service's sentence. */
export async function inspect(service, station, name, bytes, token) {
  const url = new URL(`api/stations/${encodeURIComponent(station)}/inspect`, service.endsWith("/") ? service : `${service}/`);
  url.searchParams.set("name", name);
  const headers = { "Content-Type": "application/octet-stream", "Idempotency-Key": await keyOf(name, bytes) };
  if (token) headers.Authorization = `Bearer ${token}`;
  for (let attempt = 1; ; attempt++) {
    let answer;
    try {
      answer = await fetch(url, { method: "POST", headers, body: bytes, signal: AbortSignal.timeout(30_000) });
    } catch (error) {
      if (attempt === TRIES) throw new Error(`${service} does not answer: ${error.cause?.message ?? error.message}`);
      await pause(attempt);
      continue;
    }
    const said = await answer.json();
    if (answer.ok) return said;
    if (!PASSING.includes(answer.status) || attempt === TRIES) throw new Error(said.error);
    await pause(Number(answer.headers.get("Retry-After") ?? 1));
  }
}

async function main([service, station, ...paths]) {
  const { readFile } = await import("node:fs/promises");
  const { basename } = await import("node:path");
  for (const path of paths) {
    try {
      const result = await inspect(service, station, basename(path), await readFile(path), process.env.ODDLENS_TOKEN);
      console.log(`${result.score.toFixed(4)}\t${result.verdict}\t${path}`);
    } catch (error) {
      console.error(`${path}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}

if (globalThis.process?.argv[1]?.endsWith("inspect_parts.mjs")) await main(process.argv.slice(2));
