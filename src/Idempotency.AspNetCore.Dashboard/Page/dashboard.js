// The dashboard. Reading order: what is asked for, the numbers, what needs a person, one record, showing it all.
// All text goes into the page as text: a route, a step or a server may be called anything.

const pollMilliseconds = 2000;
const streamPatience = 5000;
const streamRetry = 60000;
const attentionMilliseconds = 10000;

const $ = id => document.getElementById(id);
const state = { isPaused: false, isSignedOut: false, lastNumbersAt: 0, stream: null, streamOpenedAt: 0, isPolling: false, record: null };

// Asking the server. Every address is relative: a proxy's prefix is known to the browser alone.

class SignedOut extends Error {}

/** The header shows that the request comes from this page: a form or an image of another site cannot send it. */
async function ask(path, { headers = {}, ...options } = {}) {
  const response = await fetch(path, { cache: 'no-store', redirect: 'manual', signal: AbortSignal.timeout(20000), headers: { 'Idempotency-Dashboard': '1', ...headers }, ...options });
  if (response.type === 'opaqueredirect' || response.status === 401 || (response.status === 403 && !isJson(response))) {
    throw new SignedOut();
  }
  if (response.ok && !isJson(response)) {
    throw new SignedOut(); // a page in the place of the data: to sign in, most likely
  }
  const body = isJson(response) ? await response.json() : {};
  if (!response.ok) {
    throw new Error(body.detail ?? `The server answered ${response.status}.`);
  }
  return body;
}

const isJson = response => /^application\/(problem\+)?json/.test(response.headers.get('Content-Type') ?? '');

const post = (path, body) => ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

const reasonOf = error => error instanceof SignedOut ? 'You are signed out, or not allowed to see this. Reload the page.'
  : error.name === 'TimeoutError' ? 'The server has not answered in time.'
  : error instanceof TypeError ? 'The server cannot be reached.'
  : error.message;

// The numbers: a stream of events, and polling where none gets through (a proxy that buffers, a browser without it)

const isWatching = () => !state.isPaused && !state.isSignedOut && !document.hidden;

function openStream() {
  closeStream();
  state.streamOpenedAt = Date.now();
  const stream = state.stream = new EventSource('numbers/live');
  stream.onmessage = event => showNumbers(JSON.parse(event.data), 'Live');
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED && state.stream === stream) {
      state.stream = null; // refused: polling finds out why
      poll();
    }
  };
}

function closeStream() {
  state.stream?.close();
  state.stream = null;
}

async function poll() {
  if (state.isPolling || !isWatching()) {
    return;
  }
  state.isPolling = true;
  try {
    showNumbers(await ask('numbers'), 'Live, by polling');
  } catch (error) {
    fail(error);
  } finally {
    state.isPolling = false;
  }
}

function fail(error) {
  if (error instanceof SignedOut) {
    state.isSignedOut = true;
    closeStream();
  }
  showConnection(reasonOf(error), true);
}

function tick() {
  if (!isWatching()) {
    return;
  }
  const isSilent = Date.now() - Math.max(state.lastNumbersAt, state.stream ? state.streamOpenedAt : 0) > streamPatience;
  if (state.stream && isSilent) {
    closeStream();
  }
  if (!state.stream) {
    poll();
    if (Date.now() - state.streamOpenedAt > streamRetry) {
      openStream();
    }
  }
}

/** Nobody looks at a page that is hidden, so the server need not measure for it. */
function watch() {
  if (isWatching()) {
    openStream();
    readAttention();
  } else {
    closeStream();
  }
  if (state.isPaused) {
    showConnection('Paused');
  }
}

// What needs a person

const reading = { isBusy: false, isWanted: false, again: false };

/** One at a time, and one more for all that is asked for meanwhile. */
async function readAttention(again = false) {
  reading.isWanted = true;
  reading.again ||= again;
  if (reading.isBusy) {
    return;
  }
  reading.isBusy = true;
  while (reading.isWanted && !state.isSignedOut) {
    const path = reading.again ? 'attention?again' : 'attention';
    reading.isWanted = reading.again = false;
    try {
      showAttention(await ask(path));
    } catch (error) {
      $('attention-error').textContent = reasonOf(error);
      $('attention-empty').hidden = true;
      if (error instanceof SignedOut) {
        fail(error);
      }
    }
  }
  reading.isBusy = false;
}

