// @ts-check
/** One order, four ways to follow it, one clock. Faults are made here, in the lane's own network. */

import { h, say } from "./dom.js";
import { watch } from "./tracker.js";

const WINDOW = 60e3, HEIGHT = 56;
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const state = (/** @type {string} */ s) => { main.dataset.state = s; };
const size = (/** @type {number} */ n) => (n < 1000 ? n + " B" : (n / 1000).toFixed(1) + " KB");
const span = (/** @type {number} */ ms) => (ms < 1000 ? Math.round(ms) + " ms" : (ms / 1000).toFixed(1) + " s");
const rank = (/** @type {number[]} */ list, /** @type {number} */ q) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))];
const fault = { offline: 0, slow: false, buffer: false };
let order = "", seq = 0, paused = false, frozen = 0;
/** @type {{seq: number, at: number}[]} */ const presses = [];

/** A lane's own network: it counts, and breaks where it is told to. @param {any} lane */
function network(lane) {
  const target = new EventTarget();
  const nav = { get onLine() { return performance.now() >= fault.offline; } };
  const count = (/** @type {number} */ n) => { lane.bytes += n; };
  const wait = () => (fault.slow ? new Promise((done) => setTimeout(done, 300)) : null);
  return {
    navigator: nav, document, location,
    addEventListener: target.addEventListener.bind(target), removeEventListener: target.removeEventListener.bind(target),
    dispatch: (/** @type {string} */ type) => target.dispatchEvent(new Event(type)),
    async fetch(/** @type {any} */ url, /** @type {any} */ o) {
      if (!nav.onLine) throw new TypeError("offline");
      await wait();
      const bar = { from: performance.now(), to: 0 };
      lane.bars.push(bar);
      lane.requests++;
      count(String(url).length + Object.entries(o.headers).join("").length + 60);
      const end = () => { bar.to ||= performance.now(); };
      o.signal.addEventListener("abort", end);
      try {
        const r = await fetch(url, o);
        count([...r.headers].join("").length + 40);
        const type = r.headers.get("Content-Type") || "";
        if (!r.body) { end(); return r; }
        const through = r.body.pipeThrough(new TransformStream({
          async transform(chunk, control) {
            count(chunk.length);
            await wait();
            // A proxy that buffers passes nothing on before the answer is complete.
            if (!(fault.buffer && type.includes("event-stream"))) control.enqueue(chunk);
          },
          flush: end,
        }));
        return { status: r.status, ok: r.ok, headers: r.headers, body: through, json: () => new Response(through).json() };
      } catch (error) { end(); throw error; }
    },
    WebSocket: class extends WebSocket {
      constructor(/** @type {any} */ url, /** @type {any} */ protocols) {
        super(url, protocols);
        const bar = { from: performance.now(), to: 0 };
        lane.bars.push(bar);
        lane.requests++;
        count(String(url).length + 500);
        this.addEventListener("message", (e) => count(e.data.length + 4));
        this.addEventListener("close", () => { bar.to = performance.now(); });
        target.addEventListener("offline", () => this.close());
      }
    },
  };
}

/** @param {string} id @param {string} name @param {any} transport */
function makeLane(id, name, transport) {
  const box = $("lane-" + id), svg = box.querySelector("svg");
  const lane = { id, name, transport, box, svg, how: box.querySelector(".how").textContent, bars: /** @type {any[]} */ ([]), dots: /** @type {any[]} */ ([]),
    delays: /** @type {number[]} */ ([]), requests: 0, bytes: 0, seen: 0, cost: /** @type {number[]} */ ([]), watch: /** @type {any} */ (null), net: /** @type {any} */ (null) };
  return lane;
}
const lanes = [makeLane("short", "Short poll", "short-poll"), makeLane("long", "Long poll", ["long-poll", "short-poll"]),
  makeLane("sse", "SSE", ["sse", "short-poll"]), makeLane("ws", "WebSocket", ["websocket", "short-poll"])];

/** @param {any} lane */
function open(lane) {
  lane.watch?.close();
  for (const b of lane.bars) b.to ||= performance.now();
  lane.net = network(lane);
  lane.seen ||= seq;
  lane.watch = watch(`/v1/orders/${order}/events`, {
    transport: lane.transport, share: false, after: lane.seen, env: lane.net, climb: 8000, backoff: 500,
    every: Number($("poll").value) * 1000, wait: Number($("wait").value),
    onEvent: (e) => requestAnimationFrame(() => arrived(lane, e.seq)),
    onState: (s) => {
      const how = lane.box.querySelector(".how"), names = /** @type {any} */ ({ "short-poll": "asks again and again", "long-poll": "asks and waits", sse: "one stream", websocket: "one line" });
      const first = /** @type {string[]} */ ([]).concat(lane.transport)[0];
      how.textContent = s.state === "offline" ? "Offline. It will go on from where it was."
        : s.transport !== first && (s.state === "live" || s.state === "polling") ? `The first way does not get through; the client noticed and ${names[s.transport]} instead.` : lane.how;
      if (s.state === "busy") { state("limited"); trouble("Too many requests. It goes on by itself."); }
    },
  });
}

