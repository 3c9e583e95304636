package notify_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nginx is a real proxy as people leave it: buffering on, gzip on for
// everything we send, time-outs as they come.
var behindNginx = way{name: "nginx", parked: true, path: "parked", serve: serveNginx}

const nginxConfig = `
daemon off; master_process off; pid nginx.pid; error_log stderr error; worker_processes 1;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  gzip on; gzip_min_length 1; gzip_types text/event-stream application/json;
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  server {
    listen unix:SOCKET;
    location / {
      proxy_pass BACKEND; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }
  }
}
`

func serveNginx(t testing.TB, h http.Handler) (string, *http.Client) {
	backend := httptest.NewServer(h)
	t.Cleanup(backend.Close)
	dir, err := os.MkdirTemp("", "nginx") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "sock")
	text := strings.NewReplacer("SOCKET", socket, "BACKEND", backend.URL).Replace(nginxConfig)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := exec.Command("nginx", "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	program.Stderr = os.Stderr
	if err := program.Start(); err != nil {
		t.Fatalf("nginx is needed: %v", err)
	}
	t.Cleanup(func() {
		_ = program.Process.Signal(syscall.SIGTERM)
		_ = program.Wait()
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	until(t, "nginx listens", func() bool {
		conn, err := dial(context.Background(), "", "")
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return "http://tracker.test", &http.Client{Transport: transport}
}
