// What the client promises, against a real server with injected faults. Run by
// the Go tests of package web; every time constant is shortened by its option.
import { test } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { parser, watch } from "../../static/client/tracker.js";

const event = (seq) => ({ id: "evt_" + seq, type: "order.payment_changed", seq, data: { order: { sequence: seq } } });
const quick = { heartbeat: 300, firstByte: 700, wait: 1, every: 80, backoff: 10, climb: 1e6, share: false };

// Where requests are counted, a busy machine must not look like silence.
const calm = { heartbeat: 30000, firstByte: 30000 };

/** A feed with a switch per transport: ok, mute, cut, html, or a status code. */
async function feed(t, mode = {}) {
  const f = { mode: { sse: "ok", long: "ok", short: "ok", ...mode }, events: [event(1)], requests: [], closed: false, open: new Set(), waiting: new Set() };
  const server = createServer((req, res) => {
    const url = new URL(req.url, "http://x"), after = +(url.searchParams.get("after") || 0);
    const kind = (req.headers.accept || "").includes("event-stream") ? "sse" : url.searchParams.has("wait") ? "long" : "short";
    f.requests.push({ kind, after, auth: req.headers.authorization, tag: req.headers["if-none-match"] });
    const how = f.mode[kind];
    if (how === "mute") return;
    if (how === "cut") return req.socket.destroy();
    if (how === "html") return res.writeHead(200, { "Content-Type": "text/html" }).end("<h1>Proxy</h1>");
    if (typeof how === "function") return how(req, res);
    if (typeof how === "number") return res.writeHead(how, { "Content-Type": "application/problem+json", ...f.extra }).end("{}");
    if (kind === "sse") return f.stream(res, after);
    const reset = after > f.events.length, news = () => f.events.filter((e) => e.seq > (reset ? 0 : after));
    const answer = () => {
      const tag = `"${f.events.length}"`;
      if (req.headers["if-none-match"] === tag && !reset) return res.writeHead(304, { ETag: tag }).end();
      res.writeHead(200, { "Content-Type": "application/json", ETag: tag })
        .end(JSON.stringify({ events: news(), cursor: f.events.length, closed: f.closed, ...(reset && { reset: true }) }));
    };
    if (kind === "short" || news().length || f.closed) return answer();
    const timer = setTimeout(() => { f.waiting.delete(go); answer(); }, 1000);
    const go = () => { clearTimeout(timer); f.waiting.delete(go); answer(); };
    f.waiting.add(go);
  });
  f.stream = (res, after) => {
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.write("retry: 20\n\n: hello\n\n");
    if (after > f.events.length) { res.write("event: reset\ndata: {}\n\n"); after = 0; }
    const send = (e) => res.write(`id: ${e.seq}\nevent: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`);
    f.events.filter((e) => e.seq > after).forEach(send);
    if (f.closed) return res.end("event: closed\ndata: {}\n\n");
    const beat = setInterval(() => f.silent || res.write(": hb\n\n"), 60);
    const line = { send, end: () => res.destroy() };
    f.open.add(line);
    res.on("close", () => { clearInterval(beat); f.open.delete(line); });
  };
  f.push = () => {
    const e = event(f.events.length + 1);
    f.events.push(e);
    for (const line of f.open) line.send(e);
    for (const go of [...f.waiting]) go();
  };
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  f.url = `http://127.0.0.1:${server.address().port}/v1/orders/ord_1/events`;
  t.after(() => { server.closeAllConnections(); server.close(); });
  return f;
}

/** soon waits for what nobody announces. */
async function soon(what, fn) {
  for (const late = Date.now() + 60000; !fn(); await new Promise((done) => setTimeout(done, 10))) {
    if (Date.now() > late) throw new Error(`never: ${what}`);
  }
}

/** A watch that records; until(fn) waits for its next event or state to satisfy fn. */
function follow(t, f, options = {}) {
  const r = { seqs: [], states: [], resets: 0, checks: new Set() };
  const look = () => r.checks.forEach((c) => c());
  r.until = (what, fn) => new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`never: ${what}; ${JSON.stringify(r.states.slice(-6))} ${r.seqs}`)), 60000);
    const check = () => { if (fn()) { clearTimeout(timer); r.checks.delete(check); done(); } };
    r.checks.add(check);
    check();
  });
  r.watch = watch(f.url, {
    ...quick, ...options,
    onEvent: (e) => { r.seqs.push(e.seq); look(); },
    onState: (s) => { r.states.push(s); look(); },
    onReset: () => { r.resets++; },
  });
  t.after(() => r.watch.close());
  r.last = () => r.states.at(-1);
  return r;
}
const count = (f, kind) => f.requests.filter((r) => r.kind === kind).length;

/** A WebSocket that is refused, as by a proxy that does not upgrade. */
class Refused {
  constructor() { setTimeout(() => this.onclose?.({ code: 1006 })); }
  close() {}
}
const env = (more = {}) => ({ fetch, WebSocket: Refused, ...more });

