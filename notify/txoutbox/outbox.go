package txoutbox

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"gorm.io/gorm"

	"tracker/notify/eventwire"
)

// Name is the name of this package's set of migrations.
const Name = "txoutbox"

// Message is one message for the stream.
type Message struct {
	Subject string
	ID      string // the event id, by which the stream drops repetitions
	Body    []byte
}

// Publisher is the stream. Publish stores all messages, those of one subject in
// the order given, ignoring ids it has seen lately, and returns nil once every
// one of them is acknowledged. After an error any of them may be stored; the
// relay then publishes all of them again.
type Publisher interface {
	Publish(ctx context.Context, messages []Message) error
}

// MaxBody is the longest message that Append accepts, in bytes. A message that the
// stream must refuse would hold up all others, so it is refused before it exists.
const MaxBody = 512 << 10

// announcer is implemented by the connections of dbconn: an announced
// transaction wakes the relays once it is committed.
type announcer interface{ Announce() }

//go:embed migrations
var migrations embed.FS

// Migrations is the schema of the outbox for dialect "sqlite" or "postgres", for
// goose. It panics on any other dialect, which is a mistake in the program.
func Migrations(dialect string) fs.FS { return Schema(migrations, dialect) }

// Append writes events into the outbox in the caller's transaction: they are
// announced when it commits, and never otherwise. Append them after the
// compare-and-set of their resource, so that a later transition cannot get ahead
// of an earlier one. A resource and sequence that is there already is
// gorm.ErrDuplicatedKey.
func Append(tx *gorm.DB, events ...eventwire.Event) error {
	for _, e := range events {
		if e.Trace == "" {
			e.Trace = eventwire.TraceOf(tx.Statement.Context)
		}
		body, err := e.Encode()
		if err != nil {
			return fmt.Errorf("txoutbox: append %s: %w", e.ID, err)
		}
		if len(body) > MaxBody {
			return fmt.Errorf("txoutbox: append %s: %d bytes are more than %d", e.ID, len(body), MaxBody)
		}
		if _, err := eventwire.ParseSubject(e.Key().Subject()); err != nil {
			return fmt.Errorf("txoutbox: append %s: %w", e.ID, err)
		}
		const insert = `INSERT INTO outbox (event_id, subject, resource, seq, body, created_at) VALUES (?, ?, ?, ?, ?, ?)`
		created := tx.NowFunc().UnixMilli()
		if err := tx.Exec(insert, e.ID, e.Key().Subject(), e.Subject, e.Seq, body, created).Error; err != nil {
			return fmt.Errorf("txoutbox: append %s: %w", e.ID, err)
		}
	}
	if a, ok := tx.Statement.ConnPool.(announcer); ok && len(events) > 0 {
		a.Announce()
	}
	return nil
}
