package main

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"tracker/config"
)

// survey is what a process says that will not start, for what config found in its
// settings: all of that, and whatever else is wrong with those that can be tried.
func survey(ctx context.Context, cfg config.Config, log *slog.Logger, found error) error {
	p := &process{cfg: cfg, log: log, now: time.Now}
	defer p.close()
	return p.surveyed(ctx, unheard(found, p.listen(), checkSettings(cfg), p.lock()))
}

// surveyed adds the database and the broker outside, where their own settings are
// in order. Nothing is migrated, and nobody is let in.
func (p *process) surveyed(ctx context.Context, found error) error {
	if p.cfg.DatabaseURL != "" && !strings.Contains(found.Error(), "TRACKER_DATABASE") {
		db, err := connectDatabase(ctx, p.cfg, p.log, p.now)
		found = unheard(found, err)
		if err == nil {
			p.report("close the database", db.Close())
		}
	}
	if p.cfg.NATSURL != "" && !strings.Contains(found.Error(), "TRACKER_NATS") {
		bus, err := openBus(ctx, p.cfg, p.log)
		found = unheard(found, err)
		if err == nil {
			p.report("close the bus", bus.Close())
		}
	}
	return found
}

// unheard joins to found what is wrong with variables that it does not name yet:
// an address that makes no sense cannot be listened on either.
func unheard(found error, more ...error) error {
	variable := regexp.MustCompile(`TRACKER_[A-Z_]+`)
	heard := map[string]bool{}
	for _, one := range singly(found) {
		heard[variable.FindString(one.Error())] = true
	}
	for _, one := range singly(errors.Join(more...)) {
		if !heard[variable.FindString(one.Error())] {
			found = errors.Join(found, one)
		}
	}
	return found
}

// singly takes apart what was joined.
func singly(err error) (list []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		list = append(list, singly(one)...)
	}
	return list
}