test("the parser", () => {
  const seen = [], feed = parser((f) => seen.push(f));
  for (const c of "id: 1\nevent: a\ndata: x\ndata: y\r\n\r\n: hb\n\nretry: 30\n\rdata:z\r\rdata: cut") feed(c);
  assert.deepEqual(seen, [
    { event: "a", data: "x\ny", id: "1" }, { event: "", data: "", id: "1", retry: 30 }, { event: "", data: "z", id: "1" }]);
});

test("history, then live, each once", async (t) => {
  const f = await feed(t), r = follow(t, f, { ...calm, env: env() });
  await r.until("live", () => r.last()?.state === "live" && r.seqs.length === 1);
  f.push(); f.push();
  await r.until("3", () => r.seqs.length === 3);
  assert.deepEqual(r.seqs, [1, 2, 3]);
  assert.equal(count(f, "short"), 0, "a healthy stream needs no other request");
});

test("a token travels in the header, and a function is asked again once", async (t) => {
  const f = await feed(t);
  f.mode.sse = (req, res) => (req.headers.authorization === "Bearer new" ? f.stream(res, 0)
    : res.writeHead(401, { "Content-Type": "application/problem+json" }).end("{}"));
  const asked = [], r = follow(t, f, { env: env(), token: (again) => { asked.push(again); return again ? "new" : "old"; } });
  await r.until("1", () => r.seqs.length === 1);
  assert.deepEqual(asked, [false, true]);
});

for (const [status, state] of [[401, "denied"], [403, "denied"], [404, "missing"]]) {
  test(`${status} ends it as ${state}`, async (t) => {
    const f = await feed(t, { sse: status }), r = follow(t, f, { env: env() });
    await r.until(state, () => r.last()?.state === state);
    const before = f.requests.length;
    await new Promise((done) => setTimeout(done, 100));
    assert.equal(f.requests.length, before);
  });
}

test("204 and event: closed end it", async (t) => {
  const f = await feed(t);
  f.closed = true;
  const r = follow(t, f, { env: env() });
  await r.until("closed", () => r.last()?.state === "closed");
  assert.deepEqual(r.seqs, [1]);
  const again = follow(t, await feed(t, { sse: 204 }), { env: env() });
  await again.until("closed", () => again.last()?.state === "closed");
});

test("Retry-After of a 429 is waited for", async (t) => {
  const f = await feed(t, { sse: 429 });
  f.extra = { "Retry-After": "1" };
  const r = follow(t, f, { ...calm, env: env() }), began = Date.now();
  await r.until("busy", () => r.last()?.state === "busy");
  f.mode.sse = "ok";
  await r.until("live", () => r.last()?.state === "live");
  assert.ok(Date.now() - began >= 1000);
  assert.equal(count(f, "sse"), 2);
});

for (const fault of ["mute", "html", "cut"]) {
  test(`a stream that is ${fault} falls back, and nothing is missed`, async (t) => {
    const f = await feed(t, { sse: fault }), r = follow(t, f, { env: env() });
    await r.until("long poll", () => r.last()?.transport === "long-poll" && r.last().state === "live");
    f.push();
    await r.until("2", () => r.seqs.length === 2);
    assert.deepEqual(r.seqs, [1, 2]);
  });
}

test("down to short polls, and up again", async (t) => {
  const f = await feed(t, { sse: "mute", long: "cut" }), r = follow(t, f, { env: env(), climb: 600 });
  await r.until("polling", () => r.last()?.state === "polling");
  f.push();
  await r.until("2", () => r.seqs.length === 2);
  assert.ok(f.requests.some((q) => q.tag === '"1"'), "short polls are conditional");
  f.mode.sse = "ok";
  await r.until("sse", () => r.last()?.state === "live" && r.last().transport === "sse");
  f.push();
  await r.until("3", () => r.seqs.length === 3);
  assert.deepEqual(r.seqs, [1, 2, 3]);
});

test("a cut or silent stream resumes by its cursor", async (t) => {
  const f = await feed(t), r = follow(t, f, { env: env() });
  await r.until("live", () => r.seqs.length === 1);
  for (const line of f.open) line.end();
  f.push();
  await r.until("2", () => r.seqs.length === 2);
  f.silent = true;
  await r.until("silence seen", () => count(f, "sse") + count(f, "long") >= 3);
  f.silent = false;
  f.push();
  await r.until("3", () => r.seqs.length === 3);
  assert.deepEqual(r.seqs, [1, 2, 3]);
});

test("a service that is away is asked with growing pauses", async (t) => {
  const f = await feed(t, { sse: "cut", long: "cut", short: "cut" }), r = follow(t, f, { env: env(), backoff: 40 });
  await new Promise((done) => setTimeout(done, 1500));
  assert.ok(f.requests.length < 25, `${f.requests.length} requests`);
  await r.until("retrying", () => r.last()?.state === "retrying");
  Object.assign(f.mode, { sse: "ok", long: "ok", short: "ok" });
  await r.until("live", () => r.last()?.state === "live");
  assert.equal(r.last().transport, "sse", "an outage is nobody's strike");
});