// One record

const by = () => $('look-up').elements.by.value;
const caller = () => $('look-up').elements.caller.value;

const callerNotes = {
  anonymous: 'The endpoint is open to anonymous callers, and its policy has no Partition.',
  user: 'The issuer, or the authentication scheme where the application itself signs its users in.',
  client: 'An application without a user.',
  partition: 'What the policy’s Partition returns for the caller.',
};

function query() {
  if (by() === 'stored') {
    return { storeKey: $('store-key').value };
  }
  const request = { method: $('method').value, path: $('path').value, key: $('key').value };
  return {
    anonymous: request,
    user: { ...request, issuer: $('issuer').value, subject: $('subject').value },
    client: { ...request, issuer: $('issuer').value, clientId: $('client').value },
    partition: { ...request, partition: $('partition').value },
  }[caller()];
}

async function lookUp(asked) {
  showResult('Looking …');
  try {
    state.record = { ...await post('look-up', asked), asked };
    showRecord(state.record);
  } catch (error) {
    state.record = null;
    $('record').replaceChildren();
    showResult(reasonOf(error), true);
  }
}

function lookUpStored(storeKey) {
  $('look-up').elements.by.value = 'stored';
  $('store-key').value = storeKey;
  showForm();
  return lookUp({ storeKey });
}

function confirmForget() {
  $('confirm-text').textContent = state.record.confirm;
  $('confirm-key').textContent = state.record.storeKey;
  $('confirm').showModal();
}

async function forget() {
  $('confirm').close();
  const { storeKey } = state.record;
  try {
    const { wasThere } = await post('forget', { storeKey });
    $('record').replaceChildren();
    showResult(wasThere ? 'Forgotten. The next request with this key runs.' : 'The record was already gone. The next request with this key runs.');
  } catch (error) {
    showResult(reasonOf(error), true);
  }
  readAttention();
}

// Showing it

function element(tag, properties = {}, ...children) {
  const { attributes = {}, ...own } = properties;
  const created = Object.assign(document.createElement(tag), own);
  for (const [name, value] of Object.entries(attributes)) {
    created.setAttribute(name, value);
  }
  created.append(...children);
  return created;
}

function drawn(tag, attributes = {}) {
  const created = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) {
    created.setAttribute(name, value);
  }
  return created;
}

/** Only what has changed is touched: a screen reader's place and a selection stay. */
function setText(target, text) {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}

/** Rows by key: old ones are updated, so what has the focus keeps it. */
function setRows(container, items, keyOf, create, update) {
  const known = new Map([...container.children].map(row => [row.dataset.key, row]));
  const used = new Set();
  items.forEach((item, i) => {
    let key = keyOf(item);
    while (used.has(key)) {
      key += '+'; // a lost claim, and the one that took it over
    }
    used.add(key);
    let row = known.get(key);
    known.delete(key);
    if (!row) {
      row = create(item);
      row.dataset.key = key;
    }
    update(row, item);
    if (container.children[i] !== row) {
      container.insertBefore(row, container.children[i] ?? null);
    }
  });
  known.forEach(row => row.remove());
}

const number = value => value.toLocaleString('en');
const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
const abbreviated = key => `${key.slice(0, 8)}…${key.slice(-4)}`;
const milliseconds = value => value == null ? '–' : value < 1 ? `${value.toFixed(2)} ms` : value < 100 ? `${value.toFixed(1)} ms` : value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
const bytes = value => value < 1024 ? `${value} bytes` : value < 1048576 ? `${(value / 1024).toFixed(1)} kB` : `${(value / 1048576).toFixed(1)} MB`;

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  return days ? `${days} d ${hours} h` : hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

const clock = seconds => new Date(Date.now() + seconds * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });

function showConnection(text, isBad = false) {
  setText($('connection'), text);
  $('connection').className = isBad ? 'bad' : '';
}

const outcomes = {
  executed: { name: 'executed', chart: 'executed' },
  replayed: { name: 'replayed', chart: 'replayed' },
  rejected: { name: 'rejected', chart: 'rejected' },
  unprotected: { name: 'unprotected', chart: 'unprotected' },
  failed: { name: 'failed, or with a status that is not recorded', chart: 'rest' },
  notRecorded: { name: 'not recorded', chart: 'rest' },
  outcomeUnknown: { name: 'outcome unknown', chart: 'rest' },
  withoutKey: { name: 'without a key', chart: 'rest' },
  other: { name: 'other', chart: 'rest' },
};

