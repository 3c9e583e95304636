package natsbus

import (
	"log/slog"
	"time"
)

// Options say where the stream is. The zero value of all but StoreDir is what an
// embedded server wants.
type Options struct {
	URL      string // nats://…, several with commas; empty embeds a server
	StoreDir string // of the embedded server
	Name     string // of this process, as the server shows it

	CredentialsFile string // of an outside server: NATS user credentials
	RootCAFile      string // what its certificate is checked against, if not the system's
	CertFile        string // our certificate, where it asks for one
	KeyFile         string

	Logger *slog.Logger // default slog.Default

	Replicas       int           // of the stream, default 1; an outside cluster wants 3
	MaxAge         time.Duration // how long messages are kept, default 30 days
	MaxBytes       int64         // how much the stream may hold, default no limit
	PerSubject     int64         // how many messages of a feed are kept, default 64
	MemoryBytes    int64         // what the embedded server may keep in memory streams, default 64 MiB
	SyncInterval   time.Duration // of the embedded server's files, default 10 s
	Timeout        time.Duration // of one request to the server, default 5 s
	ReactorWorkers int           // how many events one React handles at a time, default 16
	AckWait        time.Duration // after which a silent reactor's event goes to another, default 10 s
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	setDefault(&o.Name, "tracker")
	setDefault(&o.Replicas, 1)
	setDefault(&o.MaxAge, 30*24*time.Hour)
	setDefault(&o.MaxBytes, -1)
	setDefault(&o.PerSubject, 64)
	setDefault(&o.MemoryBytes, 64<<20)
	setDefault(&o.SyncInterval, 10*time.Second)
	setDefault(&o.Timeout, 5*time.Second)
	setDefault(&o.ReactorWorkers, 16)
	setDefault(&o.AckWait, 10*time.Second)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
