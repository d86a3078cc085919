// The canonical form of a JSON text, and the key that follows from it. The server writes the same form (CanonicalJson.cs), so both find the
// same key for a payload, however it is written:
//
// 1. No white space. 2. Arrays in order. 3. Members sorted by the UTF-8 bytes of their names as written here (rule 4), shorter first.
// 4. Strings with nothing escaped but ", \ and U+0000 to U+001F: \" \\ \b \t \n \f \r, others \u00xx in lower case.
// 5. Numbers as exact decimals: sign, digits without leading or trailing zeros, then e and the exponent unless that is zero; zero is 0.
//    So 1, 1.0 and 10e-1 are 1; 100 is 1e2; -1.50 is -15e-1.
//
// No form have: duplicate names, lone surrogates, more than 64 levels, trailing data, an exponent beyond 32 bits, and what is not JSON.
//
// It works on the text because JSON.parse would round numbers: 9007199254740993 and 9007199254740992 are two amounts.

const maxDepth = 64;
const whiteSpace = /[ \t\n\r]*/y;
const literal = /true|false|null/y;
const number = /(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?/y;
const plainText = /[^"\\\u0000-\u001f]*/y;
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const encoder = new TextEncoder();

class NoForm extends Error {}

/** The canonical form of a JSON text, or null when it has none. */
export function canonicalize(text) {
  // What is sent is UTF-8, which cannot carry half a surrogate pair: fetch and TextEncoder put U+FFFD there, and so does this.
  const scanner = new Scanner(text.toWellFormed());
  try {
    return scanner.text();
  } catch (error) {
    if (error instanceof NoForm) {
      return null;
    }
    throw error;
  }
}

/** The key of a payload: the SHA-256 of its canonical form in hexadecimal, or, when it has none, of its bytes after "raw-". */
export async function keyOf(text) {
  const canonical = canonicalize(text);
  return canonical === null ? 'raw-' + await sha256(text) : sha256(canonical);
}

async function sha256(text) {
  const hash = await crypto.subtle.digest('SHA-256', encoder.encode(text));
  return Array.from(new Uint8Array(hash), byte => byte.toString(16).padStart(2, '0')).join('');
}

class Scanner {
  #json;
  #next = 0;

  constructor(json) {
    this.#json = json;
  }

  text() {
    this.#take(whiteSpace);
    const value = this.#value(0);
    this.#take(whiteSpace);
    return this.#next === this.#json.length ? value : refuse();
  }

  #value(depth) {
    switch (this.#json[this.#next]) {
      case '{': return this.#object(depth + 1);
      case '[': return this.#array(depth + 1);
      case '"': return this.#string();
      default: return this.#take(literal)?.[0] ?? decimal(this.#take(number) ?? refuse());
    }
  }

  #array(depth) {
    const items = this.#list(depth, ']', () => this.#value(depth));
    return `[${items.join(',')}]`;
  }

  #object(depth) {
    const members = this.#list(depth, '}', () => {
      const name = this.#json[this.#next] === '"' ? this.#string() : refuse();
      this.#take(whiteSpace);
      this.#expect(':');
      this.#take(whiteSpace);
      // Without the quotes: a closing quote would sort before a longer name's next character in most cases, but not before '!' or a space.
      return { bytes: encoder.encode(name.slice(1, -1)), text: `${name}:${this.#value(depth)}` };
    });
    members.sort((left, right) => compareBytes(left.bytes, right.bytes));
    if (members.some((member, i) => i > 0 && compareBytes(members[i - 1].bytes, member.bytes) === 0)) {
      refuse(); // a duplicate name
    }
    return `{${members.map(member => member.text).join(',')}}`;
  }

  #list(depth, end, readItem) {
    if (depth > maxDepth) {
      refuse();
    }
    this.#next++;
    this.#take(whiteSpace);
    const items = [];
    if (this.#json[this.#next] === end) {
      this.#next++;
      return items;
    }
    while (true) {
      items.push(readItem());
      this.#take(whiteSpace);
      if (this.#json[this.#next] === end) {
        this.#next++;
        return items;
      }
      this.#expect(',');
      this.#take(whiteSpace);
    }
  }

  #string() {
    const start = this.#next++;
    do {
      this.#take(plainText);
    } while (this.#take(escape));
    this.#expect('"');
    const value = JSON.parse(this.#json.slice(start, this.#next));
    // JSON.stringify escapes just what rule 4 escapes, once there is no lone surrogate.
    return value.isWellFormed() ? JSON.stringify(value) : refuse();
  }

  #take(pattern) {
    pattern.lastIndex = this.#next;
    const match = pattern.exec(this.#json);
    if (match) {
      this.#next = pattern.lastIndex;
    }
    return match;
  }

  #expect(character) {
    if (this.#json[this.#next] !== character) {
      refuse();
    }
    this.#next++;
  }
}

function decimal([, sign, whole, fraction = '', exponentSign, exponentDigits = '']) {
  // Counted before it is a number: a billion digits of exponent are no reason to be slow, or to be Infinity.
  const exponentText = exponentDigits.replace(/^0+/, '');
  const written = exponentText.length > 10 ? refuse() : Number(exponentText) * (exponentSign === '-' ? -1 : 1);
  if (written < -2147483648 || written > 2147483647) {
    refuse();
  }

  // The value is the digits of both parts, read as one whole number, times ten to the exponent. Zeros at either end go.
  const all = whole + fraction;
  let end = all.length;
  while (end > 0 && all[end - 1] === '0') {
    end--;
  }
  const digits = all.slice(0, end).replace(/^0+/, '');
  if (digits === '') {
    return '0'; // -0 and 0e9 too
  }
  const exponent = written - fraction.length + (all.length - end);
  return sign + digits + (exponent === 0 ? '' : 'e' + exponent);
}

function compareBytes(left, right) {
  const shorter = Math.min(left.length, right.length);
  for (let i = 0; i < shorter; i++) {
    if (left[i] !== right[i]) {
      return left[i] - right[i];
    }
  }
  return left.length - right.length;
}

function refuse() {
  throw new NoForm();
}