const countOf = (source, outcome) => source.outcomes[outcome]?.count ?? 0;
const described = source => Object.keys(outcomes).filter(outcome => countOf(source, outcome)).map(outcome => `${number(countOf(source, outcome))} ${outcomes[outcome].name}`).join(', ') || 'nothing';

/** A minute is four slots, of which the newest is not over yet. */
const perMinute = counted => (counted?.series ?? []).slice(-5, -1).reduce((sum, count) => sum + count, 0);

function showNumbers(numbers, how) {
  if (!isWatching()) {
    return;
  }
  state.lastNumbersAt = Date.now();
  showConnection(`${how} · ${numbers.server}`);
  showTiles(numbers);
  drawBars($('total-chart'), numbers.total, 'All requests');
  setText($('watching'), `A server measures only while somebody looks: since ${new Date(numbers.watchingSince).toLocaleTimeString()}.`);
  showSources(numbers);
  showRunning(numbers.running);
  showStore(numbers.store);
  showCache(numbers.cache);
}

function showTiles({ total, takenOver, lost, renewalsFailed }) {
  const tiles = [
    { name: 'Executed', counted: total.outcomes.executed, kind: 'executed' },
    { name: 'Replayed', counted: total.outcomes.replayed, kind: 'replayed' },
    { name: 'Rejected', counted: total.outcomes.rejected, kind: 'rejected' },
    { name: 'Unprotected', counted: total.outcomes.unprotected, kind: 'unprotected', note: 'The store was unavailable, and the policy says to run all the same.' },
    { name: 'Not recorded', counted: total.outcomes.notRecorded, kind: 'rejected', note: 'A handler ran and its response could not be recorded.' },
    { name: 'Taken over', counted: takenOver, kind: 'unprotected', note: 'Processes stop, or are killed, while handlers run.' },
    { name: 'Lost', counted: lost, kind: 'rejected', note: 'A process could not renew for a whole lease, and another took over. Lengthen ClaimDuration, or find the pause.' },
    { name: 'Renewals failed', counted: renewalsFailed, kind: 'rejected', note: 'The store is slow or unavailable. Leases hold for the rest of their time.' },
  ];
  setRows($('tiles'), tiles, tile => tile.name,
    tile => element('div', {}, element('dt', {}, tile.name), element('dd', {}), element('dd', { className: 'rate' }), element('dd', { className: 'note' })),
    (row, { counted, kind, note = '' }) => {
      const count = counted?.count ?? 0;
      row.className = count ? kind : 'none';
      setText(row.children[1], number(count));
      setText(row.children[2], count ? `${number(perMinute(counted))} a minute` : '');
      setText(row.children[3], count ? note : '');
    });
}

function showSources({ sources, others }) {
  const rows = others ? [...sources, { ...others, name: 'All others', kind: 'others' }] : sources;
  $('sources').hidden = rows.length === 0;
  $('sources-empty').hidden = rows.length > 0;
  setRows($('sources').tBodies[0], rows, source => `${source.kind} ${source.name}`, createSource, updateSource);
}

function createSource(source) {
  const cell = className => element('td', { className, attributes: { role: 'cell' } });
  return element('tr', { attributes: { role: 'row' } },
    element('th', { attributes: { role: 'rowheader', scope: 'row' } },
      element('span', { className: 'source' }, source.name), ' ', ...(source.kind === 'function' ? [element('span', { className: 'muted' }, 'function')] : []), element('span', { className: 'codes' })),
    cell('chart'), ...['Executed', 'Replayed', 'Rejected', 'Other'].map(name => {
      const created = cell('number');
      created.dataset.name = name;
      return created;
    }));
}

