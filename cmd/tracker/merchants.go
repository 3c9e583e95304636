package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tracker/web/apikeys"
	"tracker/web/apikeys/apikeysdb"
)

// merchantsCommand groups what an operator does with merchants, on the
// database itself: the first key of a merchant cannot be asked of the API.
type merchantsCommand struct {
	Create merchantCreate `cmd:"" help:"Make a merchant and its first key, on this machine's database."`
}

type merchantCreate struct {
	Name string `arg:"" help:"What shoppers read, such as \"Kiln & Clay\"."`
	Live bool   `help:"For real money. Default: a test merchant."`
	JSON bool   `name:"json" help:"Print JSON, for scripts."`
	settings
}

// Help is the longer help of the command.
func (merchantCreate) Help() string {
	return `It needs the settings of the server: TRACKER_TOKEN_SECRET, and
TRACKER_DATABASE_URL or TRACKER_DATA_DIR. Further keys come from "tracker keys
create" or POST /v1/keys. A merchant's test side and live side are two merchants:
neither key reaches the other's data.`
}

// Run makes both and prints the key, once.
func (c *merchantCreate) Run(ctx context.Context, out *console) error {
	cfg, err := c.load(out.getenv)
	if err != nil {
		return err
	}
	log := newLogger(out.stderr, cfg.LogLevel)
	warnOfUnknown(ctx, log)
	if err := checkReach(cfg); err != nil {
		return err
	}
	if haveDatabase(cfg) != nil {
		log.WarnContext(ctx, "there was no database; one is made", "directory", cfg.DataDir)
	}
	if err := completeSecrets(&cfg); err != nil {
		return err
	}
	db, err := openDatabase(ctx, cfg, log, time.Now)
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := apikeys.NewService(apikeysdb.New(db), apikeys.Options{Secrets: reveal(cfg.TokenSecrets)})
	if err != nil {
		return err
	}
	mode := apikeys.Test
	if c.Live {
		mode = apikeys.Live
	}
	m, err := keys.CreateMerchant(ctx, c.Name, mode)
	if err != nil {
		return err
	}
	raw, _, err := keys.Create(ctx, apikeys.NewKey{Merchant: m.ID, Name: "first key"})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(out.stdout).Encode(map[string]any{"id": m.ID, "name": m.Name, "mode": mode, "secret": raw})
	}
	fmt.Fprintf(out.stdout, "%s\n\n  merchant  %s (%s, %s)\nThe key is not shown again.\n", raw, m.ID, m.Name, mode)
	return nil
}
