// The demo page. Reading order is a click's order: what is sent, sending it, what came back, showing it.

import { AnswerCache, expiryOf } from './answer-cache.js';
import { canonicalize, keyOf } from './canonical-json.js';

const slowMilliseconds = 2500;
const cutAfterMilliseconds = 700;
const pollMilliseconds = 3000;
const historyLength = 100;
const inProgress = 'idempotency-request-in-progress';

const $ = id => document.getElementById(id);
const form = $('form');
const cache = new AnswerCache(localStorage);
const settings = { retentionSeconds: 0, headerName: 'Idempotency-Key', replayFlagName: 'serverCacheHit' };

const session = {
  uuid: crypto.randomUUID(),
  /** The path each key was first sent to. The query is part of a request, so a retry uses the same path, including its delay. */
  paths: new Map(JSON.parse(sessionStorage.getItem('payments-demo/paths') ?? '[]')),
  /** The request that Retry, Revalidate and Same key, different payload refer to, and the ETag of its response. */
  last: null,
  etag: null,
  /** The subscription that is retried, and whose steps are counted. */
  subscription: null,
  sent: 0,
  isSlow: false,
  server: null,
};

// What is sent

const endpoint = () => form.elements.endpoint.value;
const keyMode = () => form.elements['key-mode'].value;

function payload() {
  return { name: $('name').value.trim(), email: $('email').value.trim(), amount: $('amount').value.trim() };
}

/** The amount is sent as typed: 42.5 and 42.50 are the same payload because of the canonical form, not because a script rounded them. */
const bodyOf = ({ name, email, amount }) => `{"name":${JSON.stringify(name)},"email":${JSON.stringify(email)},"amount":${amount}}`;

/** The values that the server selects from an order's body as its key (KeySelector in appsettings.json). */
const selectionOf = ({ name, email, amount }) => `[${JSON.stringify(name)},${JSON.stringify(email)},${amount}]`;

async function currentRequest({ delay = 0 } = {}) {
  const current = payload();
  const body = bodyOf(current);
  const payloadKey = await keyOf(endpoint() === '/orders' ? selectionOf(current) : body);
  if (endpoint() === '/orders') {
    return { path: '/orders', key: payloadKey, sendsKey: false, payload: current, body, payloadKey };
  }
  const key = keyMode() === 'uuid' ? session.uuid : keyMode() === 'hash' ? payloadKey : $('typed-key').value;
  const path = session.paths.get(key) ?? (delay ? `/payments?delay=${delay}` : '/payments');
  return { path, key, sendsKey: true, payload: current, body, payloadKey };
}

