package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	broker "github.com/nats-io/nats-server/v2/server" // package main has a server of its own
)

// mistake is a configuration that cannot work, and what has to be said of it.
type mistake struct {
	name string
	env  func(t *testing.T, dir string) map[string]string
	says []string // each of them
}

func mistakes() []mistake {
	return []mistake{
		{"secrets are missing outside the sandbox", env("TRACKER_SANDBOX", "false", "TRACKER_BANK_URL", "http://127.0.0.1:1", "TRACKER_STRIPE_KEY", "hunter2"),
			[]string{"TRACKER_TOKEN_SECRET must be set", "TRACKER_BANK_SECRET must be set", "TRACKER_STRIPE_WEBHOOK_SECRET must be set"}},
		{"a port in use, twice", func(t *testing.T, _ string) map[string]string {
			return map[string]string{"TRACKER_ADDR": taken(t), "TRACKER_ADMIN_ADDR": taken(t)}
		}, []string{"TRACKER_ADDR cannot be used", "TRACKER_ADMIN_ADDR cannot be used", "address already in use"}},
		{"everything on this machine at once", func(t *testing.T, dir string) map[string]string {
			return map[string]string{"TRACKER_BANK_ADDR": taken(t), "TRACKER_DATA_DIR": file(t, dir, "plain", "") + "/data",
				"TRACKER_TLS_CERT": filepath.Join(dir, "none.crt"), "TRACKER_TLS_KEY": filepath.Join(dir, "none.key"), "TRACKER_NATS_CA": file(t, dir, "ca.pem", "no certificate"), "TRACKER_NATS_CREDENTIALS": filepath.Join(dir, "none.creds")}
		}, []string{"TRACKER_BANK_ADDR cannot be used", "TRACKER_DATA_DIR cannot be made", "TRACKER_TLS_CERT and TRACKER_TLS_KEY cannot be used", "TRACKER_NATS_CA", "holds no certificate", "TRACKER_NATS_CREDENTIALS cannot be read"}},
		{"the addresses are those of nobody", func(t *testing.T, _ string) map[string]string {
			return map[string]string{"TRACKER_NATS_URL": "nats://u:hunter2@" + freeAddr(t), "TRACKER_DATABASE_URL": "postgres://u:hunter2@" + freeAddr(t) + "/tracker?sslmode=disable"}
		}, []string{"TRACKER_NATS_URL", "TRACKER_DATABASE_URL", "connection refused"}},
		{"no such database", func(t *testing.T, _ string) map[string]string {
			return map[string]string{"TRACKER_DATABASE_URL": strings.Replace(postgresURL(t), "?", "_not?", 1)}
		}, []string{"TRACKER_DATABASE_URL", "does not exist"}},
		{"two databases", env("TRACKER_DATABASE_URL", "postgres://a:hunter2@127.0.0.1/x,postgres://b:hunter2@127.0.0.1/y"), []string{"TRACKER_DATABASE_URL names more than one database"}},
		{"a way to listen to no database", env("TRACKER_DATABASE_LISTEN_URL", "postgres://u:hunter2@127.0.0.1:1/x"), []string{"TRACKER_DATABASE_LISTEN_URL needs TRACKER_DATABASE_URL"}},
		{"a file in the place of the database", func(t *testing.T, dir string) map[string]string {
			file(t, dir, "tracker.db", "hunter2, and no database")
			return map[string]string{"TRACKER_DATA_DIR": dir}
		}, []string{"TRACKER_DATA_DIR: ", "tracker.db"}},
		{"what is kept is too short, and says so together", env("TRACKER_STREAM_MAX_AGE", "1m", "TRACKER_STREAM_MAX_BYTES", "1", "TRACKER_OUTBOX_RETENTION", "0"),
			[]string{"TRACKER_STREAM_MAX_AGE must be 1h0m0s or more", "TRACKER_STREAM_MAX_BYTES must be 64 MiB or more", "TRACKER_OUTBOX_RETENTION must be 10m0s or more"}},
		{"the broker keeps no streams", func(t *testing.T, _ string) map[string]string {
			return map[string]string{"TRACKER_NATS_URL": startBroker(t, &broker.Options{})}
		}, []string{"TRACKER_NATS_URL", "JetStream is not enabled"}},
		{"the broker does not know us", func(t *testing.T, _ string) map[string]string {
			return map[string]string{"TRACKER_NATS_URL": startBroker(t, &broker.Options{Username: "tracker", Password: "right"})}
		}, []string{"TRACKER_NATS_URL", "Authorization Violation"}},
		{"the broker's certificate is from a stranger", func(t *testing.T, dir string) map[string]string {
			crt, key := filepath.Join(dir, "b.crt"), filepath.Join(dir, "b.key")
			certificate(t, crt, key)
			tls, err := broker.GenTLSConfig(&broker.TLSConfigOpts{CertFile: crt, KeyFile: key})
			if err != nil {
				t.Fatal(err)
			}
			certificate(t, filepath.Join(dir, "other.crt"), filepath.Join(dir, "other.key"))
			return map[string]string{"TRACKER_NATS_URL": startBroker(t, &broker.Options{TLSConfig: tls, TLS: true}), "TRACKER_NATS_CA": filepath.Join(dir, "other.crt")}
		}, []string{"TRACKER_NATS_CA does not vouch", "TRACKER_NATS_URL"}},
		{"certificate and key do not belong together", func(t *testing.T, dir string) map[string]string {
			certificate(t, filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key"))
			certificate(t, filepath.Join(dir, "b.crt"), filepath.Join(dir, "b.key"))
			return map[string]string{"TRACKER_TLS_CERT": filepath.Join(dir, "a.crt"), "TRACKER_TLS_KEY": filepath.Join(dir, "b.key")}
		}, []string{"TRACKER_TLS_CERT", "TRACKER_TLS_KEY", "private key does not match"}},
		{"settings that make no sense, beside all the others", func(t *testing.T, dir string) map[string]string {
			return map[string]string{"TRACKER_SANDBOX": "false", "TRACKER_ADMIN_ADDR": "nowhere", "TRACKER_ADDR": taken(t), "TRACKER_NATS_URL": "nats://u:hunter2@" + freeAddr(t), "TRACKER_DATABASE_URL": "postgres://u:hunter2@" + freeAddr(t) + "/tracker",
				"TRACKER_TLS_CERT": file(t, dir, "a.crt", "hello"), "TRACKER_TLS_KEY": file(t, dir, "a.key", "hello")}
		}, []string{"TRACKER_TOKEN_SECRET must be set", "TRACKER_ADMIN_ADDR must be host:port", "TRACKER_ADDR cannot be used", "TRACKER_TLS_CERT and TRACKER_TLS_KEY cannot be used", "TRACKER_NATS_URL: ", "TRACKER_DATABASE_URL: "}},
		{"a part of the product that nobody can complete", env("TRACKER_ROLES", "payments,web"),
			[]string{"TRACKER_ROLES leaves out orders and notify", "set TRACKER_DATABASE_URL and TRACKER_NATS_URL"}},
		{"secrets that were cut off", func(t *testing.T, dir string) map[string]string {
			file(t, dir, "sandbox-secrets.json", `{"token_secret": "hunter2`)
			return map[string]string{"TRACKER_DATA_DIR": dir}
		}, []string{"TRACKER_DATA_DIR: ", "sandbox-secrets.json"}},
		{"secrets of which one is missing", func(t *testing.T, dir string) map[string]string {
			file(t, dir, "sandbox-secrets.json", `{"token_secret": "hunter2hunter2hunter2hunter2hunter2hunter2", "bank_secret": ""}`)
			return map[string]string{"TRACKER_DATA_DIR": dir}
		}, []string{"TRACKER_DATA_DIR: ", "sandbox-secrets.json", "missing"}},
		{"another database to listen to", func(t *testing.T, _ string) map[string]string {
			return map[string]string{"TRACKER_DATABASE_URL": postgresURL(t), "TRACKER_DATABASE_LISTEN_URL": postgresURL(t)}
		}, []string{"TRACKER_DATABASE_LISTEN_URL: ", "another database"}},
		{"the broker asks for a certificate", func(t *testing.T, dir string) map[string]string {
			url, ca := askingBroker(t, dir)
			return map[string]string{"TRACKER_NATS_URL": url, "TRACKER_NATS_CA": ca}
		}, []string{"TRACKER_NATS_CERT", "TRACKER_NATS_KEY", "TRACKER_NATS_URL"}},
		{"the broker does not know our certificate", func(t *testing.T, dir string) map[string]string {
			url, ca := askingBroker(t, dir)
			certificate(t, filepath.Join(dir, "other.crt"), filepath.Join(dir, "other.key"))
			return map[string]string{"TRACKER_NATS_URL": url, "TRACKER_NATS_CA": ca, "TRACKER_NATS_CERT": filepath.Join(dir, "other.crt"), "TRACKER_NATS_KEY": filepath.Join(dir, "other.key")}
		}, []string{"TRACKER_NATS_CERT", "TRACKER_NATS_KEY", "TRACKER_NATS_URL"}},
		{"credentials that are none", func(t *testing.T, dir string) map[string]string {
			return map[string]string{"TRACKER_NATS_URL": startBroker(t, &broker.Options{JetStream: true}), "TRACKER_NATS_CREDENTIALS": file(t, dir, "none.creds", "hunter2")}
		}, []string{"TRACKER_NATS_CREDENTIALS"}},
		{"a certificate that is none", func(t *testing.T, dir string) map[string]string {
			return map[string]string{"TRACKER_TLS_CERT": file(t, dir, "a.crt", "hello"), "TRACKER_TLS_KEY": file(t, dir, "a.key", "hello")}
		}, []string{"TRACKER_TLS_CERT"}},
	}
}

func env(pairs ...string) func(*testing.T, string) map[string]string {
	return func(*testing.T, string) map[string]string {
		m := map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
}

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// taken is an address that somebody listens on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func startBroker(t *testing.T, o *broker.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog, o.StoreDir = "127.0.0.1", -1, true, true, t.TempDir()
	s, err := broker.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the broker does not start")
	}
	return s.ClientURL()
}