/** @param {any} lane @param {number} n */
function arrived(lane, n) {
  lane.seen = Math.max(lane.seen, n);
  const press = presses.find((p) => p.seq === n), now = performance.now();
  if (!press) { early.set(n, [...(early.get(n) || []), [lane, now]]); return; }
  settle(lane, press, now);
}
const early = /** @type {Map<number, [any, number][]>} */ (new Map()); // the event came before the answer to the press
/** @param {any} lane @param {any} press @param {number} now */
function settle(lane, press, now) {
  const delay = now - press.at;
  lane.delays.push(delay);
  lane.dots.push({ at: now, from: press.at });
  const set = (/** @type {string} */ f, /** @type {string} */ v) => { lane.box.querySelector(`[data-f=${f}]`).textContent = v; };
  set("last", span(delay));
  set("median", `median ${span(rank(lane.delays, 0.5))}, p99 ${span(rank(lane.delays, 0.99))}`);
  cell(lane, "delay", `${span(rank(lane.delays, 0.5))} / ${span(rank(lane.delays, 0.99))}`);
  lesson();
  if (press.said) return;
  press.left--;
  if (!press.left) tellPress(press);
}
function tellPress(/** @type {any} */ press) {
  if (press.said) return;
  press.said = true;
  say(lanes.map((l) => `${l.name} ${l.delays.length ? span(l.delays[l.delays.length - 1]) : "not yet"}`).join(", ") + ".");
}
/** @param {any} lane @param {string} what @param {string} text */
function cell(lane, what, text) {
  const td = document.querySelector(`[data-m=${lane.id}-${what}]`);
  if (td) td.textContent = text;
  const agent = /(Firefox|Edg|Chrome|Safari)\/[\d.]+/.exec(navigator.userAgent)?.[0] || "this browser";
  $("measured").textContent = `Measured ${new Date().toLocaleTimeString()} in ${agent}. Delay: from the press to the new text on screen, on this browser's clock. Bytes: bodies and headers as this browser sees them.`;
}
function lesson() {
  const [short, , sse] = lanes, n = presses.length;
  if (!short.delays.length || !sse.delays.length) return;
  $("lesson").textContent = `For ${n} change${n === 1 ? "" : "s"}, short polling sent ${short.requests} requests and knew after ${span(rank(short.delays, 0.5))} (median); SSE sent ${sse.requests} and knew after ${span(rank(sse.delays, 0.5))}.`;
}

/** @param {string} text */
function trouble(text) { $("trouble").hidden = !text; $("trouble").textContent = text; }

let queue = Promise.resolve(), made = 0;
function change() {
  const at = performance.now();
  queue = queue.then(async () => {
    const started = Math.max(at, performance.now() - 20), before = lanes.map((l) => l.bytes);
    const r = await fetch("/lab/change", { method: "POST", body: new URLSearchParams({ order, n: String(made++) }), headers: { Accept: "application/json" } });
    if (!r.ok) { trouble(r.status === 429 ? "Too many changes at once. Wait a second." : "The change was not made."); made--; return; }
    trouble("");
    const press = { seq: (await r.json()).sequence, at: made > 1 && at < started - 50 ? started : at, left: lanes.length, said: false };
    presses.push(press);
    for (const [lane, now] of early.get(press.seq) || []) settle(lane, press, now);
    early.delete(press.seq);
    setTimeout(() => tellPress(press), 15000);
    setTimeout(() => lanes.forEach((l, i) => { l.cost.push(l.bytes - before[i]); cell(l, "cost", size(rank(l.cost, 0.5))); }), 1500);
  }).catch(() => trouble("The change was not made: no connection."));
  return queue;
}

