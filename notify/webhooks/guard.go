package webhooks

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// BlockedAddressError says that a name led to an address that webhooks must not
// reach.
type BlockedAddressError struct{ Address netip.Addr }

func (e *BlockedAddressError) Error() string {
	return fmt.Sprintf("webhooks: %s is not a public address", e.Address)
}

// Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// notPublic lists what the address family's own predicates do not cover: special
// ranges of the IANA registries, and the IPv6 ranges that carry an IPv4 address,
// behind which anything can hide.
func notPublic() []netip.Prefix {
	list := []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fec0::/10",
	}
	prefixes := make([]netip.Prefix, len(list))
	for i, text := range list {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// guard decides which addresses may be dialled.
type guard struct {
	allowPrivate bool
	blocked      []netip.Prefix
}

func newGuard(allowPrivate bool) guard { return guard{allowPrivate, notPublic()} }

// check refuses loopback, private, link-local (where clouds keep their
// metadata), multicast, unspecified and special addresses.
func (g guard) check(a netip.Addr) error {
	if g.allowPrivate {
		return nil
	}
	plain := a.Unmap().WithZone("")
	bad := !plain.IsValid() || !plain.IsGlobalUnicast() || plain.IsPrivate() || plain.IsLoopback()
	for _, p := range g.blocked {
		bad = bad || p.Contains(plain)
	}
	if bad {
		return &BlockedAddressError{Address: plain}
	}
	return nil
}

// control runs after the name was resolved and before connect(2): it sees the
// address that is really dialled, so a name that changes between a check and the
// connection gains nothing.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("webhooks: cannot read the address dialled: %w", err)
	}
	return g.check(ap.Addr())
}

// checkURL tells at once what every attempt would run into. A name that does not
// resolve now is accepted: it may resolve later, and the attempts will tell.
func (g guard) checkURL(ctx context.Context, raw string, r Resolver) *InvalidError {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURL:
		return invalid("/url", "too_long", fmt.Sprintf("at most %d bytes", maxURL))
	case err != nil || u.Hostname() == "":
		return invalid("/url", "invalid_url", "must be an absolute URL such as https://example.com/webhooks")
	case u.Scheme != "https" && !(u.Scheme == "http" && g.allowPrivate):
		return invalid("/url", "https_required", "must begin with https://")
	case u.User != nil || u.Fragment != "":
		return invalid("/url", "invalid_url", "must have no user, password or fragment")
	}
	if err := checkHost(u); err != nil || g.allowPrivate {
		return err
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return g.explain(a)
	}
	return g.checkName(ctx, strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), r)
}

// checkHost refuses what is neither a name nor an address in its usual form. Some
// resolvers take 2130706433, 0x7f.1 or ①②⑦.0.0.1 for an address: whoever writes so
// hides something or has made a mistake.
func checkHost(u *url.URL) *InvalidError {
	host := u.Hostname()
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return invalid("/url", "invalid_url", "must have a port from 1 to 65535, or none")
		}
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return invalid("/url", "invalid_url", "must have an ASCII host: write an international name in its xn-- form")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		return invalid("/url", "invalid_url", "must have a host name, or an address in full such as 203.0.113.7")
	}
	return nil
}

func (g guard) checkName(ctx context.Context, host string, r Resolver) *InvalidError {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	list, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, a := range list {
		if err := g.explain(a); err != nil {
			return err
		}
	}
	return nil
}

func (g guard) explain(a netip.Addr) *InvalidError {
	if g.check(a) != nil {
		return invalid("/url", "address_not_public", "leads to an address that is not public")
	}
	return nil
}

const (
	maxURL        = 2048
	lookupTimeout = 2 * time.Second
)

// newClient builds the HTTP client of all attempts. It has no proxy, which would
// dial in our stead, and follows no redirect, which would lead elsewhere.
// A connection may take a third of an attempt's time, so that a host that does
// not exist does not hold a slot for all of it.
func newClient(g guard, perHost int, timeout time.Duration) *http.Client {
	dialTimeout := timeout / 3
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: g.control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			IdleConnTimeout:        60 * time.Second,
			MaxIdleConns:           1000,
			MaxIdleConnsPerHost:    perHost,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // an excerpt should be what was sent, and no bomb
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
