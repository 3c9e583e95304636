package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tracker/payments/money"
)

// seg is one piece of a sentence. Plain text has no kind; the others become an
// element of their own, so that a script can rewrite them and no direction of
// writing can mix them up.
type seg struct {
	Kind string `json:"k,omitempty"` // "", money, time, day, name
	Text string `json:"t"`
	At   string `json:"at,omitempty"`   // time: RFC 3339; day: a date
	Form string `json:"form,omitempty"` // time: moment, at, sec
}

// text is a sentence.
type text []seg

// String is the sentence without its structure, for titles and announcements.
func (t text) String() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString(s.Text)
	}
	return b.String()
}

// What a placeholder can stand for, beside time.Time, int64 and text.
type (
	cash struct {
		minor    int64
		currency string
	}
	name string // somebody's own words: isolated from the text around
	day  string // a date without a time, "2006-01-02"
	args map[string]any
)

// phrases says things in one language at one moment, in UTC. The script
// rewrites times to the reader's zone.
type phrases struct {
	words
	now time.Time
}

// say fills the words of key.
func (p phrases) say(key string, a args) text { return p.fill(p.get(key), a) }

// count fills the words of key for n, which is also the placeholder {n} unless
// a has its own.
func (p phrases) count(key string, n int64, a args) text {
	all := args{"n": n}
	for k, v := range a {
		all[k] = v
	}
	return p.fill(p.plural(key, n), all)
}

// fill replaces {name} and {name:form}.
func (p phrases) fill(template string, a args) text {
	out := text{}
	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		out = out.plain(before)
		if !found {
			break
		}
		inner, after, _ := strings.Cut(rest, "}")
		key, form, _ := strings.Cut(inner, ":")
		out = out.join(p.value(a[key], form))
		template = after
	}
	return out
}

func (t text) plain(s string) text {
	if s == "" {
		return t
	}
	if n := len(t); n > 0 && t[n-1].Kind == "" {
		t[n-1].Text += s
		return t
	}
	return append(t, seg{Text: s})
}

func (t text) join(more text) text {
	for _, s := range more {
		if s.Kind == "" {
			t = t.plain(s.Text)
		} else {
			t = append(t, s)
		}
	}
	return t
}

func (p phrases) value(v any, form string) text {
	switch v := v.(type) {
	case cash:
		return text{{Kind: "money", Text: p.money(v.minor, v.currency)}}
	case time.Time:
		if form == "" {
			form = "moment"
		}
		return text{{Kind: "time", Text: p.time(v, form), At: v.UTC().Format(time.RFC3339Nano), Form: form}}
	case day:
		return text{{Kind: "day", Text: p.day(v), At: string(v)}}
	case name:
		return text{{Kind: "name", Text: string(v)}}
	case text:
		return v
	case int:
		return text{{Text: strconv.Itoa(v)}}
	case int64:
		return text{{Text: strconv.FormatInt(v, 10)}}
	}
	return nil
}

// money writes an amount with the code of its currency, as the language writes
// numbers. Digits are always 0 to 9.
func (p phrases) money(minor int64, currency string) string {
	digits := money.Amount{Minor: minor, Currency: money.Currency(currency)}.Format()
	whole, fraction, hasFraction := strings.Cut(digits, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	number := sign + p.group(whole)
	if hasFraction {
		number += p.get("#decimal") + fraction
	}
	return strings.NewReplacer("{code}", currency, "{number}", number, " ", "\u00a0").Replace(p.get("#money"))
}

// group separates thousands, in Hindi thousands and then hundreds.
func (p phrases) group(whole string) string {
	size, out := 3, ""
	for len(whole) > size {
		out = p.get("#group") + whole[len(whole)-size:] + out
		whole = whole[:len(whole)-size]
		if p.lang == "hi" {
			size = 2
		}
	}
	return whole + out
}

func (p phrases) time(t time.Time, form string) string {
	t = t.UTC()
	clock := t.Format("15:04")
	if form == "sec" {
		clock = t.Format("15:04:05")
	}
	clock = p.put("#utc", "clock", clock)
	today := sameDay(t, p.now)
	date := p.date(t)
	switch {
	case form == "moment" && today:
		return clock
	case form == "moment":
		return p.put("#moment", "day", date, "clock", clock)
	case today:
		return p.put("#at", "clock", clock)
	}
	return p.put("#on_at", "day", date, "clock", clock)
}

func (p phrases) day(d day) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return string(d)
	}
	return p.date(t)
}

// date names the day, and the year where it is not this one.
func (p phrases) date(t time.Time) string {
	key := "#day"
	if t.Year() != p.now.UTC().Year() {
		key = "#day_year"
	}
	return p.put(key,
		"weekday", pick(p.get("#weekdays"), int(t.Weekday())), "d", strconv.Itoa(t.Day()),
		"month", pick(p.get("#months"), int(t.Month())-1), "year", strconv.Itoa(t.Year()))
}

func (p phrases) put(key string, pairs ...string) string {
	s := p.get(key)
	for i := 0; i < len(pairs); i += 2 {
		s = strings.ReplaceAll(s, "{"+pairs[i]+"}", pairs[i+1])
	}
	return s
}

func pick(list string, i int) string {
	parts := strings.Fields(list)
	if i < 0 || i >= len(parts) {
		return fmt.Sprint(i)
	}
	return parts[i]
}

func sameDay(a, b time.Time) bool {
	ay, am, ad := a.UTC().Date()
	by, bm, bd := b.UTC().Date()
	return ay == by && am == bm && ad == bd
}