$("change").onclick = change;
$("burst").onclick = async () => { state("burst"); for (let i = 0; i < 10; i++) change(); await queue; state("running"); };
/** @type {any} */ let every = 0;
$("every").onclick = () => {
  clearInterval(every);
  every = every ? 0 : setInterval(change, 7000);
  if (every) change();
  $("every").setAttribute("aria-pressed", String(!!every));
};
$("silence").onclick = () => {
  clearInterval(every); every = 0; $("every").setAttribute("aria-pressed", "false");
  const before = lanes.map((l) => [l.requests, l.bytes]);
  $("silence").setAttribute("aria-disabled", "true");
  trouble("Listening to silence for 60 seconds.");
  setTimeout(() => {
    lanes.forEach((l, i) => cell(l, "quiet", `${l.requests - before[i][0]} requests, ${size(l.bytes - before[i][1])}`));
    $("silence").removeAttribute("aria-disabled");
    trouble("");
  }, 60000);
};
$("pause").onclick = () => {
  paused = !paused;
  frozen = performance.now();
  $("pause").setAttribute("aria-pressed", String(paused));
  state(paused ? "paused" : "running");
};
$("poll").onchange = () => open(lanes[0]);
$("wait").onchange = () => open(lanes[1]);
for (const b of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-fault]"))) {
  b.onclick = () => {
    const kind = b.dataset.fault;
    if (kind === "offline") {
      fault.offline = performance.now() + 10000;
      state("offline");
      for (const l of lanes) l.net.dispatch("offline");
      setTimeout(() => { state("running"); for (const l of lanes) l.net.dispatch("online"); }, 10000);
      return;
    }
    const on = kind === "slow" ? (fault.slow = !fault.slow) : (fault.buffer = !fault.buffer);
    b.setAttribute("aria-pressed", String(on));
    if (kind === "buffer") open(lanes[2]);
  };
}

/** @param {any} lane @param {number} now */
function draw(lane, now) {
  const width = lane.svg.clientWidth;
  if (!width) return;
  const x = (/** @type {number} */ t) => width - ((now - t) / WINDOW) * width, parts = [];
  for (let s = 0; s <= 60; s += 15) {
    const at = x(now - s * 1000);
    parts.push(h("svg:line", { class: "tick", x1: at, x2: at, y1: 0, y2: HEIGHT }), h("svg:text", { x: Math.max(2, at - 26), y: 11 }, s ? `-${s} s` : ""));
  }
  lane.bars = lane.bars.filter((/** @type {any} */ b) => !b.to || b.to > now - WINDOW);
  for (const b of lane.bars) {
    const from = Math.max(0, x(b.from)), to = Math.min(width, x(b.to || now));
    if (to >= 0) parts.push(h("svg:rect", { class: "bar", x: from, y: HEIGHT - 14, width: Math.max(2, to - from), height: 8, rx: 2 }));
  }
  for (const p of presses) if (p.at > now - WINDOW) parts.push(h("svg:line", { class: "press", x1: x(p.at), x2: x(p.at), y1: 4, y2: HEIGHT - 18 }));
  for (const d of lane.dots) {
    if (d.at < now - WINDOW) continue;
    const from = Math.max(0, x(d.from));
    parts.push(h("svg:rect", { class: "gap", x: from, y: 14, width: Math.max(0, x(d.at) - from), height: 16 }), h("svg:circle", { class: "dot", cx: x(d.at), cy: 22, r: 6 }));
  }
  lane.svg.replaceChildren(...parts);
  const open = lane.bars.filter((/** @type {any} */ b) => !b.to).length, set = (/** @type {string} */ f, /** @type {any} */ v) => {
    const el = lane.box.querySelector(`[data-f=${f}]`);
    if (el.textContent !== String(v)) el.textContent = v;
  };
  set("requests", lane.requests);
  set("bytes", size(lane.bytes));
  set("open", open);
  lane.svg.setAttribute("aria-label", lane.delays.length
    ? `${lane.name}: last change known after ${span(lane.delays[lane.delays.length - 1])}, ${lane.requests} requests` : `${lane.name}: nothing measured yet`);
}
const slow = matchMedia("(prefers-reduced-motion: reduce)");
let drawn = 0;
function loop(/** @type {number} */ now) {
  if (now - drawn >= (slow.matches ? 1000 : 100) && !document.hidden) {
    drawn = now;
    for (const lane of lanes) draw(lane, paused ? frozen : performance.now());
  }
  requestAnimationFrame(loop);
}

try {
  const r = await fetch("/lab/start", { method: "POST", headers: { Accept: "application/json" } });
  if (!r.ok) throw new Error(String(r.status));
  ({ order, sequence: seq } = await r.json());
  for (const lane of lanes) { lane.seen = seq; open(lane); }
  $("controls").hidden = $("options").hidden = false;
  state("running");
  requestAnimationFrame(loop);
} catch {
  trouble("The lab could not place its order. Reload to try again.");
}