// askingBroker lets in who shows a certificate that ca vouches for.
func askingBroker(t *testing.T, dir string) (url, ca string) {
	t.Helper()
	ca, key := filepath.Join(dir, "broker.crt"), filepath.Join(dir, "broker.key")
	certificate(t, ca, key)
	tls, err := broker.GenTLSConfig(&broker.TLSConfigOpts{CertFile: ca, KeyFile: key, CaFile: ca, Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	return startBroker(t, &broker.Options{TLSConfig: tls, TLS: true, TLSVerify: true, JetStream: true}), ca
}

func TestNATS_certificate_of_ours_lets_us_in(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, ca := askingBroker(t, dir)
	p := startProgram(t, map[string]string{"TRACKER_NATS_URL": url, "TRACKER_NATS_CA": ca, "TRACKER_NATS_CERT": ca, "TRACKER_NATS_KEY": filepath.Join(dir, "broker.key")})
	mainPath()[0].do(p, &walk{})
}

func TestBadConfig_is_said_by_name_and_nobody_is_let_in(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]string{"TRACKER_SANDBOX": "true", "TRACKER_ADDR": freeAddr(t), "TRACKER_ADMIN_ADDR": freeAddr(t), "TRACKER_BANK_ADDR": freeAddr(t), "TRACKER_DATA_DIR": filepath.Join(t.TempDir(), "data")}
			free := settings["TRACKER_ADDR"]
			for name, value := range m.env(t, t.TempDir()) {
				settings[name] = value
			}
			output, code := serveInVain(t, settings, free)
			if code != exitFailure {
				t.Errorf("it ended with %d", code)
			}
			for _, word := range m.says {
				if !strings.Contains(output, word) {
					t.Errorf("%q is not in:\n%s", word, output)
				}
			}
			for _, never := range []string{"hunter2", "panic", "goroutine ", "Tracker is running"} {
				if strings.Contains(output, never) {
					t.Errorf("%q is in:\n%s", never, output)
				}
			}
		})
	}
}

