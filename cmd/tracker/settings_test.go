package main

import (
	"testing"

	"tracker/config"
)

func TestSettings_have_a_flag_for_every_variable(t *testing.T) {
	t.Parallel()
	flags := settings{}.given()
	for _, v := range config.Variables() {
		if _, ok := flags[v.Name]; !ok {
			t.Errorf("%s has no flag", v.Name)
		}
		delete(flags, v.Name)
	}
	for name := range flags {
		t.Errorf("a flag stands for %s, which does not exist", name)
	}
}

func TestSettings_flag_beats_variable(t *testing.T) {
	t.Parallel()
	env := map[string]string{"TRACKER_SANDBOX": "true", "TRACKER_ADDR": "127.0.0.1:1", "TRACKER_BANK_ADDR": "127.0.0.1:2"}
	cfg, err := settings{Addr: "127.0.0.1:3"}.load(func(name string) string { return env[name] })
	if err != nil || cfg.Addr != "127.0.0.1:3" || cfg.BankAddr != "127.0.0.1:2" {
		t.Errorf("%v: %s, %s", err, cfg.Addr, cfg.BankAddr)
	}
}
