package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	orm "gorm.io/gorm" // the test of the import table has a gorm of its own

	"tracker/config/dbconn"
)

// alone commits the statements of one creation, recorded from a real one and
// repeated with fresh ids, with nothing else around them.
func (c *benchOrders) alone(ctx context.Context) (*orderWay, func() error, error) {
	return c.statements(ctx, wayAlone, 0)
}

// oneByOne is alone without group commit, which only SQLite's side has.
func (c *benchOrders) oneByOne(ctx context.Context) (*orderWay, func() error, error) {
	if c.DatabaseURL != "" {
		return nil, nil, nil
	}
	return c.statements(ctx, wayOneByOne, 1)
}

// statements repeats them, in commits of at most group; 0 is the usual most.
func (c *benchOrders) statements(ctx context.Context, name string, group int) (*orderWay, func() error, error) {
	db, rec, ids, end, err := c.recorded(ctx, group)
	if err != nil {
		return nil, nil, err
	}
	w := &orderWay{name: name}
	w.slice = c.load(func(i int64) error {
		fresh := ids.fresh(i)
		return db.Write(ctx, func(ctx context.Context, tx *orm.DB) error { return rec.repeat(ctx, tx.Statement.ConnPool, fresh) })
	})
	return w, end, nil
}

// recorded opens a database and records the statements of one order in it.
func (c *benchOrders) recorded(ctx context.Context, group int) (*dbconn.DB, *recorder, known, func() error, error) {
	dir, err := os.MkdirTemp("", "tracker-bench-")
	if err != nil {
		return nil, nil, known{}, nil, err
	}
	db, err := dbconn.Open(ctx, dbconn.Options{URL: c.DatabaseURL, Path: filepath.Join(dir, "tracker.db"), Group: group, Logger: silent()})
	if err != nil {
		return nil, nil, known{}, nil, errors.Join(err, os.RemoveAll(dir))
	}
	end := func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }
	if err := db.Migrate(ctx, migrations(db.Dialect())...); err != nil {
		return nil, nil, known{}, nil, errors.Join(err, end())
	}
	rec := &recorder{DB: db}
	ids, err := rec.record(ctx)
	if err != nil {
		return nil, nil, known{}, nil, errors.Join(err, end())
	}
	return db, rec, ids, end, nil
}

// byPgbench has pgbench, the program that comes with PostgreSQL, commit the same
// statements, prepared, over as many connections.
func (c *benchOrders) byPgbench(ctx context.Context) (_ *orderWay, _ func() error, err error) {
	program := findPgbench()
	if c.DatabaseURL == "" || program == "" {
		return nil, nil, nil
	}
	_, rec, ids, end, err := c.recorded(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	script, err := os.CreateTemp("", "tracker-bench-*.sql")
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	_, err = script.WriteString(rec.script(ids))
	if err = errors.Join(err, script.Close()); err != nil {
		return nil, nil, errors.Join(err, end(), os.Remove(script.Name()))
	}
	round := 0
	w := &orderWay{name: wayByPgbench, slice: func(ctx context.Context, w *orderWay, d time.Duration) error {
		round++
		d = max(d.Round(time.Second), time.Second) // it counts in whole seconds
		rate, err := c.pgbench(ctx, program, script.Name(), round, d)
		w.made += int64(rate * d.Seconds())
		w.time += d
		return err
	}}
	return w, func() error { return errors.Join(end(), os.Remove(script.Name())) }, nil
}

func findPgbench() string {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench") // the pattern is valid
	if len(found) == 0 {
		return ""
	}
	return slices.Max(found)
}

func (c *benchOrders) pgbench(ctx context.Context, program, script string, round int, d time.Duration) (float64, error) {
	cmd := exec.CommandContext(ctx, program, "-n", "-M", "prepared", "-c", strconv.Itoa(c.Clients), "-j", "2", "-T", strconv.Itoa(int(d.Seconds())),
		"-D", "n=0", "-D", "round="+strconv.Itoa(round), "-f", script, c.DatabaseURL)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, text)
	}
	found := regexp.MustCompile(`(?m)^tps = ([0-9.]+)`).FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no rate in\n%s", text)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// script is one transaction for pgbench. The ids are made anew in each: of the
// client, the round and a count, in the length of the recorded ones.
func (r *recorder) script(ids known) string {
	var b strings.Builder
	b.WriteString("\\set n :n + 1\n\\set id (:round * 10000 + :client_id) * 10000000 + :n\nBEGIN;\n")
	for _, s := range r.list {
		text := strings.Join(strings.Fields(s.text), " ")
		for i := len(s.args); i > 0; i-- { // $12 before $1
			text = strings.ReplaceAll(text, "$"+strconv.Itoa(i), ids.literal(s.args[i-1]))
		}
		b.WriteString(text + ";\n")
	}
	b.WriteString("COMMIT;\n")
	return b.String()
}

// literal writes a value as SQL, and ids as expressions. Text goes in hexadecimal
// where it has a colon, which would be a variable to pgbench.
func (k known) literal(value any) string {
	const fresh = "lpad((:id)::text, 26, '0')"
	switch v := value.(type) {
	case nil:
		return "NULL"
	case *int64:
		if v == nil {
			return "NULL"
		}
		return strconv.FormatInt(*v, 10)
	case []byte:
		return `'\x` + hex.EncodeToString(v) + `'::bytea`
	case string:
		for _, known := range []string{k.order, k.event} {
			if before, _, found := strings.Cut(v, known); found {
				return "'" + before + known[:4] + "' || " + fresh
			}
		}
		if v == k.key {
			return "lpad((:id)::text, 64, 'p')"
		}
		if strings.ContainsAny(v, ":'") {
			return `convert_from('\x` + hex.EncodeToString([]byte(v)) + `', 'UTF8')`
		}
		return "'" + v + "'"
	default:
		return fmt.Sprint(v)
	}
}
