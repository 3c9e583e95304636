// @ts-check
/** What the checkout says: the twin of page_checkoutview.go, compared with it by a test. Pure. */

import { describe } from "./view.js";

/** @typedef {Record<string, any>} Any */

const OPEN = ["created", "requires_action", "processing", "unknown", "authorized", "review", "late_success", "refund_pending"];
const STILL = 10e3, ASKING = 60e3;
const time = (/** @type {string} */ at) => ({ at });

/**
 * @param {Any} state @param {ReturnType<import("./view.js").phrases>} p
 * @param {{from_bank?: boolean, at?: string, flash?: string}} visit @returns {Any}
 */
export function checkout(state, p, visit) {
  const d = describe(state, p), { say, join, value } = p, { order, sum } = d;
  const chosen = order.payments.findLast((/** @type {Any} */ x) => OPEN.includes(x.status)) || d.last;
  const pay = chosen && (d.payments[chosen.id]?.payment || chosen);
  const now = p.now, ahead = (/** @type {string|undefined} */ at) => at && Date.parse(at) > now;

  /** @param {string} name @param {string} tone @param {string} title @param {Any} [a] @param {...any} sentences @returns {Any} */
  const view = (name, tone, title, a = {}, ...sentences) =>
    ({ state: name, tone, title: say(title, a), sentences, why: false, actions: [], steps: [], money: [], waiting: false });
  const link = (/** @type {Any} */ c, /** @type {string} */ label, /** @type {string} */ href, primary = false) => {
    if (href) c.actions.push({ kind: "link", label: say(label), href, primary });
    return c;
  };
  const seeOrder = (/** @type {Any} */ c, primary = true) => link(c, primary ? "see_order" : "order_page", "/track/" + order.id, primary);
  const payable = (/** @type {Any} */ c, label = "pay") => {
    c.actions.push({ kind: "pay", label: say(label, { amount: sum(d.rest) }), href: "", primary: true });
    return c;
  };
  const waits = (/** @type {Any} */ c) => ({ ...c, waiting: true });
  const atBank = (/** @type {Any} */ c, /** @type {string} */ stop) => {
    link(c, "continue_bank", pay?.next_action?.url, true);
    c.actions.push({ kind: "stop", label: say(stop), href: pay?.id || "", primary: false });
    return waits(c);
  };

  function flashed() {
    switch (visit.flash) {
      case "other_tab": return atBank(view("other_tab", "active", "c_other_tab", {}, say("c_other_tab_text")), "c_stop_it");
      case "changed": return payable(view("changed", "warn", "c_changed", {}, say("c_changed_text", { amount: sum(d.rest) })));
      case "bank_down": return payable(view("bank_down", "bad", "c_bank_down", {}, say("c_bank_down_text")), "c_try_again");
      case "unsure": return payable(view("unsure", "warn", "c_unsure", {}, say("c_unsure_text")));
    }
  }

  function late() {
    const t = (d.payments[pay.id]?.timeline || []).find((/** @type {Any} */ x) => x.to === "late_success");
    if (!t && pay.status !== "late_success") return;
    const at = time(t?.at || pay.updated_at), amount = sum(Math.max(pay.captured, pay.refunded) || pay.amount);
    if (pay.status === "late_success" && state.settings.late_success === "hold") {
      return waits(seeOrder(view("late_back", "warn", "c_late_hold_title", {}, say("c_late_hold_text"))));
    }
    if (pay.status === "late_success" || pay.status === "refund_pending") {
      return waits(seeOrder(view("late_back", "warn", "c_late_back", {}, say("c_late_back_text", { amount, at }))));
    }
    if (pay.status === "refunded") {
      return seeOrder(view("late_done", "good", "c_late_done", { amount }, say("c_late_done_text", { at: time(pay.updated_at), days: d.days() })));
    }
  }

  function closed() {
    let c;
    if (order.status === "cancelled") {
      c = view("cancelled", "done", "c_cancelled", {}, ...d.headline().sentences, say("c_nothing_to_pay"));
    } else if (order.status === "expired") {
      c = view("expired", "done", "c_expired", {}, say("c_expired_text", { at: d.since("order.expired") }));
    } else return;
    if (pay && OPEN.includes(pay.status)) {
      const policy = state.settings.late_success;
      c.waiting = true;
      c.sentences.push(say("c_late_" + (policy === "hold" || policy === "accept" ? policy : "refund")));
    }
    if (order.payments.some((/** @type {Any} */ x) => x.captured > 0)) c.money = d.track().money;
    return link(c, "back_to_shop", order.shop.url, true);
  }

  function otherwise() {
    const h = d.headline();
    const c = { ...view(h.state, h.tone, ""), title: h.title, sentences: h.sentences, money: d.track().money };
    return h.state === "unpaid" ? payable(c) : seeOrder(c);
  }

  function captured() {
    if (order.payment_status === "review" || order.fulfillment_status === "on_hold") return otherwise();
    const evidence = say("confirmed_by_bank", { at: time(pay.updated_at) }), paid = Math.max(d.paid, pay.captured);
    if (paid >= order.amount) {
      return seeOrder(view("paid", "good", "c_paid", { amount: sum(paid) }, join(evidence, " ", say("c_paid_text"))));
    }
    const a = { paid: sum(paid), amount: sum(order.amount), rest: sum(order.amount - paid) };
    const c = view("part_paid", "active", "c_part", a, evidence);
    if (pay.status === "partially_captured") {
      c.sentences.push(say("c_part_taken"));
      return seeOrder(c);
    }
    c.sentences.push(say("c_part_rest", a));
    return seeOrder(payable(c), false);
  }

  function inReview() {
    const r = pay.reported;
    return waits(seeOrder(view("review", "warn", "review", {}, r
      ? say("c_review_text", { reported: { cash: r.amount, currency: r.currency }, amount: sum(pay.amount) }) : say("review_text"))));
  }

  function unknown() {
    const next = ahead(pay.next_check_at) ? [say("c_unknown_next", { next: time(pay.next_check_at) }), " "] : [];
    return waits(seeOrder(view("unknown", "warn", "c_unknown", {},
      join(say("c_unknown_text"), " ", ...next, say("c_unknown_dont"))), false));
  }

  function waiting() {
    const since = visit.at && Date.parse(visit.at) > Date.parse(pay.updated_at) ? visit.at : pay.updated_at;
    const waited = now - Date.parse(since);
    const c = waited < STILL ? view("waiting", "active", "bank_wait", {}, say("c_waiting_text"))
      : waited < ASKING ? view("still", "active", "c_still", {}, say("c_still_text")) : asking(since);
    if (visit.from_bank && visit.at) {
      c.steps = [{ state: "past", word: p.get("x_past"), label: say("c_step_back"), time: value(time(visit.at), "moment"), note: [] },
        { state: "now", word: p.get("x_now"), label: say("c_step_confirms"), time: [],
          note: ahead(pay.next_check_at) ? say("c_step_next", { next: time(pay.next_check_at) }) : [] }];
    }
    return waits(c);
  }

  function asking(/** @type {string} */ since) {
    const last = pay.last_check_at ? [" ", say("c_asking_last", { last: time(pay.last_check_at) })] : [];
    const next = ahead(pay.next_check_at) ? say("c_asking_next", { next: time(pay.next_check_at) }) : say("c_asking_soon");
    const c = view("asking", "active", last.length ? "c_asking" : "c_asking_first", {},
      join(say("c_asking_since", { since: time(since) }), ...last, " ", next), say("c_asking_text"));
    if (pay.status === "requires_action") link(c, "continue_bank", pay.next_action?.url);
    return seeOrder(c, false);
  }

  function payment() {
    switch (pay.status) {
      case "created": case "requires_action":
        return visit.from_bank ? waiting() : atBank(view("back", "active", "c_back", {}, say("c_back_text")), "c_stop");
      case "processing": return waiting();
      case "unknown": return unknown();
      case "review": return inReview();
      case "authorized":
        return waits(seeOrder(view("authorized", "active", "approved", {}, say("approved_text", { amount: sum(pay.amount) }),
          say("confirmed_by_bank", { at: time(pay.updated_at) }))));
      case "captured": case "partially_captured": return captured();
    }
    if (order.status !== "pending_payment" || d.paid > 0) return otherwise();
    const by = { by: time(order.pay_by) }, kept = join(say("c_not_charged"), " ", say("c_kept", by));
    switch (pay.status) {
      case "failed":
        return link({ ...payable(view("declined", "bad", "c_declined", {}, kept), "c_try_again"), why: true }, "back_to_shop", order.shop.url);
      case "cancelled": return payable(view("stopped", "done", "c_stopped", {}, kept));
      case "voided": return payable(view("stopped", "done", "c_voided", {}, kept));
      case "expired":
        return payable(view("pay_expired", "warn", "c_pay_expired", {}, join(say("c_not_charged"), " ", say("c_pay_expired_text", by))), "c_try_again");
    }
    return otherwise();
  }

  const ready = () => payable(view("ready", "active", "pay", { amount: sum(d.rest) },
    join(say("c_text"), " ", say("c_by", { by: time(order.pay_by) }))));
  const c = flashed() || pay && late() || closed() || pay && payment() || ready();
  const items = order.items.map((/** @type {Any} */ i) => ({
    what: join(value(i.quantity), " × ", value({ name: i.name })), amount: value(sum(i.quantity * i.unit_amount)) }));
  return { ...c, items, total: value(sum(order.amount)) };
}
