package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const deployDir = root + "/config/deploy"

// upstreams are the addresses of the processes of each role.
type upstreams struct{ orders, payments, notify, web []string }

// allIn is one process with every role.
func allIn(addr string) upstreams {
	one := []string{addr}
	return upstreams{one, one, one, one}
}

// edge is an nginx that the test has started.
type edge struct {
	dir            string
	plain, secure  string // http://127.0.0.1:… and https://127.0.0.1:…
	client         *http.Client
	access, errors string // the log files
}

// startEdge runs config/deploy/nginx.conf with addresses and folders of the
// test's own; change may alter more.
func startEdge(t *testing.T, to upstreams, change ...string) *edge {
	t.Helper()
	e := newEdge(t)
	text, err := os.ReadFile(filepath.Join(deployDir, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(e.dir, "etc", "errors"), os.DirFS(filepath.Join(deployDir, "errors"))); err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	for name, list := range map[string][]string{"1": to.orders, "2": to.payments, "3": to.notify, "4": to.web} {
		server := regexp.MustCompile(`server 10\.0\.` + name + `\.\d:8080 (.*)\n`)
		settings := server.FindStringSubmatch(conf)[1]
		first := true
		conf = server.ReplaceAllStringFunc(conf, func(string) string {
			if !first {
				return "\n"
			}
			first = false
			lines := ""
			for _, addr := range list {
				lines += "server " + addr + " " + settings + "\n"
			}
			return lines
		})
	}
	e.conf(t, conf, append([]string{
		"listen 80;", "listen " + freeAddr(t) + ";",
		"listen 443 ssl", "listen " + strings.TrimPrefix(e.secure, "https://") + " ssl",
		"listen 127.0.0.1:8000;", "listen " + strings.TrimPrefix(e.plain, "http://") + ";",
		"worker_processes auto;", "worker_processes 2;", "worker_rlimit_nofile 200000;", "", "worker_connections 50000;", "worker_connections 4096;",
		"/etc/nginx/", e.dir + "/etc/", "root /etc/nginx;", "root " + e.dir + "/etc;", "/var/log/nginx/", e.dir + "/log/", "/var/lib/nginx/", e.dir + "/tmp/",
	}, change...))
	e.run(t)
	return e
}

// newEdge makes the folders, the addresses and the certificate.
func newEdge(t *testing.T) *edge {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // the workers of a master that is root have an account of their own
		t.Fatal(err)
	}
	for _, name := range []string{"etc/tls", "log", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pool := certificate(t, filepath.Join(dir, "etc/tls/tracker.crt"), filepath.Join(dir, "etc/tls/tracker.key"))
	return &edge{
		dir: dir, plain: "http://" + freeAddr(t), secure: "https://" + freeAddr(t), access: filepath.Join(dir, "log/access.log"), errors: filepath.Join(dir, "log/error.log"),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}},
	}
}

// conf writes the configuration, with what must be the test's own put in place.
// Each text that is to be replaced has to be there: a test of a file that has
// moved on would test nothing.
func (e *edge) conf(t *testing.T, conf string, replace []string) {
	t.Helper()
	for i := 0; i+1 < len(replace); i += 2 {
		if !strings.Contains(conf, replace[i]) {
			t.Fatalf("the configuration has no %q", replace[i])
		}
	}
	conf = strings.NewReplacer(replace...).Replace(conf)
	unused := "http {\n"
	for _, name := range []string{"fastcgi", "uwsgi", "scgi"} { // nginx makes these folders even if nothing uses them
		unused += fmt.Sprintf("%s_temp_path %s/tmp/%s;\n", name, e.dir, name)
	}
	conf = strings.Replace(conf, "http {\n", unused, 1)
	if err := os.WriteFile(filepath.Join(e.dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run starts nginx and waits until it answers. It ends with the test.
func (e *edge) run(t *testing.T) {
	t.Helper()
	output := &logBuffer{}
	cmd := exec.Command("nginx", "-p", e.dir, "-c", filepath.Join(e.dir, "nginx.conf"), "-e", e.errors, "-g", "daemon off; pid "+e.dir+"/nginx.pid;")
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatalf("nginx is needed, make test installs it: %v", err)
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-done
		e.client.CloseIdleConnections()
	})
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.plain, "http://"))
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-done:
			text, _ := os.ReadFile(e.errors)
			t.Fatalf("nginx ended at once:\n%s%s", output, text)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not answer:\n%s", output)
		}
	}
}

// behind is the program as it is reached through the edge.
func (e *edge) behind(t *testing.T, p *program) *program {
	through := *p
	through.t, through.public, through.cmd = t, e.plain, nil
	return &through
}

// certificate writes a self-signed certificate for 127.0.0.1 and returns who
// trusts it.
func certificate(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, public, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	return pool
}

// visit makes a request with headers and returns status, head and body.
func visit(t *testing.T, client *http.Client, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}
