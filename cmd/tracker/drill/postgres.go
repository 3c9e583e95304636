package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// postgres is a cluster of its own in the rig's directory.
type postgres struct {
	*child
	addr string
}

// errNoPostgres says what to install.
var errNoPostgres = errors.New("PostgreSQL's initdb and postgres are needed, in PATH or under /usr/lib/postgresql (apt-get install postgresql)")

// postgresTools is the folder of initdb and postgres.
func postgresTools() (string, error) {
	if file, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(file), nil
	}
	list, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(list) == 0 {
		return "", errNoPostgres
	}
	slices.Sort(list)
	return filepath.Dir(list[len(list)-1]), nil
}

func (r *Rig) database(ctx context.Context) error {
	tools, err := postgresTools()
	if err != nil {
		return err
	}
	home := filepath.Join(r.dir, "postgres")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	cred, err := ordinaryUser(home)
	if err != nil {
		return err
	}
	data := filepath.Join(home, "data")
	init := exec.CommandContext(ctx, filepath.Join(tools, "initdb"), "-D", data, "-U", "tracker", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
	init.Dir, init.SysProcAttr = home, cred
	if text, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, text)
	}
	p := &postgres{addr: freeAddr()}
	_, port, _ := strings.Cut(p.addr, ":")
	p.child = &child{
		name: "postgres", dir: r.dir, env: append(os.Environ(), "HOME="+home), cred: cred, ready: accepts(p.addr),
		args: []string{filepath.Join(tools, "postgres"), "-D", data, "-p", port, "-k", home, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300",
			"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal"},
	}
	r.pg = p
	return p.start(ctx)
}

// ordinaryUser is whom the server runs as: it refuses to be root. The folder is
// made theirs.
func ordinaryUser(home string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("PostgreSQL does not run as root, and there is nobody else: %w", err)
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(home, int(uid), int(gid)); err != nil {
		return nil, err
	}
	if err := os.Chmod(filepath.Dir(home), 0o711); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// all are the processes of the server: one for each connection, and its own.
func (p *postgres) all() ([]int, error) {
	children, err := childrenOf(p.pid())
	return append([]int{p.pid()}, children...), err
}

// signalAll reaches every process of the server.
func (p *postgres) signalAll(s syscall.Signal) error {
	list, err := p.all()
	if err != nil {
		return err
	}
	for _, pid := range list {
		_ = syscall.Kill(pid, s) // a backend may have ended meanwhile
	}
	return nil
}
