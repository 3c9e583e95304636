package config_test

import (
	"slices"
	"testing"

	"tracker/config"
)

func TestUnknown_finds_what_is_misspelt(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PATH=/bin", "TRACKER_DATABSE_URL=postgres://x", "TRACKER_KEY=sk", "TRACKER_URL=http://x", "TRACKER_ROLE=web", "TRACKER",
		"TRACKER_PORT=tcp://10.0.0.1:80", "TRACKER_PORT_80_TCP_ADDR=10.0.0.1", "TRACKER_WEB_SERVICE_HOST=10.0.0.1", "TRACKER_SERVICE_PORT_HTTP=80",
	}
	for _, v := range config.Variables() {
		environ = append(environ, v.Name+"=")
	}
	if got, want := config.Unknown(environ), []string{"TRACKER_DATABSE_URL", "TRACKER_ROLE"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