test("a cursor from another life resets", async (t) => {
  const f = await feed(t), r = follow(t, f, { env: env(), after: 9 });
  await r.until("1", () => r.seqs.length === 1);
  assert.equal(r.resets, 1);
  const poll = follow(t, f, { env: env(), after: 9, transport: "short-poll" });
  await poll.until("1", () => poll.seqs.length === 1);
  assert.equal(poll.resets, 1);
});

test("offline, online, hidden page", async (t) => {
  const target = new EventTarget(), navigator = { onLine: true };
  const f = await feed(t), r = follow(t, f, { env: env({ navigator, addEventListener: target.addEventListener.bind(target), removeEventListener: target.removeEventListener.bind(target) }) });
  await r.until("live", () => r.last()?.state === "live");
  navigator.onLine = false;
  Object.assign(f.mode, { sse: "cut", short: "cut" });
  target.dispatchEvent(new Event("offline"));
  await r.until("offline", () => r.last()?.state === "offline");
  f.push();
  Object.assign(f.mode, { sse: "ok", short: "ok" });
  navigator.onLine = true;
  target.dispatchEvent(new Event("online"));
  await r.until("live", () => r.last()?.state === "live" && r.seqs.length === 2);
  target.dispatchEvent(new Event("pagehide"));
  await soon("nothing stays open in the back/forward cache", () => f.open.size === 0);
  f.push();
  target.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await r.until("3", () => r.seqs.length === 3);
  assert.deepEqual(r.seqs, [1, 2, 3]);
});

/** Web Locks as far as the client uses them. */
function locks() {
  const queue = [];
  let holder = null;
  const next = () => {
    while (!holder && queue.length) {
      const q = queue.shift();
      if (q.signal?.aborted) { q.fail(new Error("aborted")); continue; }
      holder = q;
      Promise.resolve(q.fn({})).then(() => { if (holder === q) { holder = null; next(); } q.done(); }, q.fail);
    }
  };
  return { request: (name, o, fn) => new Promise((done, fail) => {
    const q = { fn, done, fail, signal: o.signal };
    if (o.steal) { holder?.fail(new Error("stolen")); holder = null; queue.unshift(q); } else queue.push(q);
    next();
  }) };
}

test("tabs share one stream, and another takes over", async (t) => {
  const navigator = { onLine: true, locks: locks() }, f = await feed(t);
  const shared = { ...calm, env: env({ navigator, BroadcastChannel }), share: true };
  const a = follow(t, f, shared);
  await a.until("live", () => a.last()?.state === "live");
  const b = follow(t, f, shared), c = follow(t, f, shared);
  await b.until("live", () => b.last()?.state === "live" && b.seqs.length === 1);
  await c.until("live", () => c.last()?.state === "live" && c.seqs.length === 1);
  f.push();
  await b.until("2", () => b.seqs.length === 2);
  await c.until("2", () => c.seqs.length === 2);
  assert.equal(f.open.size, 1);
  assert.equal(count(f, "sse"), 1);
  a.watch.close();
  await b.until("a new leader", () => f.open.size === 1 && count(f, "sse") === 2);
  f.push();
  await b.until("3", () => b.seqs.length === 3);
  await c.until("3", () => c.seqs.length === 3);
  assert.deepEqual([a.seqs, b.seqs, c.seqs], [[1, 2], [1, 2, 3], [1, 2, 3]]);
});

test("a frozen tab loses its lead", async (t) => {
  const navigator = { onLine: true, locks: locks() }, f = await feed(t);
  navigator.locks.request(`tracker:${f.url} `, {}, () => new Promise(() => {})).catch(() => {});
  const r = follow(t, f, { env: env({ navigator, BroadcastChannel }), share: true });
  await r.until("live", () => r.last()?.state === "live" && r.seqs.length === 1);
});

/** A WebSocket that delivers from the feed, or swallows everything. */
const sockets = (f, swallow) => class {
  constructor(url) {
    this.after = +(new URL(url).searchParams.get("after") || 0);
    this.send = (e) => swallow() || this.onmessage?.({ data: JSON.stringify(e) });
    setTimeout(() => { this.onopen?.(); f.open.add(this); f.events.filter((e) => e.seq > this.after).forEach(this.send); });
  }
  close() { f.open.delete(this); }
};

test("WebSocket: live, and a dead one is found out", async (t) => {
  const f = await feed(t, { sse: "html" });
  let dead = false;
  const r = follow(t, f, { env: env({ WebSocket: sockets(f, () => dead) }) });
  await r.until("ws", () => r.last()?.transport === "websocket" && r.last().state === "live");
  f.push();
  await r.until("2", () => r.seqs.length === 2);
  dead = true;
  f.push();
  await r.until("3 by the doubt", () => r.seqs.length === 3);
  assert.deepEqual(r.seqs, [1, 2, 3]);
});

test("refresh asks now", async (t) => {
  const f = await feed(t, { sse: "mute" }), r = follow(t, f, { env: env(), firstByte: 3000 });
  await r.watch.refresh();
  assert.deepEqual(r.seqs, [1]);
});
