// Renders the states in argv[2] with the script's words and compares them with
// what Go said. Absent, null and empty are the same here.
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { describe, icons, phrases } from "../../static/client/view.js";
import { checkout } from "../../static/client/checkoutview.js";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const words = (lang) => read(new URL(`../../static/words/words.${lang}.json`, import.meta.url));
const english = words("en"), cache = { en: english };
const bare = (v) => {
  if (Array.isArray(v)) return v.length ? v.map(bare) : undefined;
  if (v === null || typeof v !== "object") return v === "" || v === null ? undefined : v;
  const out = {};
  for (const [k, x] of Object.entries(v)) if (bare(x) !== undefined) out[k] = bare(x);
  return out;
};

const { examples, icons: drawn, sums, plurals } = read(process.argv[2]);
assert.deepEqual(icons, drawn, "icons");
for (const [lang, forms] of Object.entries(plurals)) {
  assert.deepEqual(forms.map((_, n) => new Intl.PluralRules(lang).select(n)), forms, "plurals of " + lang);
}
for (const s of sums) {
  assert.equal(phrases((cache[s.Lang] ??= words(s.Lang)), { lang: s.Lang, now: 0, english }).money(s.Minor, s.Currency), s.Text, s.Lang + " " + s.Currency);
}
let failures = 0;
for (const e of examples) {
  const p = phrases((cache[e.lang] ??= words(e.lang)), { lang: e.lang, now: Date.parse(e.now), zone: "UTC", english });
  const d = describe(e.state, p), track = d.track();
  const visit = { ...e.visit, at: e.visit.at.startsWith("0001") ? "" : e.visit.at };
  try {
    assert.deepEqual(bare(track), bare(e.track));
    assert.equal(d.title(track), e.title);
    assert.deepEqual(bare(checkout(e.state, p, visit)), bare(e.Checkout));
  } catch (error) {
    if (failures++ < 3) console.error(e.name, e.lang, JSON.stringify(e.visit), error.message);
  }
}
assert.equal(failures, 0, `${failures} of ${examples.length} differ`);
