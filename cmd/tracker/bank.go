package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"tracker/config"
	"tracker/payments/sandboxbank"
)

// bankCommand runs the sandbox bank as a process of its own.
type bankCommand struct {
	Addr       string `placeholder:"HOST:PORT" help:"${bank_addr_help}"`
	BankSecret string `placeholder:"SECRET" help:"${bank_secret_help}"`
	DataDir    string `placeholder:"DIR" help:"${data_dir_help}"`
	PublicURL  string `name:"public-url" placeholder:"URL" help:"Where shoppers reach the bank. Empty: the host that each request names."`
}

// Run serves until ctx ends.
func (c *bankCommand) Run(ctx context.Context, out *console) error {
	given := settings{BankAddr: c.Addr, BankSecret: c.BankSecret, DataDir: c.DataDir, Sandbox: "true"}
	cfg, err := given.load(out.getenv)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("TRACKER_DATA_DIR cannot be made: %w", err)
	}
	if err := completeSecrets(&cfg); err != nil {
		return err
	}
	bank, err := newBank(cfg, c.PublicURL, newLogger(out.stderr, cfg.LogLevel), time.Now)
	if err != nil {
		return err
	}
	defer bank.Close()
	listener, err := net.Listen("tcp", cfg.BankAddr)
	if err != nil {
		return fmt.Errorf("TRACKER_BANK_ADDR: %w", err)
	}
	fmt.Fprintf(out.stdout, "The sandbox bank is at http://%s\n", listener.Addr())
	return serveBank(ctx, bank, listener)
}

func serveBank(ctx context.Context, bank *sandboxbank.Bank, listener net.Listener) error {
	srv := bankServer(bank)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return bank.Run(ctx) })
	group.Go(func() error {
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		if srv.Shutdown(last) != nil {
			return srv.Close() // somebody keeps a connection open, which is no failure of ours
		}
		return nil
	})
	return group.Wait()
}

func newBank(cfg config.Config, public string, log *slog.Logger, now func() time.Time) (*sandboxbank.Bank, error) {
	bank, err := sandboxbank.New(sandboxbank.Options{
		Secrets: reveal(cfg.BankSecrets), Path: filepath.Join(cfg.DataDir, "bank.journal"), PublicURL: public, Now: now, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("sandbox bank: %w", err)
	}
	return bank, nil
}

func bankServer(bank *sandboxbank.Bank) *http.Server {
	return &http.Server{Handler: bank, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
}