function updateSource(row, source) {
  const [head, chart, executed, replayed, rejected, other] = row.children;
  const rest = Object.keys(outcomes).filter(outcome => !['executed', 'replayed', 'rejected'].includes(outcome) && countOf(source, outcome));
  setText(head.querySelector('.codes'), [
    ...Object.entries(source.codes).sort(([, one], [, another]) => another - one).map(([code, count]) => `${number(count)} × ${code}`),
    ...rest.filter(outcome => outcome !== 'other').map(outcome => `${number(countOf(source, outcome))} × ${outcomes[outcome].name}`),
  ].join(' · '));
  drawBars(chart, source, source.name);
  setText(executed, number(countOf(source, 'executed')));
  setText(replayed, number(countOf(source, 'replayed')));
  setText(rejected, number(countOf(source, 'rejected')));
  setText(other, number(rest.reduce((sum, outcome) => sum + countOf(source, outcome), 0)));
}

// Charts: a path for each colour, which is changed only when it is another

const height = 40;
const slotWidth = 4;

function chartIn(container, label, classes) {
  let chart = container.firstElementChild;
  if (!chart) {
    chart = drawn('svg', { viewBox: `0 0 ${60 * slotWidth} ${height}`, preserveAspectRatio: 'none', role: 'img' });
    chart.append(...classes.map(name => drawn('path', { class: name })));
    container.append(chart);
  }
  if (chart.getAttribute('aria-label') !== label) {
    chart.setAttribute('aria-label', label);
  }
  return chart;
}

function setPath(path, d) {
  if (path.getAttribute('d') !== d) {
    path.setAttribute('d', d);
  }
}

function drawBars(container, source, name) {
  const classes = ['executed', 'replayed', 'rejected', 'unprotected', 'rest'];
  const stacks = classes.map(() => new Array(60).fill(0));
  for (const [outcome, { series }] of Object.entries(source.outcomes)) {
    series?.forEach((count, slot) => stacks[classes.indexOf(outcomes[outcome]?.chart ?? 'rest')][slot] += count);
  }
  const highest = Math.max(1, ...Array.from({ length: 60 }, (_, slot) => stacks.reduce((sum, stack) => sum + stack[slot], 0)));
  const paths = chartIn(container, `${name}, last 15 minutes: ${described(source)}`, classes).children;
  const base = new Array(60).fill(height);
  stacks.forEach((stack, i) => {
    let d = '';
    stack.forEach((count, slot) => {
      if (count) {
        const tall = Math.max(1, count / highest * (height - 2));
        base[slot] -= tall;
        d += `M${slot * slotWidth} ${base[slot].toFixed(1)}h${slotWidth - 1}v${tall.toFixed(1)}h${1 - slotWidth}z`;
      }
    });
    setPath(paths[i], d);
  });
}

function drawLine(container, values, label) {
  const highest = Math.max(...values.map(value => value ?? 0)) || 1;
  let d = '';
  values.forEach((value, slot) => {
    if (value !== null) {
      const tall = Math.max(1, value / highest * (height - 2));
      d += `M${slot * slotWidth} ${(height - tall).toFixed(1)}h${slotWidth - 1}v${tall.toFixed(1)}h${1 - slotWidth}z`;
    }
  });
  setPath(chartIn(container, label, ['latency']).firstElementChild, d);
}

function showRunning({ count, claims }) {
  setText($('running-count'), number(count));
  $('running-empty').hidden = count > 0;
  setRows($('running'), claims, claim => claim.storeKey,
    claim => {
      const open = element('button', { type: 'button', className: 'link' }, element('code', {}, abbreviated(claim.storeKey)));
      open.setAttribute('aria-label', `Details of the running claim ${abbreviated(claim.storeKey)}`);
      open.addEventListener('click', () => lookUpStored(claim.storeKey));
      return element('li', {}, open, element('span', {}), element('meter', { min: 0 }), element('span', { className: 'muted' }));
    },
    (row, claim) => {
      const isOver = claim.leaseSecondsLeft <= 0;
      row.className = isOver ? 'over' : '';
      setText(row.children[1], `running for ${duration(claim.seconds)}${claim.attempt > 1 ? `, attempt ${claim.attempt}` : ''}`);
      Object.assign(row.children[2], { max: claim.leaseSeconds, low: claim.leaseSeconds / 3, value: Math.max(0, claim.leaseSecondsLeft) });
      row.children[2].setAttribute('aria-label', 'Lease left');
      setText(row.children[3], isOver ? `lease of ${duration(claim.leaseSeconds)} is over` : `${duration(claim.leaseSecondsLeft)} of ${duration(claim.leaseSeconds)} lease left`);
    });
  setText($('running-note'), count > claims.length && claims.length > 0 ? `The ${claims.length} that run longest.` : '');
}

