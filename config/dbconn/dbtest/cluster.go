package dbtest

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// server is a running cluster.
type server struct {
	address string
	alive   io.Closer // the keeper's standard input: it must not be collected
}

// cluster is the temporary cluster of this process.
var cluster = sync.OnceValues(startCluster)

// keeper runs the server as its child and ends it when its own standard input is
// closed: when the test process is gone, for whatever reason.
const keeper = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
  -c synchronous_commit=off -c max_connections=300 -c shared_buffers=32MB >"$2/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server; wait $server
rm -rf "$2"
`

func startCluster() (*server, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "tracker-pg-") // short: the path of a socket is limited
	if err != nil {
		return nil, err
	}
	attr, err := notRoot(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	keep := exec.Command("/bin/sh", "-c", keeper, "keeper", bin, dir)
	keep.SysProcAttr, keep.Dir = attr, dir
	alive, err := keep.StdinPipe() // held open until this process ends
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := keep.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	q := url.Values{"host": {dir}, "sslmode": {"disable"}}
	address := (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: q.Encode()}).String()
	return &server{address, alive}, awaitServer(address, filepath.Join(dir, "log"))
}

func findPostgres() (bin string, err error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is valid
	if len(found) == 0 {
		return "", errors.New("initdb is neither in PATH nor in /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// notRoot makes a command run as "nobody" where we are root, because PostgreSQL
// refuses to be root, and gives it dir.
func notRoot(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the tests
	if os.Getuid() != 0 {
		return attr, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(nobody.Uid) // numeric on every unix
	gid, _ := strconv.Atoi(nobody.Gid)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, uid, gid)
}
