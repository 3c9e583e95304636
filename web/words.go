package web

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// languages are those that shopper pages speak, in the order of preference
// where a browser leaves it open. The first stands in for missing keys.
func languages() []string { return []string{"en", "de", "es", "hi", "ar"} }

// words is the catalogue of one language. Keys that begin with "#" describe the
// language itself.
type words struct {
	lang string
	text map[string]string
	base map[string]string // English, for keys that are missing
}

// loadWords reads words.<lang>.json of every language.
func loadWords(files fs.FS, dir string) (map[string]words, error) {
	all := make(map[string]words)
	for _, lang := range languages() {
		raw, err := fs.ReadFile(files, path.Join(dir, "words."+lang+".json"))
		if err != nil {
			return nil, fmt.Errorf("web: words of %s: %w", lang, err)
		}
		w := words{lang: lang}
		if err := json.Unmarshal(raw, &w.text); err != nil {
			return nil, fmt.Errorf("web: words of %s: %w", lang, err)
		}
		w.base = w.text
		if english, ok := all["en"]; ok {
			w.base = english.text
		}
		all[lang] = w
	}
	return all, nil
}

// get returns the words of a key: this language's, else English, never the key.
func (w words) get(key string) string {
	if s := w.text[key]; s != "" {
		return s
	}
	return w.base[key]
}

// plural returns the words of key for n, by the language's plural rules.
func (w words) plural(key string, n int64) string {
	for _, form := range []string{pluralForm(w.lang, n), "other"} {
		if s := w.text[key+"."+form]; s != "" {
			return s
		}
	}
	form := pluralForm("en", n)
	return w.base[key+"."+form]
}

// pluralForm is what Intl.PluralRules answers for the whole numbers that occur
// on our pages; a test compares the two.
func pluralForm(lang string, n int64) string {
	switch lang {
	case "hi":
		if n == 0 || n == 1 {
			return "one"
		}
	case "ar":
		return arabicPlural(n)
	default:
		if n == 1 {
			return "one"
		}
	}
	return "other"
}

func arabicPlural(n int64) string {
	rest := n % 100
	switch {
	case n == 0:
		return "zero"
	case n == 1:
		return "one"
	case n == 2:
		return "two"
	case rest >= 3 && rest <= 10:
		return "few"
	case rest >= 11:
		return "many"
	}
	return "other"
}

// rightToLeft tells the direction of the language's script.
func (w words) rightToLeft() bool { return w.lang == "ar" }

// chooseLanguage picks by an explicit wish, else by Accept-Language (RFC 9110,
// 12.5.4), else English.
func chooseLanguage(wish, accept string) string {
	known := languages()
	if slices.Contains(known, wish) {
		return wish
	}
	best, weight := known[0], 0.0
	for i, part := range strings.Split(accept, ",") {
		if i >= 20 {
			break
		}
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			if parsed, err := strconv.ParseFloat(value, 64); err == nil {
				q = parsed
			}
		}
		if q > weight && slices.Contains(known, primary) {
			best, weight = primary, q
		}
	}
	return best
}
