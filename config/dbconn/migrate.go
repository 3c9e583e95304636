package dbconn

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// MigrationSet is the schema of one package: numbered goose files at the root of
// FS. Its versions are kept in the table <Name>_migrations.
type MigrationSet struct {
	Name string
	FS   fs.FS
}

// migrateSets brings every set up to date on a pool that may be closed afterwards.
func migrateSets(ctx context.Context, dialect goose.Dialect, pool *sql.DB, sets []MigrationSet) error {
	for _, set := range sets {
		provider, err := goose.NewProvider(dialect, pool, set.FS,
			goose.WithTableName(set.Name+"_migrations"),
			goose.WithDisableGlobalRegistry(true),
			goose.WithSlog(slog.New(slog.DiscardHandler)))
		if err != nil {
			return fmt.Errorf("dbconn: migrations of %s: %w", set.Name, err)
		}
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("dbconn: migrate %s: %w", set.Name, err)
		}
	}
	return nil
}
