package eventwire

import (
	"fmt"
	"strings"
)

// Stream is the name of the JetStream stream that holds every feed.
const Stream = "TRACKER"

// Wildcard matches the subjects of all feeds.
const Wildcard = "tracker.>"

// Kind names a sort of feed: one word, singular, as it stands in data.
type Kind string

// The kinds that exist today. A new kind needs a constant here, a prefix for
// its ids, an entry in kinds and a field in payload.
const (
	Orders   Kind = "order"
	Payments Kind = "payment"
)

var kinds = []struct {
	kind   Kind
	plural string
	prefix string
}{
	{Orders, "orders", PrefixOrder},
	{Payments, "payments", PrefixPayment},
}

// Plural is the kind's word in URLs and subjects ("orders"), or "" for a kind
// that does not exist.
func (k Kind) Plural() string {
	for _, e := range kinds {
		if e.kind == k {
			return e.plural
		}
	}
	return ""
}

// ValidID reports whether id can be the id of a resource of this kind.
func (k Kind) ValidID(id string) bool {
	for _, e := range kinds {
		if e.kind == k {
			return ValidID(e.prefix, id)
		}
	}
	return false
}

// Kinds lists every kind.
func Kinds() []Kind {
	list := make([]Kind, len(kinds))
	for i, e := range kinds {
		list[i] = e.kind
	}
	return list
}

// Key names one feed: whose it is, of which kind, and which.
type Key struct {
	Merchant string
	Kind     Kind
	ID       string
}

// Subject is the NATS subject of the feed: tracker.<kinds>.<merchant>.<id>.
func (k Key) Subject() string {
	return "tracker." + k.Kind.Plural() + "." + k.Merchant + "." + k.ID
}

// KindWildcard matches the subjects of all feeds of one kind.
func KindWildcard(k Kind) string { return "tracker." + k.Plural() + ".>" }

// MerchantWildcards match the subjects of all feeds of one merchant.
func MerchantWildcards(merchant string) []string {
	list := make([]string, len(kinds))
	for i, e := range kinds {
		list[i] = "tracker." + e.plural + "." + merchant + ".>"
	}
	return list
}

// AskSubject is where the owner of a kind answers requests for the newest event
// of a feed that the stream no longer holds. It lies outside [Wildcard].
func AskSubject(k Kind) string { return "ask." + k.Plural() }

// ParseSubject is the inverse of [Key.Subject].
func ParseSubject(subject string) (Key, error) {
	part := strings.Split(subject, ".")
	if len(part) == 4 && part[0] == "tracker" {
		for _, e := range kinds {
			if e.plural == part[1] && ValidID(PrefixMerchant, part[2]) && ValidID(e.prefix, part[3]) {
				return Key{Merchant: part[2], Kind: e.kind, ID: part[3]}, nil
			}
		}
	}
	return Key{}, fmt.Errorf("eventwire: %q is not the subject of a feed", subject)
}
