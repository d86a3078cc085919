// Responses that this browser already has, in localStorage: one item each, so that two tabs do not overwrite each other's items.
//
// An entry is used only for the request it belongs to (same path, key and payload), only until the server's record expires, and only for the
// server process that sent it: the demo's ledger starts empty with each process.

const prefix = 'payments-demo/answer/';
const encoder = new TextEncoder();

export class AnswerCache {
  #storage;
  #server = null;

  constructor(storage) {
    this.#storage = storage;
  }

  /** Sets the server process whose responses are used, and removes the others. */
  belongTo(server) {
    this.#server = server;
    this.#prune();
  }

  find(request) {
    const entry = this.#read(nameOf(request));
    return entry && entry.payloadKey === request.payloadKey && this.#isGood(entry) ? entry : null;
  }

  put(request, answer, expiresAt) {
    const { status, statusText, headers, body } = answer;
    const entry = { status, statusText, headers, body, payloadKey: request.payloadKey, server: this.#server, storedAt: Date.now(), expiresAt };
    try {
      this.#storage.setItem(nameOf(request), JSON.stringify(entry));
    } catch {
      // Full, or not allowed: the server has the response.
    }
  }

  clear() {
    for (const name of this.#names()) {
      this.#storage.removeItem(name);
    }
  }

  /** The number of responses, and their size in bytes. */
  size() {
    this.#prune();
    const names = this.#names();
    const bytes = names.reduce((sum, name) => sum + encoder.encode(name + this.#storage.getItem(name)).length, 0);
    return { entries: names.length, bytes };
  }

  #prune() {
    for (const name of this.#names()) {
      const entry = this.#read(name);
      if (!entry || !this.#isGood(entry)) {
        this.#storage.removeItem(name);
      }
    }
  }

  #isGood(entry) {
    return entry.expiresAt > Date.now() && entry.server === this.#server;
  }

  #names() {
    return Object.keys(this.#storage).filter(name => name.startsWith(prefix));
  }

  #read(name) {
    try {
      return JSON.parse(this.#storage.getItem(name));
    } catch {
      return null;
    }
  }
}

/**
 * When a cached response expires: after the time that the server states, counted from before the request was sent, which is never later than
 * the time from which the server counts. Null if that is unknown.
 */
export function expiryOf(answer, sentAt, retentionSeconds) {
  const cacheControl = answer.headers.find(([name]) => name === 'cache-control')?.[1] ?? '';
  const maxAge = /(?:^|[\s,])max-age=(\d+)/i.exec(cacheControl)?.[1];
  if (maxAge !== undefined) {
    return sentAt + Math.min(Number(maxAge), retentionSeconds) * 1000;
  }
  // Without max-age, only the first response has a known age: a replay may be of any age.
  return answer.kind === 'executed' ? sentAt + retentionSeconds * 1000 : null;
}

const nameOf = request => `${prefix}${request.path} ${request.key}`;
