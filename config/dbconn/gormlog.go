package dbconn

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

const slowStatement = 250 * time.Millisecond

// gormConfig is the same for both databases. No prepared statements by gorm: its
// store can stop a process on a pool of one connection (go-gorm/gorm#7465).
func gormConfig(o Options) *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		DisableAutomaticPing:   true,
		NowFunc:                func() time.Time { return o.Now().UTC().Truncate(time.Millisecond) },
		Logger:                 gormLog{o.Logger},
	}
}

// gormLog brings gorm's log to slog, without any parameter of a statement.
// Errors are the caller's to report; here they only help who debugs.
type gormLog struct{ log *slog.Logger }

var (
	_ logger.Interface  = gormLog{}
	_ gorm.ParamsFilter = gormLog{}
)

// LogMode changes nothing: the level is slog's.
func (l gormLog) LogMode(logger.LogLevel) logger.Interface { return l }

func (l gormLog) Info(ctx context.Context, msg string, _ ...any)  { l.log.DebugContext(ctx, msg) }
func (l gormLog) Warn(ctx context.Context, msg string, _ ...any)  { l.log.WarnContext(ctx, msg) }
func (l gormLog) Error(ctx context.Context, msg string, _ ...any) { l.log.ErrorContext(ctx, msg) }

// Trace reports slow statements. It asks for the text only when it is needed,
// because making it is expensive.
func (l gormLog) Trace(ctx context.Context, begin time.Time, fc func() (string, int64), err error) {
	took := time.Since(begin)
	level, msg := slog.LevelDebug, "statement"
	if took > slowStatement {
		level, msg = slog.LevelWarn, "slow statement"
	}
	if !l.log.Enabled(ctx, level) {
		return
	}
	query, rows := fc()
	l.log.Log(ctx, level, msg, "sql", query, "rows", rows, "took", took, "failed", err != nil)
}

// ParamsFilter keeps values out of the logged text.
func (gormLog) ParamsFilter(_ context.Context, query string, _ ...any) (string, []any) {
	return query, nil
}
