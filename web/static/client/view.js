// @ts-check
/**
 * What an order and its payment mean, in words: the twin of the Go code that
 * renders the pages (page_headline.go and its neighbours). A test renders the
 * same states with both and compares, so neither can say what the other does
 * not. Pure: no network, no document.
 *
 * @typedef {{k?: string, t: string, at?: string, form?: string}} Seg a piece of a sentence
 * @typedef {Seg[]} Text
 * @typedef {Record<string, any>} Any
 */

/** Digits of the minor unit where there are not two (ISO 4217). */
const EXPONENTS = /** @type {Record<string, number>} */ ({});
for (const [digits, codes] of [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [3, "BHD IQD JOD KWD LYD OMR TND"], [4, "CLF UYW"]]) {
  for (const code of String(codes).split(" ")) EXPONENTS[code] = Number(digits);
}

export const icons = {
  done: "M3 8.5l3.5 3.5L13 4.5",
  good: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM5 8.2l2.2 2.2L11 6",
  active: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM8 7a1 1 0 1 0 0 2a1 1 0 0 0 0-2z",
  warn: "M8 2l6.5 11.5h-13zM8 6.6v3M8 11.4v.2",
  bad: "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zM8 4.6v4M8 11v.2",
  next: "",
  ended: "M4 8h8",
};

/** Kinds of values that a placeholder can stand for. */
const cash = (/** @type {number} */ minor, /** @type {string} */ currency) => ({ cash: minor, currency });
const time = (/** @type {string} */ at) => ({ at });
const day = (/** @type {string} */ date) => ({ day: date });
const named = (/** @type {string} */ name) => ({ name });

/**
 * Says things in one language at one moment. zone "UTC" writes what the server
 * writes; without a zone it is the reader's. intl is a language tag: amounts,
 * days and hours are then written by Intl, as that place writes them. The pages
 * do without: the server has written them before, without Intl's data, and no
 * word may change when the script takes over.
 * @param {Record<string, string>} words @param {{lang: string, now: number, zone?: string, intl?: string}} o
 */
