package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// rolling restarts every process in an orderly way, one after the other, as a
// deploy does, behind the nginx of config/deploy.
func rolling(ctx context.Context, o Options) (_ Result, err error) {
	r, err := newRig(o)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	addr := freeAddr()
	r.edge = "http://" + addr
	if err := errors.Join(r.database(ctx), r.cluster(ctx)); err != nil {
		return Result{}, err
	}
	if err := r.tracker(ctx); err != nil {
		return Result{}, err
	}
	if err := r.nginx(ctx, addr); err != nil {
		return Result{}, err
	}
	o.Watchers = o.Crowd
	s := newSession(o, r)
	s.crowd.places, s.crowd.front = []string{addr}, ""
	end := s.begin(ctx)
	defer end()
	if err := s.warm(ctx); err != nil {
		return Result{}, err
	}
	return s.drill(ctx, Drill{harm: rollAll})
}

// settled is how long a deploy waits after a process is ready: as long as nginx
// leaves one alone that it could not reach.
const settled = time.Second

func rollAll(ctx context.Context, s *session) (int, error) {
	for n, p := range s.rig.servers {
		if err := p.end(syscall.SIGTERM); err != nil {
			return n, err
		}
		if err := p.start(ctx); err != nil {
			return n, err
		}
		if err := rest(ctx, settled); err != nil {
			return n, err
		}
	}
	return len(s.rig.servers), nil
}

// nginx runs config/deploy/nginx.conf with addresses and folders of the rig, and
// without TLS.
func (r *Rig) nginx(ctx context.Context, addr string) error {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return fmt.Errorf("nginx is needed (apt-get install nginx-light): %w", err)
	}
	text, err := os.ReadFile(filepath.Join(r.o.Edge, "nginx.conf"))
	if err != nil {
		return fmt.Errorf("the drill takes nginx.conf from the source tree (--deploy): %w", err)
	}
	home := filepath.Join(r.dir, "nginx")
	if err := os.CopyFS(filepath.Join(home, "etc", "errors"), os.DirFS(filepath.Join(r.o.Edge, "errors"))); err != nil {
		return err
	}
	for _, name := range []string{"log", "tmp"} {
		if err := os.MkdirAll(filepath.Join(home, name), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(r.dir, 0o711); err != nil { // the workers of a master that is root have an account of their own
		return err
	}
	conf, err := r.nginxConf(string(text), home, addr)
	if err != nil {
		return err
	}
	file := filepath.Join(home, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return err
	}
	r.proxy = &child{name: "nginx", dir: r.dir, env: os.Environ(), ready: accepts(addr), last: syscall.SIGTERM,
		args: []string{program, "-p", home, "-c", file, "-e", home + "/log/error.log", "-g", "daemon off; pid " + home + "/nginx.pid;"}}
	return r.proxy.start(ctx)
}

// nginxConf puts what is ours in place. Each text that is to be replaced has to be
// there: a drill of a file that has moved on would drill nothing.
func (r *Rig) nginxConf(conf, home, addr string) (string, error) {
	for number, role := range map[string]string{"1": "orders", "2": "payments", "3": "notify", "4": "web"} {
		place := regexp.MustCompile(`(?:\s*server 10\.0\.` + number + `\.\d:8080 ([^;]*);)+`)
		settings := place.FindStringSubmatch(conf)
		if settings == nil {
			return "", fmt.Errorf("nginx.conf has no servers of %s", role)
		}
		lines := ""
		for _, server := range r.addrs(role) {
			lines += "\nserver " + server + " " + settings[1] + ";"
		}
		conf = place.ReplaceAllString(conf, lines)
	}
	conf = regexp.MustCompile(`(?m)^\s*(ssl_|listen 443 ).*$`).ReplaceAllString(conf, "")
	for _, change := range [][2]string{
		{"listen 80;", "listen " + freeAddr() + ";"}, {"listen 127.0.0.1:8000;", "listen " + addr + ";"}, {"worker_processes auto;", "worker_processes 2;"},
		{"worker_rlimit_nofile 200000;", ""}, {"worker_connections 50000;", "worker_connections 8192;"}, {"/var/log/nginx/", home + "/log/"}, {"/var/lib/nginx/", home + "/tmp/"},
		{"root /etc/nginx;", "root " + home + "/etc;"},
	} {
		if !strings.Contains(conf, change[0]) {
			return "", fmt.Errorf("nginx.conf has no %q", change[0])
		}
		conf = strings.ReplaceAll(conf, change[0], change[1])
	}
	unused := "http {\n"
	for _, name := range []string{"fastcgi", "uwsgi", "scgi"} { // nginx makes these folders even if nothing uses them
		unused += fmt.Sprintf("%s_temp_path %s/tmp/%s;\n", name, home, name)
	}
	return strings.Replace(strings.ReplaceAll(conf, "/etc/nginx/", home+"/etc/"), "http {\n", unused, 1), nil
}
