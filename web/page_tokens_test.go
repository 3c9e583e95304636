package web

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// TestTokens_contrast computes WCAG 2.2 contrast from the colours as they ship.
func TestTokens_contrast(t *testing.T) {
	t.Parallel()
	css, err := pageFiles.ReadFile("static/css/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark := map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):light-dark\((#[0-9A-F]{6}),(#[0-9A-F]{6})\)`).FindAllStringSubmatch(string(css), -1) {
		light[m[1]], dark[m[1]] = m[2], m[3]
	}
	plain := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):(#[0-9A-F]{6})`).FindAllStringSubmatch(string(css), -1) {
		plain[m[1]] = m[2]
	}
	for name, value := range light {
		if plain[name] != value {
			t.Errorf("--%s is %s where light-dark() is known and %s where it is not", name, value, plain[name])
		}
	}
	grounds := []string{"bg", "surface", "sunken"}
	for scheme, colours := range map[string]map[string]string{"light": light, "dark": dark} {
		need := func(ink, ground string, least float64) {
			if got := contrast(colours[ink], colours[ground]); got < least {
				t.Errorf("%s: %s on %s has %.2f, needs %.1f", scheme, ink, ground, got, least)
			}
		}
		for _, ground := range grounds {
			for _, ink := range []string{"text", "text-2", "text-3", "accent", "accent-hover", "ok", "warn", "bad", "lane-short", "lane-long", "lane-sse", "lane-ws"} {
				need(ink, ground, 4.5)
			}
			need("edge", ground, 3)
		}
		for ink, soft := range map[string]string{"text-2": "soft-done", "ok": "soft-good", "accent": "soft-active", "warn": "soft-warn", "bad": "soft-bad"} {
			need(ink, soft, 4.5)
			need("text", soft, 7)
		}
		need("on-accent", "accent", 4.5)
		need("on-accent", "accent-hover", 4.5)
	}
}

func contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(hex string) float64 {
	part := func(i int) float64 {
		n, err := strconv.ParseUint(hex[i:i+2], 16, 8)
		if err != nil {
			return math.NaN()
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(1) + 0.7152*part(3) + 0.0722*part(5)
}
