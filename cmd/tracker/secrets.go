package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tracker/config"
)

// kept are the secrets that the sandbox makes for itself. They live in the data
// directory, readable by its owner only, so that keys, links and sessions go on
// working after a restart.
type kept struct {
	TokenSecret string `json:"token_secret"`
	BankSecret  string `json:"bank_secret"`
	SandboxKey  string `json:"sandbox_key"`
}

// completeSecrets fills what the environment left empty. Outside the sandbox
// nothing is made up: config has refused to start without the secrets.
func completeSecrets(cfg *config.Config) error {
	if !cfg.Sandbox || (len(cfg.TokenSecrets) > 0 && len(cfg.BankSecrets) > 0 && cfg.SandboxKey != "") {
		return nil
	}
	k, err := loadKept(filepath.Join(cfg.DataDir, "sandbox-secrets.json"))
	if err != nil {
		return err
	}
	if len(cfg.TokenSecrets) == 0 {
		cfg.TokenSecrets = []config.Secret{config.Secret(k.TokenSecret)}
	}
	if len(cfg.BankSecrets) == 0 {
		cfg.BankSecrets = []config.Secret{config.Secret(k.BankSecret)}
	}
	if cfg.SandboxKey == "" {
		cfg.SandboxKey = config.Secret(k.SandboxKey)
	}
	return nil
}

// loadKept reads the file, or makes it. Of two processes that start at once, the
// one whose link comes second takes what the first has made.
func loadKept(file string) (kept, error) {
	var k kept
	text, err := os.ReadFile(file)
	if err == nil {
		err := json.Unmarshal(text, &k)
		if err == nil && (len(k.TokenSecret) < config.MinTokenSecret || k.BankSecret == "" || k.SandboxKey == "") {
			err = errors.New("a secret is missing or too short")
		}
		if err != nil {
			return kept{}, fmt.Errorf("TRACKER_DATA_DIR: %s cannot be used; without it new secrets are made, and links and keys from before end: %w", file, err)
		}
		return k, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return kept{}, fmt.Errorf("TRACKER_DATA_DIR: %w", err)
	}
	k = madeSecrets()
	text, err = json.MarshalIndent(k, "", "  ")
	if err != nil {
		return kept{}, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return kept{}, fmt.Errorf("TRACKER_DATA_DIR: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(file), "sandbox-secrets-*")
	if err != nil {
		return kept{}, fmt.Errorf("TRACKER_DATA_DIR: %w", err)
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(append(text, '\n'))
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err != nil {
		return kept{}, fmt.Errorf("TRACKER_DATA_DIR: %w", err)
	}
	if err := os.Link(draft.Name(), file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return loadKept(file)
		}
		return kept{}, fmt.Errorf("TRACKER_DATA_DIR: %w", err)
	}
	return k, nil
}

func madeSecrets() kept {
	return kept{
		TokenSecret: hex.EncodeToString(randomBytes(32)),
		BankSecret:  "whsec_" + base64.StdEncoding.EncodeToString(randomBytes(32)),
		SandboxKey:  "sk_test_" + hex.EncodeToString(randomBytes(20)),
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic("tracker: no randomness: " + err.Error())
	}
	return b
}