function showStore({ all, operations, p99Series, errorTypes }) {
  $('store-empty').hidden = operations.length > 0;
  $('store-body').hidden = operations.length === 0;
  drawLine($('store-chart'), p99Series, `Slowest 1 % of store calls, last 15 minutes: ${milliseconds(all.p99)}`);
  setRows($('operations'), operations.length > 1 ? [...operations, { ...all, name: 'all' }] : operations, operation => operation.name,
    operation => element('tr', {}, element('th', { scope: 'row' }, operation.name), ...Array.from({ length: 4 }, () => element('td', { className: 'number' }))),
    (row, { calls, p50, p99, errors }) => {
      [number(calls), milliseconds(p50), milliseconds(p99), number(errors)].forEach((text, i) => setText(row.children[i + 1], text));
      row.lastElementChild.classList.toggle('bad', errors > 0);
    });
  setText($('store-errors'), Object.entries(errorTypes).map(([type, count]) => `${number(count)} × ${type}`).join(' · '));
}

function showCache({ hits, misses, entries, bytes: size }) {
  const tiles = [
    { name: 'Hit rate', value: hits + misses ? `${(100 * hits / (hits + misses)).toFixed(1)} %` : '–', note: hits + misses ? `${number(hits)} of ${plural(hits + misses, 'look-up')}` : 'no look-ups' },
    { name: 'Records', value: entries == null ? '–' : number(entries), note: size == null ? '' : bytes(size) },
  ];
  setRows($('cache'), tiles, tile => tile.name,
    tile => element('div', {}, element('dt', {}, tile.name), element('dd', {}), element('dd', { className: 'note' })),
    (row, { value, note }) => {
      setText(row.children[1], value);
      setText(row.children[2], note);
    });
}

const kinds = {
  abandoned: { name: 'Abandoned', mark: '⌁' },
  'outcome-unknown': { name: 'Outcome unknown', mark: '?' },
  'not-recorded': { name: 'Response not recorded', mark: '!' },
  unreadable: { name: 'Unreadable record', mark: '✕' },
  completed: { name: 'Completed', mark: '✓' },
  'in-progress': { name: 'Running', mark: '▸' },
  none: { name: 'No record', mark: '–' },
};

const nexts = { 'runs-again': 'a retry runs it again', resumes: 'a retry resumes it', rejected: 'retries are rejected', 'by-policy': 'its endpoint’s policy decides' };

function badge(kind) {
  const { name, mark } = kinds[kind];
  return element('span', { className: `badge ${kind}` }, element('span', { attributes: { 'aria-hidden': 'true' } }, mark), ` ${name}`);
}

const stepsOf = steps => steps.map(step => `${step.name} (${step.state}${step.attempt > 1 ? `, attempt ${step.attempt}` : ''})`).join(', ');

function showAttention({ canList, isComplete, error, items }) {
  setText($('attention-error'), error ?? '');
  setText($('attention-count'), items.length ? number(items.length) : '');
  document.title = items.length ? `(${items.length}) Idempotency dashboard` : 'Idempotency dashboard';
  $('attention-card').classList.toggle('calls', items.length > 0);
  $('attention-empty').hidden = items.length > 0 || Boolean(error);
  setText($('attention-empty'), 'Nothing.');
  setRows($('attention'), items, item => `${item.kind} ${item.storeKey}`,
    item => {
      const open = element('button', { type: 'button', className: 'small' }, 'Details');
      open.setAttribute('aria-label', `Details of ${abbreviated(item.storeKey)}`);
      open.addEventListener('click', () => lookUpStored(item.storeKey));
      return element('li', {}, element('div', {}, badge(item.kind), element('span', { className: 'muted' })), open, element('p', {}), element('p', { className: 'note' }));
    },
    (row, item) => {
      setText(row.children[0].lastElementChild, `${duration(item.secondsAgo)} ago`);
      setText(row.children[2], item.do);
      setText(row.children[3], [
        abbreviated(item.storeKey),
        ...(item.attempt ? [`attempt ${item.attempt}`] : []),
        ...(item.next ? [nexts[item.next]] : []),
        ...(item.steps ? [`steps: ${stepsOf(item.steps)}`] : []),
        ...(item.seen > 1 ? [`seen ${item.seen} times`] : []),
      ].join(' · '));
    });
  setText($('attention-note'), !canList ? 'This store cannot list abandoned claims. They appear here once a retry meets them and is rejected.'
    : !isComplete && !error ? 'There may be more than are shown here.' : '');
}