export function phrases(words, o) {
  const get = (/** @type {string} */ key) => words[key] || "";
  const rules = new Intl.PluralRules(o.lang);
  /** @param {Any} form with the digits 0 to 9 in every language */
  const intl = (form) => new Intl.DateTimeFormat(o.intl + "-u-nu-latn", form);
  const clockwork = new Intl.DateTimeFormat("en-GB", { timeZone: o.zone, hourCycle: "h23", year: "numeric", month: "numeric",
    day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const put = (/** @type {string} */ key, /** @type {Any} */ a) => get(key).replace(/\{(\w+)\}/g, (_, name) => a[name]);

  /** @param {string} at */
  function parts(at) {
    /** @type {Any} */ const p = {};
    for (const { type, value } of clockwork.formatToParts(new Date(at))) p[type] = value;
    return p;
  }
  const date = (/** @type {number} */ y, /** @type {number} */ m, /** @type {number} */ d, /** @type {number} */ thisYear) => o.intl
    ? intl({ weekday: "short", day: "numeric", month: "short", year: y === thisYear ? undefined : "numeric", timeZone: "UTC" }).format(Date.UTC(y, m - 1, d))
    : put(y === thisYear ? "#day" : "#day_year", { d, year: y, month: get("#months").split(" ")[m - 1],
      weekday: get("#weekdays").split(" ")[new Date(Date.UTC(y, m - 1, d)).getUTCDay()] });

  /** @param {string} at @param {string} form */
  function when(at, form) {
    const p = parts(at), n = parts(new Date(o.now).toISOString());
    let clock = p.hour + ":" + p.minute + (form === "sec" ? ":" + p.second : "");
    if (o.intl) clock = intl({ hour: "2-digit", minute: "2-digit", second: form === "sec" ? "2-digit" : undefined, timeZone: o.zone }).format(new Date(at));
    else if (o.zone === "UTC") clock = put("#utc", { clock });
    const today = p.year === n.year && p.month === n.month && p.day === n.day;
    const days = date(+p.year, +p.month, +p.day, +n.year);
    if (form === "moment") return today ? clock : put("#moment", { day: days, clock });
    return today ? put("#at", { clock }) : put("#on_at", { day: days, clock });
  }

  /** @param {number} minor @param {string} currency */
  function money(minor, currency) {
    const exponent = EXPONENTS[currency] ?? 2;
    const digits = String(Math.abs(minor)).padStart(exponent + 1, "0");
    if (o.intl) {
      const exact = /** @type {any} */ ((minor < 0 ? "-" : "") + digits.slice(0, digits.length - exponent) + "." + digits.slice(digits.length - exponent));
      return new Intl.NumberFormat(o.intl + "-u-nu-latn", { style: "currency", currency, minimumFractionDigits: exponent, maximumFractionDigits: exponent }).format(exact);
    }
    let whole = digits.slice(0, digits.length - exponent), size = 3, grouped = "";
    while (whole.length > size) {
      grouped = get("#group") + whole.slice(-size) + grouped;
      whole = whole.slice(0, -size);
      if (o.lang === "hi") size = 2;
    }
    const number = (minor < 0 ? "-" : "") + whole + grouped + (exponent ? get("#decimal") + digits.slice(-exponent) : "");
    return put("#money", { code: currency, number }).replaceAll(" ", "\u00a0");
  }

  /** @param {any} v @param {string} [form] @returns {Text} */
  function value(v, form = "moment") {
    if (v === undefined || v === null) return [];
    if (Array.isArray(v)) return v;
    if (typeof v === "number") return [{ t: String(v) }];
    if ("cash" in v) return [{ k: "money", t: money(v.cash, v.currency) }];
    if ("at" in v) return [{ k: "time", t: when(v.at, form), at: v.at, form }];
    if ("day" in v) {
      const [y, m, d] = v.day.split("-").map(Number);
      return [{ k: "day", t: date(y, m, d, +parts(new Date(o.now).toISOString()).year), at: v.day }];
    }
    return [{ k: "name", t: v.name }];
  }

  /** @param {...(string|Text)} pieces @returns {Text} */
  function join(...pieces) {
    /** @type {Text} */ const out = [];
    for (const piece of pieces) {
      for (const s of typeof piece === "string" ? [{ t: piece }] : piece) {
        const last = out[out.length - 1];
        if (s.k || !last || last.k) { if (s.k || s.t) out.push({ ...s }); } else last.t += s.t;
      }
    }
    return out;
  }

  /** @param {string} template @param {Any} a */
  const fill = (template, a) => join(...template.split(/(\{[^}]*\})/).map((piece) => {
    const m = /^\{(\w+)(?::(\w+))?\}$/.exec(piece);
    return m ? value(a[m[1]], m[2]) : piece;
  }));
  const say = (/** @type {string} */ key, /** @type {Any} */ a = {}) => fill(get(key), a);
  const count = (/** @type {string} */ key, /** @type {number} */ n, /** @type {Any} */ a = {}) =>
    fill(words[key + "." + rules.select(n)] || words[key + ".other"] || get(key + ".other"), { n, ...a });
  return { ...o, get, say, count, value, join, when, money };
}

export const plain = (/** @type {Text} */ text) => text.map((s) => s.t).join("");

const TROUBLE = ["delivery_attempted", "delayed", "exception", "on_hold", "lost"];
const SHIPPED = ["picked_up", "in_transit", "out_for_delivery", "delivered", "delivery_attempted", "available_for_pickup",
  "delayed", "exception", "on_hold", "returned_to_sender", "lost"];
const toneOf = (/** @type {string} */ s) => (s === "lost" || s === "exception" ? "bad" : "warn");

/**
 * What a page shows of the state, in words.
 * @param {Any} state order, timeline, payments, settings @param {ReturnType<typeof phrases>} p
 */
export function describe(state, p) {
  const { say, count, value, join } = p, order = state.order, id = order.id;
  const timeline = state.timeline || [], payments = state.payments || {};
  const sum = (/** @type {number} */ minor) => cash(minor, order.currency);
  const parcels = order.shipments.filter((/** @type {Any} */ s) => s.status !== "cancelled");
  const last = order.payments[order.payments.length - 1];
  const paid = order.payments.filter((/** @type {Any} */ x) => !["reversed", "late_success", "refund_pending"].includes(x.status))
    .reduce((/** @type {number} */ n, /** @type {Any} */ x) => n + x.captured, 0);
  const rest = Math.max(0, order.amount - paid);
  const newest = (/** @type {string} */ type) => timeline.findLast((/** @type {Any} */ t) => t.type === type);
  const since = (/** @type {string} */ type) => time(newest(type)?.at || order.updated_at);
  const carrier = (/** @type {Any} */ s) => (s.carrier ? named(s.carrier) : say("carrier_somebody"));
  const moment = (/** @type {any} */ v) => value(v, "moment");
  const line = (/** @type {number} */ n, /** @type {string} */ what) => join(value(n), " × ", value(named(what)));
  const scanTime = (/** @type {Any} */ s, status = s.status) =>
    s.events.findLast((/** @type {Any} */ e) => e.status === status)?.occurred_at || s.updated_at;
  const find = (/** @type {string[]} */ ...states) => parcels.findIndex((/** @type {Any} */ s) => states.includes(s.status));

  /** @param {Any} s the days on which delivery is expected, without those that are over */
  function dates(s) {
    const today = new Date(p.now).toISOString().slice(0, 10);
    let from = s.estimated_from || "", to = s.estimated_to || from;
    if (from < today) from = "";
    if (to < today) to = "";
    return { from: from === to || from > to ? "" : from, to };
  }
  /** @param {Any} s @param {string} none @param {string} one @param {string} range */
  function dated(s, none, one, range) {
    const { from, to } = dates(s);
    const a = { carrier: carrier(s), day: day(to), from: day(from), to: day(to) };
    if (!to) return none && say(none, a) || [];
    return say(from ? range : one, a);
  }

  const unsent = () => {
    /** @type {Record<string, number>} */ const left = {};
    for (const s of parcels) if (s.status !== "lost") for (const i of s.items) left[i.sku] = (left[i.sku] || 0) - i.quantity;
    const list = [];
    for (const i of order.items) {
      left[i.sku] = (left[i.sku] || 0) + i.quantity;
      const n = Math.min(left[i.sku], i.quantity);
      if (n > 0) list.push(line(n, i.name));
    }
    return list;
  };

  // --- headline
  /** @param {string} state @param {string} tone @param {string} title @param {...Text} sentences @returns {Any} */
  const head = (state, tone, title, ...sentences) => ({ state, tone, title: say(title), sentences, notices: [], action: null, parcel: -1 });

  function ended() {
    if (order.status === "cancelled") {
      const by = { merchant: "merchant", operator: "merchant", shopper: "shopper" }[String(order.cancelled_by)] || "other";
      return head("cancelled", "done", "cancelled", say("cancelled_by_" + by, { at: since("order.cancelled") }));
    }
    if (order.status === "expired") return head("expired", "done", "expired", say("expired_text", { at: since("order.expired") }));
  }
  function moneyHeadline() {
    if (order.payment_status === "review") return head("review", "warn", "review", say("review_text"));
    if (last?.status === "reversed") {
      return head("reversed", "bad", "reversed", say("reversed_text", { amount: sum(last.captured), at: time(last.updated_at) }));
    }
    if (order.fulfillment_status === "on_hold") return head("held", "warn", "held", say("held_text"));
  }
  function bankSilence() {
    let from = order.updated_at, next = "";
    for (const x of order.payments) {
      if (x.status === "processing" || x.status === "unknown") {
        from = x.updated_at;
        next = x.next_check_at || next;
      }
    }
    if (next && Date.parse(next) > p.now) return say("bank_wait_text", { since: time(from), next: time(next) });
    return say("bank_wait_soon", { since: time(from) });
  }
  function unpaid() {
    if (order.status !== "pending_payment") return;
    const href = "/checkout/" + id;
    switch (order.payment_status) {
      case "action_required":
        return { ...head("at_bank", "active", "at_bank", say("at_bank_text")), action: { label: say("continue_bank"), href } };
      case "processing":
        return head("bank_wait", "active", "bank_wait", bankSilence());
      case "authorized":
        return head("approved", "active", "approved", say("approved_text", { amount: sum(rest) }));
      case "paid": case "overpaid":
        return;
    }
    const h = head("unpaid", "active", "unpaid");
    if (order.payment_status === "failed") {
      h.tone = "bad";
      h.sentences.push(say("unpaid_declined"));
    }
    if (paid > 0) h.sentences.push(say("unpaid_rest", { paid: sum(paid), amount: sum(order.amount), rest: sum(rest) }));
    h.sentences.push(say("unpaid_text", { by: time(order.pay_by) }));
    h.action = { label: say("pay", { amount: sum(rest) }), href };
    return h;
  }

  /** @param {Any} s @param {number} i */
  function trouble(s, i) {
    let what = say("p_" + s.status, { carrier: carrier(s) });
    if (parcels.length > 1) what = say("l_scan_n", { i: i + 1, what });
    const next = s.status === "delivery_attempted" || s.status === "lost" ? say("t_" + s.status)
      : dated(s, "t_nodate", "t_newdate", "t_newrange");
    return { tone: toneOf(s.status), text: what,
      more: join(next, " ", say("t_reported", { carrier: carrier(s), at: time(scanTime(s)) }),
        ...(s.events.some((/** @type {Any} */ e) => e.status === "delivered") ? [" ", say("corrected", { carrier: carrier(s) })] : [])) };
  }
  const others = (/** @type {number} */ but) => parcels.map((/** @type {Any} */ s, /** @type {number} */ j) => [s, j])
    .filter((/** @type {any[]} */ [s, j]) => j !== but && TROUBLE.includes(s.status)).map((/** @type {any[]} */ [s, j]) => trouble(s, j));

  /** @param {string} state @param {number} i */
  function moving(state, i) {
    const s = parcels[i], n = parcels.length;
    const h = head(state, "active", "");
    h.title = say(state + (n > 1 ? "_n" : ""), { i: i + 1, n });
    h.parcel = i;
    if (state === "pickup") {
      const place = s.events.findLast((/** @type {Any} */ e) => e.status === s.status && e.location)?.location;
      h.sentences = [place ? say("pickup_text", { place: named(place) }) : say("pickup_text_noplace")];
    } else if (state === "out") {
      h.sentences = [say("out_text", { since: time(scanTime(s)), carrier: carrier(s) })];
    } else {
      h.sentences = [dated(s, "moving_text_nodate", "moving_text", "moving_text_range")];
    }
    h.notices = others(-1);
    return h;
  }

  function parcelHeadline() {
    const open = parcels.filter((/** @type {Any} */ s) => s.status !== "delivered" && s.status !== "returned_to_sender");
    if (open.length && open.every((/** @type {Any} */ s) => TROUBLE.includes(s.status))) {
      const i = find(...TROUBLE), n = trouble(parcels[i], i);
      return { ...head("trouble", n.tone, "", n.more), title: n.text, parcel: i, notices: others(i) };
    }
    for (const [state, ...states] of [["pickup", "available_for_pickup"], ["out", "out_for_delivery"],
      ["moving", "picked_up", "in_transit", "delayed"]]) {
      const i = find(...states);
      if (i >= 0) return moving(state, i);
    }
    return arrived();
  }
  function arrived() {
    const f = order.fulfillment_status;
    if (f === "returned" || f === "partially_returned") {
      const h = head("returned", "warn", f === "returned" ? "returned" : "returned_part"), i = find("returned_to_sender");
      if (i >= 0) Object.assign(h, { sentences: [say("returned_text", { carrier: carrier(parcels[i]) })], parcel: i });
      return h;
    }
    const delivered = parcels.filter((/** @type {Any} */ s) => s.status === "delivered").length;
    const back = parcels.filter((/** @type {Any} */ s) => s.status === "returned_to_sender").length;
    if (!delivered) return;
    if (delivered + back === parcels.length && f === "fulfilled") {
      let i = find("delivered");
      parcels.forEach((/** @type {Any} */ s, /** @type {number} */ j) => {
        if (s.status === "delivered" && Date.parse(scanTime(s)) > Date.parse(scanTime(parcels[i]))) i = j;
      });
      return { ...head("delivered", "good", "delivered",
        say("delivered_text", { carrier: carrier(parcels[i]), at: time(scanTime(parcels[i])) })), parcel: i };
    }
    const h = head("partly", "active", ""), total = parcels.length + (unsent().length ? 1 : 0);
    h.title = count("partly", total, { i: delivered });
    parcels.forEach((/** @type {Any} */ s, /** @type {number} */ i) => {
      if (s.status === "delivered") return;
      h.parcel = i;
      h.sentences.push(say("l_scan_n", { i: i + 1, what: say("p_" + s.status, { carrier: carrier(s) }) }));
    });
    if (!h.sentences.length) h.sentences = [say("packing_text")];
    return h;
  }
  function packing() {
    const i = find("label_created");
    if (i >= 0) return head("packing", "active", "packing", say("labelled_text", { carrier: carrier(parcels[i]) }));
    if (order.fulfillment_status === "not_required" && order.status === "completed") {
      return head("digital", "good", "digital", say("digital_text"));
    }
    return head("packing", "active", "packing", say("packing_text"));
  }
  const headline = () => ended() || moneyHeadline() || unpaid() || parcelHeadline() || packing();

  // --- money and evidence
  const paidAt = () => timeline.find((/** @type {Any} */ t) =>
    t.type === "order.payment_changed" && ["paid", "overpaid", "authorized"].includes(t.to));
  const behind = (/** @type {Any} */ t) => (payments[t.subject]?.timeline || [])
    .findLast((/** @type {Any} */ x) => Date.parse(x.at) <= Date.parse(t.at));
  const evidence = (/** @type {Any} */ t) => {
    let cause = t.cause === "payment" ? behind(t)?.cause || t.cause : t.cause;
    if (cause === "callback" && t.type === "order.completed") cause = "carrier_any";
    return say(p.get("v_" + cause) ? "v_" + cause : "v_order");
  };
  function paymentLine() {
    const status = order.payment_status;
    if (last?.status === "reversed") return { tone: "bad", text: say("m_reversed", { amount: sum(last.captured) }), note: [] };
    const all = order.payments.reduce((/** @type {number} */ n, /** @type {Any} */ x) => n + x.captured, 0);
    const a = { amount: sum(order.amount), paid: sum(paid), extra: sum(paid - order.amount) };
    let key = "m_" + status, tone = "active";
    if (["paid", "partially_refunded", "refunded"].includes(status)) {
      [key, tone] = ["m_paid", "good"];
      a.amount = sum(paid || all);
    } else if (status === "overpaid" || status === "review") tone = "warn";
    else if (status === "failed") tone = "bad";
    else if (status === "voided") tone = "done";
    const t = paidAt(), dated = t && (tone === "good" || status === "overpaid");
    return { tone, text: say(key, a), note: dated ? say("confirmed_by_bank", { at: time((behind(t) || t).at) }) : [] };
  }
  const days = () => [{ t: state.settings?.refund_days || "" }];
  function refundLine(/** @type {Any} */ r) {
    const a = { amount: sum(r.amount), at: time(r.updated_at), days: days() };
    const tone = { succeeded: "good", failed: "warn", requires_action: "warn", cancelled: "done" }[String(r.status)] || "active";
    const note = r.status === "pending" || r.status === "succeeded" ? say("r_" + r.status + "_note", a) : [];
    return { tone, text: say("r_" + r.status, a), note };
  }
  function money() {
    const list = [paymentLine()];
    for (const x of order.payments) {
      const known = payments[x.id]?.payment.refunds;
      if (known?.length) { list.push(...known.map(refundLine)); continue; }
      if (x.refunded > 0) list.push(refundLine({ status: "succeeded", amount: x.refunded, updated_at: x.updated_at }));
      if (x.refund_pending > 0) {
        list.push({ tone: "active", text: say("r_pending", { amount: sum(x.refund_pending) }), note: say("r_pending_note_nodate", { days: days() }) });
      }
    }
    if (order.refund_due > 0 && list.length === 1) {
      list.push({ tone: "active", text: say("m_due_back", { amount: sum(order.refund_due) }), note: [] });
    }
    return list;
  }

  // --- steps
  /** @param {Any} h */
  function steps(h) {
    const over = order.status === "cancelled" || order.status === "expired";
    /** @type {Any[]} */
    const list = [{ state: "past", label: say("s_ordered"), time: moment(time(order.created_at)), note: [] }];
    const ps = order.payment_status;
    const reached = ["paid", "overpaid", "partially_refunded", "refunded", "authorized"].includes(ps);
    if (reached || !over) {
      const t = reached && paidAt();
      list.push({ state: reached ? "past" : "next", label: say(ps === "authorized" ? "s_approved" : "s_paid"),
        time: t ? moment(time(t.at)) : [], note: t ? evidence(t) : [] });
    }
    if (over) {
      const cancelled = order.status === "cancelled";
      list.push({ state: "ended", label: say(cancelled ? "s_cancelled" : "s_expired"), time: moment(since("order." + order.status)), note: [] });
      return list;
    }
    list.push(...deliverySteps(h));
    const at = list.findLastIndex((/** @type {Any} */ s) => s.state === "past");
    if (at < list.length - 1) list[at].state = "now";
    if (["trouble", "held", "review", "reversed"].includes(h.state)) Object.assign(list[at], { state: "problem", note: h.title });
    return list;
  }
  /** @param {string} label @param {string[]} states */
  function milestone(label, states) {
    let reached = 0, first = "", who = -1;
    parcels.forEach((/** @type {Any} */ s, /** @type {number} */ i) => {
      const at = s.events.find((/** @type {Any} */ e) => states.includes(e.status))?.occurred_at;
      if (!at) return;
      reached++;
      if (!first || Date.parse(at) < Date.parse(first)) [first, who] = [at, i];
    });
    if (!reached) return { state: "next", label: say(label), time: [], note: [] };
    const total = parcels.length + (unsent().length ? 1 : 0), says = say("s_says", { carrier: carrier(parcels[who]) });
    return { state: "past", label: say(label), time: moment(time(first)),
      note: reached < total ? join(count("s_some", total, { i: reached }), ", ", says) : says };
  }
  /** @param {Any} h */
  function deliverySteps(h) {
    if (order.fulfillment_status === "not_required") {
      const done = order.status === "completed";
      return [{ state: done ? "past" : "next", label: say("s_done"), time: done ? moment(since("order.completed")) : [], note: [] }];
    }
    const shipped = milestone("s_shipped", SHIPPED), out = milestone("s_out", ["out_for_delivery"]);
    const delivered = milestone("s_delivered", ["delivered"]), label = find("label_created");
    if (shipped.state === "next" && label >= 0) shipped.note = say("labelled_text", { carrier: carrier(parcels[label]) });
    const all = parcels.length && parcels.every((/** @type {Any} */ s) => s.status === "delivered") && !unsent().length;
    if (!all) {
      delivered.state = "next";
      delivered.time = [];
      if (parcels[h.parcel] && dates(parcels[h.parcel]).to) delivered.note = dated(parcels[h.parcel], "", "e_expected", "e_expected_range");
    }
    const list = [shipped];
    if (out.state === "past" || delivered.state === "next" && h.state !== "pickup" && h.state !== "returned") list.push(out);
    if (h.state === "returned") return [...list, { state: "ended", label: say("s_returned"), time: moment(time(order.updated_at)), note: [] }];
    return [...list, delivered];
  }

  // --- what happened
  /** @param {Any} t @returns {Any|undefined} */
  function transitionEntry(t) {
    const kind = t.type.replace(/^order\./, "");
    let key = "l_" + kind, a = {};
    if (kind === "payment_changed") {
      key = "l_" + t.to;
      if (t.from === t.to || !p.get(key)) return;
    } else if (kind === "shipment_created") {
      key = "l_shipment";
      const s = order.shipments.find((/** @type {Any} */ x) => x.id === t.subject && x.carrier);
      if (s) [key, a] = ["l_shipment_carrier", { carrier: named(s.carrier) }];
    } else if (!["created", "confirmed", "completed", "cancelled", "expired"].includes(kind)) return;
    const e = { key: "t" + t.seq, title: say(key, a), time: moment(time(t.at)), notes: /** @type {Text[]} */ ([]), at: t.at };
    if (kind !== "created" && kind !== "completed" && t.to !== "action_required") {
      e.notes.push(evidence(t));
      const ref = payments[t.subject]?.payment.reference;
      if (ref) e.notes.push(say("v_reference", { ref: named(ref) }));
    }
    const theirs = t.cause === "payment" && behind(t) ? behind(t).their_time : t.their_time;
    if (theirs && Date.parse(t.at) - Date.parse(theirs) > 12e4) {
      e.time = moment(time(theirs));
      e.notes.push(say("v_late", { at: time(t.at) }));
    }
    return e;
  }
  /** @param {Any} s @param {number} i */
  function scanEntries(s, i) {
    /** @type {Any[]} */ const list = [];
    let delivered = false;
    for (const scan of s.events) {
      const corrects = delivered && scan.status !== "delivered";
      delivered = scan.status === "delivered";
      const fold = scan.status + new Date(scan.occurred_at).toISOString().slice(0, 10), before = list[list.length - 1];
      if (before?.fold === fold) {
        before.n++;
        before.notes = [count("l_scans", before.n), before.notes[before.notes.length - 1]];
        continue;
      }
      let what = say("p_" + scan.status, { carrier: carrier(s) });
      if (parcels.length > 1) what = say("l_scan_n", { i: i + 1, what });
      const notes = [scan.location ? say("v_carrier_place", { carrier: carrier(s), place: named(scan.location) })
        : say("v_carrier", { carrier: carrier(s) })];
      if (Date.parse(scan.recorded_at) - Date.parse(scan.occurred_at) > 12e4) notes.push(say("v_late", { at: time(scan.recorded_at) }));
      if (corrects) notes.push(say("corrected", { carrier: carrier(s) }));
      list.push({ key: s.id + "/" + fold, title: what, time: moment(time(scan.occurred_at)), notes, at: scan.occurred_at, fold, n: 1 });
    }
    return list;
  }
  const log = () => [...timeline.map(transitionEntry).filter(Boolean), ...parcels.flatMap(scanEntries)]
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).reverse()
    .map(({ key, title, time: at, notes }) => ({ key, title, time: at, notes }));

  // --- cards
  const tone = (/** @type {string} */ s) => (s === "delivered" ? "good" : TROUBLE.includes(s) ? toneOf(s)
    : s === "returned_to_sender" ? "warn" : s === "pending" || s === "label_created" ? "done" : "active");
  const cards = () => parcels.map((/** @type {Any} */ s, /** @type {number} */ i) => ({
    id: s.id, title: parcels.length > 1 ? say("parcel_n", { i: i + 1, n: parcels.length }) : say("parcel"), tone: tone(s.status),
    status: say("p_" + s.status, { carrier: carrier(s) }), carrier: s.carrier, number: s.tracking_number, url: s.tracking_url,
    when: s.status === "delivered" ? moment(time(scanTime(s)))
      : ["returned_to_sender", "lost"].includes(s.status) ? [] : dated(s, "", "expected_day", "expected_range"),
    items: s.items.map((/** @type {Any} */ i) => line(i.quantity, order.items.find((/** @type {Any} */ x) => x.sku === i.sku)?.name || i.sku)),
  }));

  /** Everything on the order page. @returns {Any} */
  function track() {
    const h = headline();
    const { parcel, ...shown } = h;
    return { ...shown, steps: steps(h).map((s) => ({ ...s, word: p.get("x_" + s.state) })), money: money(), parcels: cards(),
      unsent: parcels.length && order.status !== "cancelled" ? unsent() : [], log: log(),
      items: order.items.map((/** @type {Any} */ i) => ({ what: line(i.quantity, i.name), amount: value(sum(i.quantity * i.unit_amount)) })),
      total: value(sum(order.amount)) };
  }
  const title = (/** @type {Any} */ h) =>
    `${plain(h.title)} - ${plain(say("order_n", { ref: named(order.reference) }))} - ${order.shop.name}`;
  return { order, payments, sum, paid, rest, last, since, headline, track, title, evidence, days };
}