// serveInVain runs `tracker serve` to its end and knocks at the door meanwhile,
// which nobody may open.
func serveInVain(t *testing.T, settings map[string]string, knockAt string) (output string, code int) {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	log := &logBuffer{}
	cmd := exec.Command(program, "serve")
	cmd.Env, cmd.Stdout, cmd.Stderr = os.Environ(), log, log
	for name, value := range settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	deadline, knock := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer knock.Stop()
	for {
		select {
		case <-done:
			return log.String(), cmd.ProcessState.ExitCode()
		case <-deadline:
			cmd.Process.Kill()
			<-done
			t.Fatalf("it did not give up:\n%s", log)
		case <-knock.C:
			if answer, err := net.DialTimeout("tcp", knockAt, time.Second); err == nil {
				answer.SetDeadline(time.Now().Add(time.Second))
				if _, err := answer.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err == nil {
					if n, _ := answer.Read(make([]byte, 1)); n > 0 {
						t.Error("somebody was let in")
					}
				}
				answer.Close()
			}
		}
	}
}

func TestBadConfig_one_data_directory_belongs_to_one_process(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	second := map[string]string{"TRACKER_SANDBOX": "true", "TRACKER_ADDR": freeAddr(t), "TRACKER_ADMIN_ADDR": freeAddr(t), "TRACKER_BANK_ADDR": freeAddr(t), "TRACKER_DATA_DIR": p.env["TRACKER_DATA_DIR"]}
	output, code := serveInVain(t, second, second["TRACKER_ADDR"])
	if code != exitFailure || !strings.Contains(output, "TRACKER_DATA_DIR") || !strings.Contains(output, "belongs to another running tracker") || !strings.Contains(output, "TRACKER_DATABASE_URL and TRACKER_NATS_URL") {
		t.Errorf("%d: %s", code, output)
	}
	output, code = serveInVain(t, p.env, freeAddr(t))
	for _, name := range []string{"TRACKER_ADDR", "TRACKER_ADMIN_ADDR", "TRACKER_BANK_ADDR", "TRACKER_DATA_DIR"} {
		if code != exitFailure || !strings.Contains(output, name) {
			t.Errorf("started twice: %d, and nothing of %s: %s", code, name, output)
		}
	}
	mainPath()[0].do(p, &walk{}) // the first is not disturbed
	p.stop(syscall.SIGTERM)
	p.start() // and its directory is free again
}
