// One order from its creation to its parcel at the door, by a client that was
// generated from /openapi.json: every path, member and answer here is checked
// by the compiler.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Order = components["schemas"]["Order"];
type Problem = components["schemas"]["Problem"];

const [baseUrl, key] = process.argv.slice(2) as [string, string];
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

function ok<T>(answer: { data?: T; error?: Problem; response: Response }): NonNullable<T> {
  if (answer.error !== undefined || answer.data == null) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const order: Order = ok(await api.POST("/v1/orders", {
  params: { header: { "Idempotency-Key": "typescript-1" } },
  body: { reference: "TS-1", currency: "EUR", items: [{ sku: "mug", name: "Mug", quantity: 2, unit_amount: 2099 }] },
}));
const path = { id: order.id };

const payment = ok(await api.POST("/v1/payments", { body: { order_id: order.id } }));
if (payment.next_action === undefined) throw new Error("the shopper has nowhere to go");
await fetch(payment.next_action.url, { method: "POST", body: new URLSearchParams({ decision: "approve" }), redirect: "manual" });

// Waits, event by event, until the order has come to where done says.
async function follow(after: number, done: (last: components["schemas"]["Event"]) => boolean): Promise<number> {
  for (;;) {
    const poll = ok(await api.GET("/v1/orders/{id}/events", { params: { path, query: { after, wait: 20 } } }));
    if (typeof poll !== "object") throw new Error("that is a stream, or nothing new"); // neither was asked for
    after = poll.cursor;
    if (poll.events.some(done)) return after;
  }
}
let cursor = await follow(0, (e) => e.type === "order.confirmed");

const shipped = ok(await api.POST("/v1/orders/{id}/shipments", { params: { path }, body: { carrier: "DHL", tracking_number: "00340434161094042557" } }));
ok(await api.POST("/v1/shipments/{id}/events", { params: { path: { id: shipped.id } }, body: { status: "delivered" } }));
cursor = await follow(cursor, (e) => e.type === "order.completed");

const end = ok(await api.GET("/v1/orders/{id}", { params: { path } }));
const page = ok(await api.GET("/v1/orders", { params: { query: { status: ["completed"], limit: 100 } } }));
const again = await api.POST("/v1/orders/{id}/cancel", { params: { path, header: { "If-Match": `"${end.sequence}"` } }, body: { reason: "too late" } });

console.log(JSON.stringify({
  status: end.status, paid: end.payment_status, sent: end.fulfillment_status, listed: page.data.some((o) => o.id === order.id),
  whole: end.sequence === cursor && end.timeline?.length === cursor, refused: again.error?.code,
}));
