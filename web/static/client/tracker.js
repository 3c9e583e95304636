// @ts-check
/**
 * Follow one order or payment, whatever the network does.
 *
 *   const w = watch("/v1/orders/ord_…/events", { token, onEvent, onState });
 *
 * Every transition arrives once and in order: transports, tabs and page lives
 * hand on the cursor (`seq`). SSE, WebSocket, long poll, short poll are tried in
 * this order: one that fails while a plain request is answered gets a strike;
 * after two the next has its turn, and the better one later.
 *
 * @typedef {{id: string, type: string, seq: number, time: string, subject: string, data: Record<string, any>}} TrackerEvent
 * @typedef {"connecting"|"live"|"polling"|"retrying"|"offline"|"busy"|"closed"|"denied"|"missing"} StateName
 * @typedef {"sse"|"websocket"|"long-poll"|"short-poll"} Transport
 * @typedef {{state: StateName, transport: Transport, heard: number, retryAt?: number, every?: number}} State
 *   heard: when the service last spoke, as Date.now()
 * @typedef {object} Options
 * @property {string|((again: boolean) => string|Promise<string>)} [token] a function is asked again, once, after a 401
 * @property {(event: TrackerEvent) => void} [onEvent]
 * @property {(state: State) => void} [onState]
 * @property {() => void} [onReset] the feed began anew: forget what was shown
 * @property {number|string} [after] the first cursor
 * @property {"auto"|Transport|Transport[]} [transport]
 * @property {boolean} [share] one line for all tabs; default true
 * @property {boolean} [opaque] the cursor is the SSE id, not seq (firehose)
 * @property {number} [heartbeat] ms; silence of 2.5 of them is a broken line
 * @property {number} [firstByte] ms a stream has for its first byte
 * @property {number} [wait] seconds of a long poll
 * @property {number} [every] ms between short polls without a hint
 * @property {number} [backoff] ms, base of the back-off
 * @property {number} [climb] ms until a better transport is tried again
 * @property {any} [env] where fetch and its kin come from
 */

const LADDER = /** @type {Transport[]} */ (["sse", "websocket", "long-poll", "short-poll"]);
const MAX_PAUSE = 30e3;
const PROVEN = 10e3; // a stream that spoke for so long did work

/** Ends the watch, or (busy) the attempt. */
class End {
  /** @param {StateName} state @param {number} [pause] */
  constructor(state, pause = 0) {
    this.state = state;
    this.pause = pause;
  }
}

const jitter = (/** @type {number} */ ms) => Math.random() * ms;

/** @param {string|null} value seconds or a date */
function later(value) {
  const ms = value ? (/^\d+$/.test(value) ? +value * 1e3 : Date.parse(value) - Date.now()) : NaN;
  return ms >= 0 ? Math.min(ms, 36e5) : undefined;
}

/**
 * Splits an event stream; what a cut leaves behind is dropped.
 * @param {(f: {event: string, data: string, id: string, retry?: number}) => void} emit
 */
export function parser(emit) {
  let rest = "", event = "", id = "", /** @type {string[]} */ data = [];
  return (/** @type {string} */ chunk) => {
    // A CR at the end may be half of a CRLF.
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() || "";
    for (const line of lines) {
      const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(line) || [];
      if (!line) {
        if (data.length) emit({ event, data: data.join("\n"), id });
        event = "";
        data = [];
      } else if (name === "data") data.push(value);
      else if (name === "event") event = value;
      else if (name === "id") id = value;
      else if (name === "retry" && +value >= 0) emit({ event, data: "", id, retry: +value });
    }
  };
}

/**
 * @param {string} url an events URL
 * @param {Options} [options]
 */