/** The bare key, or a structured-field string if the key has characters with a meaning in headers. The server treats both as the same key. */
const headerValue = key => /^[^\s",;](?:[^",;]*[^\s",;])?$/.test(key) ? key : `"${key.replace(/["\\]/g, '\\$&')}"`;

function newIntent() {
  session.uuid = crypto.randomUUID();
  return showKey();
}

/** For demonstrations that need the handler to run. Only a UUID key can change while the payload stays the same. */
const newIntentIfUsed = () => keyMode() === 'uuid' && session.paths.has(session.uuid) ? newIntent() : undefined;

// Validation

const rules = {
  name: value => value ? '' : 'Enter a name.',
  email: (value, input) => !value ? 'Enter an email address.' : input.validity.valid ? '' : 'Enter an address such as ada@example.com.',
  amount: value => !/^(?:0|[1-9][0-9]*)(?:\.[0-9]{1,2})?$/.test(value) ? 'Enter a number such as 42.50.'
    : Number(value) <= 0 ? 'Enter an amount greater than zero.'
    : Number(value) > 1000000 ? 'Enter at most 1000000.' : '',
  'typed-key': value => endpoint() !== '/payments' || keyMode() !== 'typed' || /^[ -~]{1,255}$/.test(value) ? '' : 'Enter 1 to 255 printable ASCII characters.',
};

function check(id) {
  const input = $(id);
  const error = rules[id](id === 'typed-key' ? input.value : input.value.trim(), input);
  $(`${id}-error`).textContent = error;
  if (error) {
    input.setAttribute('aria-invalid', 'true');
  } else {
    input.removeAttribute('aria-invalid');
  }
  return error === '';
}

function isValid() {
  const bad = Object.keys(rules).filter(id => !check(id));
  if (bad.length > 0) {
    $(bad[0]).focus();
  }
  return bad.length === 0;
}

// Sending it

/** Sends a request, or finds its response in the browser cache, and returns the outcome. Never throws. */
async function send(request, { label, withKey = true, ifNoneMatch, signal, askServer = false }) {
  const started = performance.now();
  const sentAt = Date.now();
  const outcome = { label, request, withKey: withKey && request.sendsKey, at: new Date(), headers: [], body: '', status: 0, statusText: '' };
  const found = $('mode').checked && withKey && !askServer ? cache.find(request) : null;
  if (found) {
    Object.assign(outcome, found, { kind: 'cached' });
  } else {
    session.sent++;
    if (outcome.withKey) {
      session.paths.set(request.key, request.path);
      sessionStorage.setItem('payments-demo/paths', JSON.stringify([...session.paths]));
    }
    try {
      await ask(outcome, { ifNoneMatch, signal });
    } catch (error) {
      outcome.kind = error.name === 'AbortError' ? 'cut' : 'failed';
    }
    if ($('mode').checked && withKey && outcome.status >= 200 && outcome.status < 300) {
      const expiresAt = expiryOf(outcome, sentAt, settings.retentionSeconds);
      if (expiresAt !== null) {
        cache.put(request, outcome, expiresAt);
      }
    }
  }
  outcome.milliseconds = performance.now() - started;
  if (request === session.last) {
    session.etag = header(outcome, 'etag') ?? session.etag;
  }
  record(outcome);
  refreshLedger();
  return outcome;
}

async function ask(outcome, { ifNoneMatch, signal }) {
  const { request } = outcome;
  const headers = { 'Content-Type': 'application/json' };
  if (outcome.withKey) {
    headers[settings.headerName] = headerValue(request.key);
  }
  if (ifNoneMatch) {
    headers['If-None-Match'] = ifNoneMatch;
  }
  // no-store: what is shown is what the server said, not what the browser's own HTTP cache made of it.
  const response = await fetch(request.path, { method: 'POST', headers, body: request.body, cache: 'no-store', signal });
  outcome.status = response.status;
  outcome.statusText = response.statusText;
  outcome.headers = [...response.headers];
  outcome.body = await response.text();
  outcome.kind = kindOf(outcome);
}

// The response

const header = (outcome, name) => outcome.headers.find(([candidate]) => candidate === name)?.[1];
const isReplayed = outcome => header(outcome, 'idempotent-replayed') === 'true';

function kindOf(outcome) {
  return outcome.status === 304 ? 'not-modified'
    : isReplayed(outcome) ? 'replayed'
    : outcome.status < 400 ? 'executed'
    : outcome.status >= 500 && !problemOf(outcome).code ? 'interrupted'
    : 'rejected';
}

const kinds = {
  executed: { name: 'Executed', mark: '✓', says: 'The handler ran, and this is its response.' },
  replayed: { name: 'Replayed by the server', mark: '↻', says: 'The handler did not run. This is the recorded response.' },
  cached: { name: 'From the browser cache', mark: '▤', says: 'No request was sent.' },
  'not-modified': { name: 'Not modified', mark: '=', says: 'The response has not changed, so the server did not send its body again.' },
  rejected: { name: 'Rejected', mark: '✕', says: 'The handler did not run.' },
  interrupted: { name: 'Failed', mark: '!', says: 'The handler ran and failed. Its response is not recorded, so a retry runs it again.' },
  cut: { name: 'Connection cut', mark: '⌁', says: 'The client disconnected before the response arrived. The handler still runs to completion.' },
  failed: { name: 'No response', mark: '!', says: 'The server could not be reached.' },
};

function problemOf(outcome) {
  if (outcome.status < 400) {
    return {};
  }
  try {
    const { code, title, detail } = JSON.parse(outcome.body);
    return { code, title, detail };
  } catch {
    return {};
  }
}

// The buttons

function remember(request) {
  session.last = request;
  session.etag = null;
}

async function submit() {
  const request = await currentRequest();
  remember(request);
  show(await send(request, { label: 'Submit' }));
}

async function retry() {
  show(await send(session.last, { label: 'Retry' }));
}

async function sendTen() {
  await newIntentIfUsed();
  const request = await currentRequest();
  remember(request);
  const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => send(request, { label: `${i + 1} of 10` })));
  const counts = Object.keys(kinds)
    .map(kind => [kinds[kind].name.toLowerCase(), outcomes.filter(outcome => outcome.kind === kind).length])
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`);
  show(outcomes.find(outcome => outcome.kind === 'executed') ?? outcomes.at(-1), `Ten at once: ${counts.join(', ')}.`);
}

async function slow() {
  await newIntentIfUsed();
  const request = await currentRequest({ delay: slowMilliseconds });
  remember(request);
  const connection = new AbortController();
  const timer = setTimeout(() => connection.abort(), cutAfterMilliseconds);
  let outcome = await send(request, { label: 'Slow', signal: connection.signal, askServer: true });
  clearTimeout(timer);
  if (outcome.kind === 'cut') {
    do {
      show(outcome, outcome.kind === 'cut' ? 'The connection was cut. Retrying …' : 'Still running. Retrying …');
      await new Promise(resolve => setTimeout(resolve, 1000 * Number(header(outcome, 'retry-after') ?? 0)));
      outcome = await send(request, { label: 'Retry', askServer: true });
    } while (problemOf(outcome).code === inProgress);
  }
  show(outcome);
}

async function otherPayload() {
  const { payload: first, key } = session.last;
  const other = { ...first, amount: (Number(first.amount) + 1).toFixed(2) };
  const body = bodyOf(other);
  show(await send({ ...session.last, key, payload: other, body, payloadKey: await keyOf(body) }, { label: `Amount ${other.amount}` }));
}

async function withoutKey() {
  show(await send(await currentRequest(), { label: 'No key', withKey: false }));
}

async function revalidate() {
  show(await send(session.last, { label: 'Revalidate', ifNoneMatch: session.etag, askServer: true }));
}

/** Always uses a new key: each subscription is a new one. */
async function interrupt() {
  const current = payload();
  const body = bodyOf(current);
  session.subscription = { path: '/subscriptions?failures=1', key: crypto.randomUUID(), sendsKey: true, payload: current, body, payloadKey: await keyOf(body) };
  await subscribe('Subscribe');
}

async function subscribe(label) {
  remember(session.subscription);
  show(await send(session.subscription, { label }));
}

// Rendering

function element(tag, properties = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

function badge(kind) {
  const { name, mark } = kinds[kind];
  const icon = element('span', {}, mark);
  icon.setAttribute('aria-hidden', 'true');
  return element('span', { className: `badge ${kind}` }, icon, ' ' + name);
}

const latency = milliseconds => `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
const statusLine = ({ status, statusText }) => status ? `${status} ${statusText}`.trim() : '';
const abbreviated = key => key.length > 20 ? `${key.slice(0, 8)}…${key.slice(-4)}` : key;

function show(outcome, summary = '') {
  const { code, title, detail } = problemOf(outcome);
  const says = summary || (detail ?? title ?? kinds[outcome.kind].says);
  $('result').replaceChildren(
    element('p', { className: 'verdict' }, badge(outcome.kind), element('span', { className: 'status' }, statusLine(outcome)), element('span', { className: 'muted' }, latency(outcome.milliseconds))),
    element('p', {}, ...(code ? [element('code', {}, code), ' '] : []), says));
  $('details').replaceChildren(...(outcome.status ? [...orderKey(outcome), headersOf(outcome), bodyOfAnswer(outcome)] : []));
  showButtons();
}

/** For /orders, whose response contains the key: it shows that the server and the browser computed the same one. */
function orderKey({ request, body, status }) {
  if (request.sendsKey || status >= 400 || !body) {
    return [];
  }
  const { key } = JSON.parse(body);
  const same = key === request.payloadKey;
  return [element('p', { className: same ? 'match' : 'match differs', id: 'order-key' }, same ? 'The server and the browser computed the same key: ' : 'The server computed a different key: ', element('code', {}, key))];
}

const casing = { etag: 'ETag', 'www-authenticate': 'WWW-Authenticate' };
const cased = name => casing[name] ?? name.replace(/(^|-)[a-z]/g, letter => letter.toUpperCase());

function headersOf(outcome) {
  const rows = outcome.headers.map(([name, value]) =>
    element('div', { className: name === 'idempotent-replayed' ? 'marked' : '' }, element('dt', {}, cased(name)), element('dd', {}, value)));
  return element('section', {}, element('h3', {}, 'Headers'), element('dl', { className: 'headers', id: 'answer-headers' }, ...rows));
}

function bodyOfAnswer(outcome) {
  if (!outcome.body) {
    return element('section', {}, element('h3', {}, 'Body'), element('p', { className: 'empty' }, 'None.'));
  }
  const lines = indented(outcome.body).map(line =>
    element('span', { className: line.trimStart().startsWith(`"${settings.replayFlagName}"`) ? 'line marked' : 'line' }, line, '\n'));
  const pre = element('pre', { id: 'answer-body', tabIndex: 0 }, ...lines);
  pre.setAttribute('aria-label', 'Body');
  return element('section', {}, element('h3', {}, 'Body'), pre);
}

/** Formats the JSON by adding white space only: JSON.parse would turn 42.50 into 42.5. */
function indented(json) {
  const lines = [''];
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === '}' || token === ']') {
      depth--;
      lines.push('  '.repeat(depth));
    }
    lines[lines.length - 1] += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') {
      depth++;
    }
    if (token === '{' || token === '[' || token === ',') {
      lines.push('  '.repeat(depth));
    }
  }
  return lines;
}

function record(outcome) {
  const { code, title } = problemOf(outcome);
  const key = outcome.withKey ? abbreviated(outcome.request.key) : outcome.request.sendsKey ? 'no key' : 'the body is the key';
  const why = outcome.kind === 'rejected' ? code ?? title ?? '' : '';
  const row = element('li', { className: outcome.kind },
    badge(outcome.kind),
    element('span', { className: 'status' }, outcome.status ? String(outcome.status) : '–'),
    element('span', { className: 'latency' }, latency(outcome.milliseconds)),
    element('span', { className: 'what' }, ...(why ? [element('code', {}, why), ' · '] : []), `${outcome.label} · ${outcome.request.path} · ${key}`),
    element('time', { dateTime: outcome.at.toISOString() }, outcome.at.toLocaleTimeString()));
  $('history').prepend(row);
  while ($('history').children.length > historyLength) {
    $('history').lastElementChild.remove();
  }
  $('history-empty').hidden = true;
  $('sent').textContent = String(session.sent);
  showCache();
}

function showButtons() {
  const orders = endpoint() === '/orders';
  $('retry').disabled = !session.last;
  $('other').disabled = !session.last?.sendsKey;
  $('revalidate').disabled = !session.etag;
  $('resume').disabled = !session.subscription;
  $('no-key').disabled = orders;
  $('slow').disabled = orders || session.isSlow;
}

const keyNotes = {
  uuid: 'Generated in the browser for each payment. Changing the payload after it was sent generates a new key.',
  typed: 'A key of your own, for example an order number.',
};

let showingKey = 0;
async function showKey() {
  const turn = ++showingKey;
  const orders = endpoint() === '/orders';
  const typed = !orders && keyMode() === 'typed';
  const hashed = orders ? selectionOf(payload()) : bodyOf(payload());
  const canonical = canonicalize(hashed);
  const hash = await keyOf(hashed);
  if (turn !== showingKey) {
    return; // a later change has its own turn
  }
  const needsPayload = canonical === null && (orders || keyMode() === 'hash');
  for (const radio of form.elements['key-mode']) {
    radio.disabled = orders;
  }
  $('key').hidden = typed;
  $('typed-key').hidden = !typed;
  $('new-key').hidden = orders || keyMode() !== 'uuid';
  $('key').textContent = needsPayload ? '–' : orders || keyMode() === 'hash' ? hash : session.uuid;
  $('key-note').replaceChildren(...(needsPayload ? ['The key is computed from the payload. Enter an amount.']
    : orders ? ['No header is sent. The server selects the key from the body: SHA-256 of ', element('code', {}, canonical)]
    : keyMode() === 'hash' ? ['The same payload always has the same key, regardless of formatting: SHA-256 of ', element('code', {}, canonical)]
    : [keyNotes[keyMode()]]));
}

function showCache() {
  const { entries, bytes } = cache.size();
  $('cache-size').textContent = entries === 0 ? 'empty' : `${entries} ${entries === 1 ? 'response' : 'responses'}, ${bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} kB`}`;
}

const times = count => count === 1 ? '1 time' : `${count} times`;

// The server's state

let reading = Promise.resolve();
let isQueued = false;

/** Runs one read at a time, and one more for all changes in the meantime. */
function refreshLedger() {
  if (!isQueued) {
    isQueued = true;
    reading = reading.then(() => {
      isQueued = false;
      return readLedger();
    });
  }
}

/** Times out, because the next read waits for this one. */
async function read(path) {
  const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
  return response.json();
}

async function readLedger() {
  let page;
  let steps;
  try {
    page = await read('/payments');
    if (page.since !== session.server) {
      await meet(page.since);
    }
    steps = session.subscription && await read(`/subscriptions/${session.subscription.key}`);
  } catch {
    return; // the server is away; the next poll may find it
  }
  $('executions').textContent = times(page.count);
  $('charges').textContent = steps ? times(steps.charges) : '–';
  $('welcomes').textContent = steps ? times(steps.welcomes) : '–';
  $('ledger').replaceChildren(...page.payments.map(payment => element('li', {},
    element('span', { className: 'number' }, `#${payment.execution}`),
    element('span', { className: 'who' }, payment.name),
    element('span', { className: 'muted' }, payment.kind),
    element('span', { className: 'amount' }, payment.amount.toFixed(2)))));
  $('ledger-empty').hidden = page.count > 0;
}

/** A new server process has no records of the previous one. */
async function meet(server) {
  Object.assign(settings, await read('/demo/settings'));
  if (session.server) {
    session.paths.clear();
    session.etag = null;
    session.subscription = null;
    showButtons();
  }
  session.server = server;
  cache.belongTo(server);
  $('retention').textContent = duration(settings.retentionSeconds);
  $('dashboard').hidden = !settings.hasDashboard;
  showCache();
}

function duration(seconds) {
  const [size, unit] = [[86400, 'day'], [3600, 'hour'], [60, 'minute']].find(([size]) => seconds >= size && seconds % size === 0) ?? [1, 'second'];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function poll() {
  if (!document.hidden) {
    refreshLedger();
    showCache();
  }
}

// Wiring

form.addEventListener('submit', event => {
  event.preventDefault();
  if (isValid()) {
    submit();
  }
});

form.addEventListener('input', event => {
  if (event.target.id in rules && event.target.hasAttribute('aria-invalid')) {
    check(event.target.id);
  }
  if (event.target.closest('.fields') && session.paths.has(session.uuid)) {
    session.uuid = crypto.randomUUID();
  }
  showKey();
  showButtons();
});

$('new-key').addEventListener('click', newIntent);
$('retry').addEventListener('click', retry);
$('other').addEventListener('click', otherPayload);
$('revalidate').addEventListener('click', revalidate);
$('interrupt').addEventListener('click', () => isValid() && interrupt());
$('resume').addEventListener('click', () => subscribe('Retry'));
$('ten').addEventListener('click', () => isValid() && sendTen());
$('no-key').addEventListener('click', () => isValid() && withoutKey());
$('slow').addEventListener('click', async () => {
  if (isValid()) {
    session.isSlow = true;
    showButtons();
    await slow();
    session.isSlow = false;
    showButtons();
  }
});
$('mode').checked = localStorage.getItem('payments-demo/mode') === 'on';
$('mode').addEventListener('change', () => localStorage.setItem('payments-demo/mode', $('mode').checked ? 'on' : 'off'));
$('clear-cache').addEventListener('click', () => {
  cache.clear();
  showCache();
});

setInterval(poll, pollMilliseconds);
document.addEventListener('visibilitychange', poll);
showKey();
showButtons();
refreshLedger();
