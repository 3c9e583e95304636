package drill

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// secureTwin is a second process, with data of its own, that speaks TLS and with
// it HTTP/2. It returns its address.
func (r *Rig) secureTwin(ctx context.Context) (string, error) {
	cert, key := filepath.Join(r.dir, "tls.crt"), filepath.Join(r.dir, "tls.key")
	if err := certificate(cert, key); err != nil {
		return "", err
	}
	env := r.common()
	s := &server{role: "twin", addr: freeAddr(), admin: freeAddr()}
	s.child = &child{name: "tracker-tls", dir: r.dir, ready: s.isReady, args: r.o.Serve, talk: true}
	env["TRACKER_ADDR"], env["TRACKER_ADMIN_ADDR"], env["TRACKER_BANK_ADDR"] = s.addr, s.admin, freeAddr()
	env["TRACKER_DATA_DIR"], env["TRACKER_TLS_CERT"], env["TRACKER_TLS_KEY"] = filepath.Join(r.dir, "twin"), cert, key
	s.env = environment(env)
	r.servers = append(r.servers, s)
	return s.addr, s.start(ctx)
}

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}
