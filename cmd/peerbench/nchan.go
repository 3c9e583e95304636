package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nchanConfig is nginx as its documentation shows nchan: one location for
// subscribers, one for the publisher.
const nchanConfig = `load_module %s;
daemon off;
pid %[2]s/pid;
error_log %[2]s/error.log;
worker_processes auto;
worker_rlimit_nofile 20000;
events { worker_connections 19900; }
http {
  access_log off;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi;
  scgi_temp_path %[2]s/scgi;
  server {
    listen %[3]s;
    location ~ ^/v1/orders/(\w+)/events$ { nchan_subscriber eventsource; nchan_channel_id $1; }
    location ~ ^/publish/(\w+)$ { nchan_publisher http; nchan_channel_id $1; }
    location = /ready { return 204; }
  }
}
`

// nchan is nginx with its workers, in processes of their own.
type nchan struct {
	on    string
	dir   string
	cmd   *exec.Cmd
	ended chan struct{}
}

// nchanModule finds the module's file.
func nchanModule() (string, error) {
	file := os.Getenv("NCHAN_MODULE")
	if file == "" {
		file = "/usr/lib/nginx/modules/ngx_nchan_module.so"
	}
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("nchan is not installed (Debian: libnginx-mod-nchan; NCHAN_MODULE names its file): %w", err)
	}
	return filepath.Abs(file)
}

func startNchan(ctx context.Context) (_ *nchan, err error) {
	module, err := nchanModule()
	if err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &nchan{on: free.Addr().String(), ended: make(chan struct{})}
	if err := free.Close(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "peerbench-"); err != nil {
		return nil, err
	}
	file := filepath.Join(p.dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nchanConfig, module, p.dir, p.on), 0o600); err != nil {
		return nil, err
	}
	p.cmd = exec.Command("nginx", "-p", p.dir, "-c", file, "-e", filepath.Join(p.dir, "error.log"))
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in its log
	}()
	if err := p.await(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// await returns when nginx answers.
func (p *nchan) await(ctx context.Context) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := p.ask(ctx, http.MethodGet, "/ready", nil)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		select {
		case <-p.ended:
			text, _ := os.ReadFile(filepath.Join(p.dir, "error.log")) // best effort, for the message
			return fmt.Errorf("nginx ended: %s", text)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *nchan) ask(ctx context.Context, method, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.on+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection can be used again
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return nil
}

func (p *nchan) address() string { return p.on }

// pids are the master and its workers.
func (p *nchan) pids() ([]int, error) {
	master := p.cmd.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	if err != nil {
		return nil, err
	}
	list := []int{master}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		list = append(list, pid)
	}
	return list, nil
}

func (p *nchan) publish(ctx context.Context, order string, event []byte) error {
	return p.ask(ctx, http.MethodPost, "/publish/"+order, event)
}

func (p *nchan) close() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-p.ended
	return os.RemoveAll(p.dir)
}