export function watch(url, options = {}) {
  const o = { after: 0, transport: "auto", share: true, heartbeat: 15e3, firstByte: 5e3, wait: 25,
    every: 10e3, backoff: 1e3, climb: 6e4, env: globalThis, ...options };
  const env = o.env, nav = env.navigator || {}, doc = env.document;
  const address = new URL(url, env.location?.href);
  const ladder = o.transport === "auto" ? (o.opaque ? LADDER.slice(0, 1) : LADDER) : /** @type {Transport[]} */ ([]).concat(/** @type {any} */ (o.transport));
  const silence = o.heartbeat * 2.5;
  const offline = () => nav.onLine === false;

  let cursor = o.after, etag = "", hint = 0, retry = 0, again = false;
  let rung = 0, heard = 0, over = false, leading = 0, terms = 0, urged = false;
  let state = /** @type {State} */ ({ state: "connecting", transport: ladder[0], heard });
  let attempt = new AbortController(); // the connection of this moment
  let wake = () => {}; // ends the pause of this moment
  /** @type {BroadcastChannel|undefined} */ let channel;
  /** @type {any} */ let deputy; // fires when the leading tab is silent
  /** @type {Promise<any>|undefined} */ let catching;

  const call = (/** @type {any} */ fn, /** @type {any} */ arg = 0) => {
    try { fn?.(arg); } catch (error) { setTimeout(() => { throw error; }); }
  };
  const tell = (/** @type {any} */ more = {}) => leading && channel?.postMessage({ cursor, state: { ...state, heard }, ...more });
  const show = (/** @type {StateName} */ name, /** @type {object} */ more = {}) => {
    state = { state: name, transport: ladder[rung], heard, ...more };
    tell();
    call(o.onState, state);
  };
  const accept = (/** @type {TrackerEvent} */ event, /** @type {any} */ id) => {
    if (!o.opaque && event.seq <= +cursor) return;
    cursor = o.opaque ? id || cursor : event.seq;
    tell({ event });
    call(o.onEvent, event);
  };
  const reset = () => { cursor = 0; etag = ""; tell({ reset: 1 }); call(o.onReset); };
  const stop = (/** @type {StateName} */ name) => { show(name); close(); };
  const pause = (/** @type {number} */ ms) => new Promise((done) => {
    const timer = setTimeout(done, ms);
    wake = () => { clearTimeout(timer); done(0); };
  });
  const token = async () => (typeof o.token === "function" ? o.token(again) : o.token);

  /** @param {Record<string, any>} query @param {string} accepted @param {AbortSignal} signal @returns {Promise<any>} */
  async function request(query, accepted, signal, tag = "") {
    const target = new URL(address), bearer = await token();
    for (const name in query) target.searchParams.set(name, query[name]);
    const headers = { Accept: accepted, ...(bearer && { Authorization: "Bearer " + bearer }), ...(tag && { "If-None-Match": tag }) };
    const response = await env.fetch(target, { headers, signal, cache: "no-store", credentials: "same-origin" });
    const type = response.headers.get("Content-Type") || "", code = response.status, json = type.includes("json");
    // Only our own JSON may end things: a proxy's page is no answer.
    if (json && code === 401 && typeof o.token === "function" && !again) {
      again = true;
      return request(query, accepted, signal, tag);
    }
    if (json && (code === 401 || code === 403)) throw new End("denied");
    if (json && (code === 404 || code === 410)) throw new End("missing");
    if (code === 204) throw new End("closed");
    const wait = later(response.headers.get("Retry-After"));
    if ((code === 429 || code === 503) && (json || wait)) throw new End("busy", wait ?? o.every);
    if (code !== 304 && (code !== 200 || !type.includes(accepted))) throw new Error("no answer: " + code);
    hint = wait || 0;
    again = false;
    return response;
  }

  /** The signal of fn aborts with outer, or after ms without renewal.
   * @param {number} ms @param {AbortSignal|undefined} outer
   * @param {(signal: AbortSignal, renew: (ms: number) => void) => Promise<any>} fn */
  async function within(ms, outer, fn) {
    const mine = new AbortController(), cut = () => mine.abort();
    let timer = setTimeout(cut, ms);
    outer?.addEventListener("abort", cut);
    try {
      return await fn(mine.signal, (more) => { clearTimeout(timer); timer = setTimeout(cut, more); });
    } finally {
      clearTimeout(timer);
      outer?.removeEventListener("abort", cut);
      cut();
    }
  }

  /** Asks once, waiting at most seconds for news; tells whether there was some. @param {number} seconds @param {AbortSignal} [outer] */
  const poll = (seconds, outer) => within(seconds * 1e3 + o.firstByte, outer, async (signal) => {
    const response = await request({ after: cursor, ...(seconds && { wait: seconds }) }, "application/json", signal, seconds ? "" : etag);
    heard = Date.now();
    if (response.status === 304) return false;
    const body = await response.json(), before = cursor;
    if (body.reset) reset();
    body.events.forEach(accept);
    if (body.cursor > cursor) cursor = body.cursor;
    etag = response.headers.get("ETag") || "";
    if (body.closed) throw new End("closed");
    return cursor !== before;
  });

  const transports = /** @type {Record<Transport, (signal: AbortSignal) => Promise<any>>} */ ({
    sse: (outer) => within(o.firstByte, outer, async (signal, renew) => {
      const response = await request(cursor ? { after: cursor } : {}, "text/event-stream", signal);
      const reader = response.body.getReader(), text = new TextDecoder();
      const feed = parser((f) => {
        if (f.retry !== undefined) retry = f.retry;
        else if (f.event === "reset") reset();
        else if (f.event === "closed") throw new End("closed");
        else accept(JSON.parse(f.data), f.id);
      });
      for (let first = true; ; first = false) {
        const { done, value } = await reader.read();
        if (done) return;
        heard = Date.now();
        renew(silence);
        if (first) show("live");
        else tell();
        feed(text.decode(value, { stream: true }));
      }
    }),

    websocket: (outer) => within(o.firstByte, outer, async (signal, renew) => {
      const target = new URL(address), bearer = await token();
      target.protocol = target.protocol.replace("http", "ws");
      if (cursor) target.searchParams.set("after", String(cursor));
      const socket = new env.WebSocket(target, ["tracker.v1", ...(bearer ? ["token." + bearer] : [])]);
      /** @type {any} */ let timer;
      await new Promise((done, fail) => {
        // Pings cannot be seen from here: a plain request tells whether the
        // socket is silent because nothing happened. News may be on their way.
        let told = 0;
        const doubt = () => poll(0, signal).then((missed) => {
          const news = +cursor;
          tell();
          renew(silence * 2);
          timer = missed ? setTimeout(() => (told < news ? fail("mute") : doubt()), o.firstByte) : setTimeout(doubt, o.heartbeat * 2);
        }, fail);
        signal.addEventListener("abort", fail);
        socket.onopen = () => {
          heard = Date.now();
          renew(silence * 2);
          timer = setTimeout(doubt, o.firstByte);
          show("live");
        };
        socket.onmessage = (/** @type {any} */ m) => {
          heard = Date.now();
          const event = JSON.parse(m.data);
          if (event.seq) accept(event, (told = event.seq));
          else if (event.type === "reset") reset();
        };
        socket.onclose = (/** @type {any} */ c) => {
          if (c.code === 4000) fail(new End("closed"));
          else if (c.code === 4003) fail(new End("denied"));
          else if (c.code === 1001 || c.code === 4001) done(0);
          else fail();
        };
      }).finally(() => { clearTimeout(timer); socket.onclose = null; socket.close(); });
    }),

    async "long-poll"(signal) {
      const began = Date.now();
      if (began - heard < o.firstByte) show("live");
      const news = await poll(o.wait, signal);
      show("live");
      // Empty answers long before their time would make a tight loop.
      if (!news && Date.now() - began < o.wait * 500) await pause(o.backoff);
    },

    async "short-poll"(signal) {
      await poll(0, signal);
      const every = Math.max(hint, o.every) * (doc?.hidden ? 3 : 1);
      show("polling", { every, retryAt: Date.now() + every });
      await pause(every * (0.9 + jitter(0.2)));
    },
  });

  /** Asks until there is an answer; tells whether the first was one. @param {() => boolean} on */
  async function recover(on) {
    for (let n = 0; on(); n++) {
      const wait = jitter(Math.min(MAX_PAUSE, o.backoff * 2 ** n));
      show(offline() ? "offline" : "retrying", { retryAt: Date.now() + wait });
      await pause(wait);
      try {
        if (on() && !o.opaque) await poll(0);
        return !n && !offline();
      } catch (error) {
        if (error instanceof End) throw error;
      }
    }
  }

  /** Holds the one connection. */
  async function lead() {
    const term = (leading = ++terms), on = () => !over && leading === term;
    let strikes = 0, climbAt = 0, climbs = 0, failed = 0;
    show("connecting");
    while (on()) {
      if (rung && Date.now() >= climbAt) { rung = 0; strikes = 1; }
      attempt = new AbortController();
      const began = Date.now(), before = heard, polls = ladder[rung].endsWith("poll");
      let clean = false, mute = false;
      try {
        try {
          await transports[ladder[rung]](attempt.signal);
          clean = true;
        } catch (error) {
          if (error instanceof End) throw error;
          mute = error === "mute";
        }
        if (!on()) return;
        if (urged || clean && polls) { urged = false; strikes = failed = 0; continue; }
        const lived = Date.now() - began, spoke = heard > before;
        failed = clean ? 0 : failed + 1;
        // How long it spoke counts: some proxies pass the beginning on.
        if (!mute && spoke && (heard - began >= PROVEN || clean && lived >= o.firstByte)) {
          strikes = climbs = 0;
          show(offline() ? "offline" : "retrying");
          await pause(retry ? retry * (0.5 + jitter(1)) : jitter(o.backoff * 2 ** Math.min(failed, 5)));
          continue;
        }
        // A line that stayed mute until we gave up needs no second try.
        if (await recover(on)) strikes += mute || !spoke && lived >= o.firstByte ? 2 : 1;
        if (strikes > 1 && ladder[rung + 1]) {
          rung++;
          strikes = 0;
          climbAt = Date.now() + o.climb * 2 ** Math.min(climbs++, 4) * (0.8 + jitter(0.4));
        }
      } catch (error) {
        if (!on()) return;
        const end = error instanceof End ? error : new End("busy", o.backoff);
        if (end.state !== "busy") return stop(end.state);
        const wait = end.pause + jitter(Math.max(o.backoff, end.pause / 4));
        show("busy", { retryAt: Date.now() + wait });
        await pause(wait);
      }
    }
  }

  const drop = () => { leading = 0; attempt.abort(); wake(); };
  const nudge = () => { if (state.state !== "busy") { urged = true; attempt.abort(); wake(); } };

  const catchUp = () => (catching ??= poll(0).catch((error) => {
    if (error instanceof End && error.state !== "busy") stop(error.state);
  }).finally(() => { catching = undefined; }));

  function listen(/** @type {any} */ m) {
    if (m.hello || leading || over) return void tell();
    clearTimeout(deputy);
    deputy = setTimeout(join, silence + jitter(o.heartbeat), true);
    heard = m.state.heard;
    if (m.reset) reset();
    if (m.event && (o.opaque || m.event.seq === +cursor + 1)) accept(m.event, m.cursor);
    else if (!o.opaque && m.cursor > cursor) catchUp();
    if (m.state.state !== state.state || m.state.retryAt) call(o.onState, (state = m.state));
    if (state.state === "closed") catchUp().then(() => over || stop("closed"));
  }

  const name = `tracker:${address.href} ${typeof o.token === "string" ? o.token : ""}`; // other token, other line
  let seat = new AbortController(); // our place in the queue for the lock

  /** Leads, or waits for the lock. A tab that leads and says nothing is frozen: its lock is stolen. */
  function join(steal = false) {
    if (over || leading && !steal) return;
    if (!o.share || !nav.locks || !env.BroadcastChannel) return void (leading || lead());
    if (!channel) {
      channel = /** @type {BroadcastChannel} */ (new env.BroadcastChannel(name));
      channel.onmessage = (m) => listen(m.data);
      channel.postMessage({ hello: 1 });
    }
    seat.abort();
    const mine = (seat = new AbortController());
    nav.locks.request(name, steal ? { steal } : { signal: mine.signal }, () => {
      clearTimeout(deputy);
      if (!over && mine === seat) return lead();
    }).catch(() => { if (!over && mine === seat) { drop(); join(); } });
    clearTimeout(deputy);
    deputy = setTimeout(join, o.firstByte, true);
  }

  function leave() {
    drop();
    seat.abort();
    seat = new AbortController();
    clearTimeout(deputy);
    const last = channel;
    channel = undefined;
    setTimeout(() => last?.close()); // after what was just posted
  }

  const hooks = /** @type {[any, string, any][]} */ ([
    [env, "online", nudge],
    [env, "offline", () => { if (leading) { show("offline"); attempt.abort(); } }],
    [env, "pagehide", leave], // an open line keeps a page out of the back/forward cache
    [env, "pageshow", (/** @type {any} */ e) => { if (e.persisted) join(); }],
    [doc, "visibilitychange", () => {
      if (doc.hidden || over || Date.now() - heard < silence && state.state === "live") return;
      if (leading) nudge();
      else if (Date.now() - heard > silence) join(true);
    }],
  ]);
  for (const [target, type, fn] of hooks) target?.addEventListener?.(type, fn);

  function close() {
    over = true;
    leave();
    for (const [target, type, fn] of hooks) target?.removeEventListener?.(type, fn);
  }

  join();
  return {
    close,
    /** Asks now; resolves when that is done. */
    refresh: () => (over ? Promise.resolve() : catchUp()),
    get cursor() { return cursor; },
    get state() { return state; },
  };
}
