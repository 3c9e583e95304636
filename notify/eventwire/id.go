package eventwire

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// Prefixes of the ids of each kind of thing.
const (
	PrefixOrder    = "ord_"
	PrefixPayment  = "pay_"
	PrefixRefund   = "ref_"
	PrefixShipment = "shp_"
	PrefixEvent    = "evt_"
	PrefixMerchant = "mer_"
	PrefixEndpoint = "whe_"
)

const idLength = 26 // 128 bits in base32

var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns a fresh id: prefix and 26 characters of a UUIDv7 (RFC 9562
// section 5.7) made at now. Safe for concurrent use. It panics only when the
// system's random source fails, after which nothing secret could be made anyway.
func NewID(prefix string, now time.Time) string {
	var b [16]byte
	if _, err := rand.Read(b[6:]); err != nil {
		panic("eventwire: no randomness: " + err.Error())
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return prefix + crockford.EncodeToString(b[:])
}

// EventID is the id of the event that carries a resource to sequence seq: the
// same whenever and wherever it is computed.
func EventID(resource string, seq int64) string {
	sum := sha256.Sum256([]byte(resource + "/" + strconv.FormatInt(seq, 10)))
	return PrefixEvent + crockford.EncodeToString(sum[:16])
}

// ValidID reports whether id is prefix and 26 characters of the id alphabet.
// Only such ids may become part of a NATS subject.
func ValidID(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) != idLength {
		return false
	}
	for i := range len(rest) {
		c := rest[i]
		digit := c >= '0' && c <= '9'
		letter := c >= 'a' && c <= 'z' && c != 'i' && c != 'l' && c != 'o' && c != 'u'
		if !digit && !letter {
			return false
		}
	}
	return true
}
