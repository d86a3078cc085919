// Answers that this browser already has, in localStorage: one item each, so that two tabs do not overwrite each other's.
//
// An entry is used only for the very request it answers (same path, same key, same payload), only until the server forgets too, and only for
// the server process that gave it: the demo's ledger starts empty with the process, and so must what is known about it.

const prefix = 'payments-demo/answer/';
const encoder = new TextEncoder();

export class AnswerCache {
  #storage;
  #server = null;

  constructor(storage) {
    this.#storage = storage;
  }

  /** Names the server process whose answers count, and drops the others. */
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
      // Full, or not allowed: the server has the answer.
    }
  }

  clear() {
    for (const name of this.#names()) {
      this.#storage.removeItem(name);
    }
  }

  /** How many answers there are, and the bytes they take. */
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
 * Until when an answer may be kept: as long as the server says it will know it, counted from before the request was sent, which is never later
 * than the server's own start of counting. Null when that is not known.
 */
export function expiryOf(answer, sentAt, retentionSeconds) {
  const cacheControl = answer.headers.find(([name]) => name === 'cache-control')?.[1] ?? '';
  const maxAge = /(?:^|[\s,])max-age=(\d+)/i.exec(cacheControl)?.[1];
  if (maxAge !== undefined) {
    return sentAt + Math.min(Number(maxAge), retentionSeconds) * 1000;
  }
  // Without max-age only a first answer tells: of a replay nobody said how much of its time is over.
  return answer.kind === 'executed' ? sentAt + retentionSeconds * 1000 : null;
}

const nameOf = request => `${prefix}${request.path} ${request.key}`;
