// A person at a browser that runs no script: it keeps cookies, follows redirects, obeys <meta http-equiv="refresh">, and
// posts the forms that pages have with the headers that a browser sends. What is at home, in the application, is not asked
// for over the network: the application gets it as a Request, or there is none and the visitor stops there.
import http from 'node:http';

export class Visitor {
  #home;
  #application;
  #cookies = new Map(); // host -> name -> value; hosts share them between ports, and loopback counts as secure

  constructor(home, application = undefined) {
    this.#home = home;
    this.#application = application;
  }

  // copy is a visitor with the same cookies, as of a request that is under way.
  copy() {
    const copied = new Visitor(this.#home, this.#application);
    copied.#cookies = new Map([...this.#cookies].map(([host, kept]) => [host, new Map(kept)]));
    return copied;
  }

  // open goes to an address as one who types it.
  open(address) {
    return this.#travel(undefined, new URL(address), 'GET');
  }

  // submit posts a form of a page, filled in.
  submit(page, form, typed = {}) {
    for (const [name, value] of Object.entries(typed)) form.fields.set(name, value);
    return this.#travel(page.url, form.action, 'POST', form.fields.toString());
  }

  // wayIn does on each page what a person does who wants in: types the password, or presses the button to go on. It
  // returns where that ends, and the paths of the pages on the way.
  async wayIn(page, { email, password }) {
    const pages = [];
    while (pages.length < 10) {
      const form = page.forms.find(({ asks, action }) => asks ?? ['/continue', '/consent'].includes(action.pathname));
      if (!form) return { page, pages };
      pages.push(page.url.pathname);
      page = await this.submit(page, form, form.asks ? { email, [form.asks]: password } : {});
    }
    throw new Error(`there is no end of pages on the way in: ${pages}\n${page.text}`);
  }

  // travel sends a request that a page (undefined: the person) begins, and goes wherever the answers lead.
  async #travel(from, to, method, body = undefined) {
    let site = '';
    for (let hops = 0; hops < 20; hops++) {
      const atHome = to.href.startsWith(this.#home);
      if (atHome && !this.#application) return { url: to, status: 0, text: '', forms: [] };
      site = fetchSite(from, to, site);
      const answer = await this.#send(atHome, to, method, this.#headers(from, to, site, method), body);
      const next = answer.location ?? refreshOf(answer.text);
      if (next === undefined) return { url: to, status: answer.status, text: answer.text, forms: formsOf(answer.text, to) };
      if (answer.location === undefined) [from, site] = [to, ''];
      [to, method, body] = [new URL(next, to), 'GET', undefined];
    }
    throw new Error(`there is no end of redirects, at ${to}`);
  }

  #headers(from, to, site, method) {
    const headers = {
      accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
      'sec-fetch-site': site,
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    const kept = this.#cookies.get(to.hostname);
    if (kept?.size) headers.cookie = [...kept].map(([name, value]) => `${name}=${value}`).join('; ');
    if (method === 'POST') {
      headers.origin = from.origin;
      headers['content-type'] = 'application/x-www-form-urlencoded';
    }
    return headers;
  }

  async #send(atHome, to, method, headers, body) {
    const answer = atHome
      ? await inProcess(this.#application, to, { method, headers, body })
      : await overNetwork(to, { method, headers }, body);
    for (const cookie of answer.cookies) this.#keep(to.hostname, cookie);
    return answer;
  }

  #keep(host, cookie) {
    const [pair, ...attributes] = cookie.split(';').map((part) => part.trim());
    const [name, ...value] = pair.split('=');
    const kept = this.#cookies.get(host) ?? new Map();
    this.#cookies.set(host, kept);
    if (attributes.some(runOut)) kept.delete(name);
    else kept.set(name, value.join('='));
  }
}

// runOut says whether an attribute of a cookie takes it back.
function runOut(attribute) {
  const [name, value] = attribute.split('=');
  if (/^max-age$/i.test(name)) return Number(value) <= 0;
  return /^expires$/i.test(name) && Date.parse(value) <= Date.now();
}

// fetchSite is the Sec-Fetch-Site of a request that a page began and that has come so far (Fetch Metadata 2.4): on the way
// it never gets closer again. Ports of one host are one site.
function fetchSite(from, to, before) {
  if (!from) return 'none';
  if (before === 'cross-site' || from.hostname !== to.hostname) return 'cross-site';
  if (before === 'same-site' || from.host !== to.host) return 'same-site';
  return 'same-origin';
}

async function inProcess(application, to, init) {
  const answer = await application(new Request(to, init));
  return {
    status: answer.status,
    location: answer.headers.get('location') ?? undefined,
    cookies: answer.headers.getSetCookie(),
    text: await answer.text(),
  };
}

// overNetwork is not fetch, which sets the Sec-Fetch headers of a script's requests.
function overNetwork(to, init, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(to, init, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { text += part; });
      response.on('error', reject);
      response.on('end', () => resolve({
        status: response.statusCode,
        location: response.headers.location,
        cookies: response.headers['set-cookie'] ?? [],
        text,
      }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

// elements are a page's opening and closing tags, in its order.
function* elements(html) {
  for (const [, name, rest] of html.matchAll(/<(\/?[a-z][a-z0-9]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>/gi)) {
    const attributes = {};
    for (const [, key, quoted, single, bare] of rest.matchAll(/([^\s=/"'<>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
      attributes[key.toLowerCase()] = decoded(quoted ?? single ?? bare ?? '');
    }
    yield { name: name.toLowerCase(), attributes };
  }
}

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decoded(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#([0-9]+)|(amp|lt|gt|quot|apos));/gi, (_, hex, number, name) =>
    name ? entities[name.toLowerCase()] : String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(number)));
}

// refreshOf is where <meta http-equiv="refresh"> leads.
function refreshOf(html) {
  for (const { name, attributes } of elements(html)) {
    if (name === 'meta' && /^refresh$/i.test(attributes['http-equiv'] ?? '')) {
      return /;\s*url=(.*)$/i.exec(attributes.content)?.[1];
    }
  }
  return undefined;
}

// formsOf reads a page's forms as each would be posted with its first button; asks is the field for a password.
function formsOf(html, base) {
  const forms = [];
  let form;
  let select;
  for (const { name, attributes } of elements(html)) {
    if (name === 'form') {
      form = { action: new URL(attributes.action ?? '', base), fields: new URLSearchParams(), asks: undefined, pressed: false };
      forms.push(form);
    } else if (name === '/form') {
      form = undefined;
    } else if (form && name === 'select') {
      select = attributes.name;
    } else if (form && name === 'option' && (attributes.selected !== undefined || !form.fields.has(select))) {
      form.fields.set(select, attributes.value ?? '');
    } else if (form && (name === 'input' || name === 'button')) {
      addField(form, name, attributes);
    }
  }
  return forms;
}

function addField(form, element, { name, type, value, checked }) {
  if (element === 'button') {
    if (form.pressed) return;
    form.pressed = true;
  }
  if (name === undefined || (type === 'checkbox' && checked === undefined)) return;
  if (type === 'password') form.asks = name;
  form.fields.set(name, value ?? '');
}