function showResult(text, isBad = false) {
  $('result').replaceChildren(element('p', { className: isBad ? 'error' : '' }, text));
}

function showRecord(record) {
  const fact = (term, ...details) => element('div', {}, element('dt', {}, term), element('dd', {}, ...details));
  $('result').replaceChildren(
    element('p', { className: 'verdict' }, badge(record.state)),
    element('dl', { className: 'answers' }, fact('Did it run?', record.ran), fact('May I forget its key?', record.forget)),
    ...(record.incidents ?? []).map(incident => element('p', { className: 'error' }, incident)));
  const facts = [
    ...(record.attempt ? [fact('Attempt', String(record.attempt))] : []),
    ...(record.completedSecondsAgo != null ? [fact('Completed', `about ${duration(record.completedSecondsAgo)} ago, by its policy’s retention`)] : []),
    ...(record.retentionSecondsLeft != null ? [fact('Kept until', `${clock(record.retentionSecondsLeft)} (${duration(record.retentionSecondsLeft)})`)] : []),
    ...(record.leaseSecondsLeft > 0 ? [fact('Lease', `${duration(record.leaseSecondsLeft)} left`)] : []),
    ...(record.leaseSecondsLeft <= 0 ? [fact('Lease ended', `${clock(record.leaseSecondsLeft)} (${duration(-record.leaseSecondsLeft)} ago)`)] : []),
    ...(record.next ? [fact('Next', nexts[record.next])] : []),
    ...(record.response ? [
      fact('Response', `${record.response.status}, ${record.response.bodySize == null ? 'body not recorded' : bytes(record.response.bodySize)}`),
      fact('Headers', record.response.headers.join(', ') || 'none'),
    ] : []),
    ...(record.steps ?? []).map(step => fact(`Step ${step.name}`, `${step.state}, attempt ${step.attempt}, ${new Date(step.at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' })}`)),
    fact('Stored key', element('code', {}, record.storeKey)),
  ];
  const forgetButton = element('button', { type: 'button', className: record.mayForget === 'careful' ? 'danger' : '', id: 'ask-forget' }, 'Forget the record …');
  forgetButton.addEventListener('click', confirmForget);
  $('record').replaceChildren(
    element('dl', { className: 'facts' }, ...facts),
    ...(record.mayForget === 'nothing' ? [] : [forgetButton]));
  $('result').scrollIntoView({ block: 'nearest' });
}

function showForm() {
  $('by-request').hidden = by() !== 'request';
  $('by-stored').hidden = by() !== 'stored';
  for (const field of document.querySelectorAll('[data-caller]')) {
    field.hidden = !field.dataset.caller.split(' ').includes(caller());
  }
  setText($('caller-note'), callerNotes[caller()]);
}

// Wiring

$('look-up').addEventListener('submit', event => {
  event.preventDefault();
  lookUp(query());
});

$('look-up').addEventListener('change', event => {
  showForm();
  if (event.target.name === 'caller') {
    document.querySelector('[data-caller]:not([hidden]) input')?.focus();
  }
});

$('keep').addEventListener('click', () => $('confirm').close());
$('forget').addEventListener('click', forget);
$('again').addEventListener('click', () => readAttention(true));
$('pause').addEventListener('click', () => {
  state.isPaused = !state.isPaused;
  $('pause').setAttribute('aria-pressed', String(state.isPaused));
  watch();
});
document.addEventListener('visibilitychange', watch);
addEventListener('pagehide', closeStream);

// A link to a record, in a log's viewer or an alert: what follows "#" is not sent to any server.
const linked = /^#([0-9a-f]{64})$/i.exec(location.hash);

showForm();
watch();
setInterval(tick, pollMilliseconds);
setInterval(() => isWatching() && !reading.isBusy && readAttention(), attentionMilliseconds);
if (linked) {
  lookUpStored(linked[1]);
}
