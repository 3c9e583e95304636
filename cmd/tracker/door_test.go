package main

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
)

func TestDoor_refuses_until_it_is_open_and_nobody_else_gets_the_address(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		return // see newDoor: the door is open from the start
	}
	d, err := newDoor("TRACKER_ADDR", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	addr := d.Addr().String()
	if c, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("a shut door answers with %v, %v", c, err)
	}
	for range 1000 { // what the system gives to others is never this port
		if l, err := net.Listen("tcp", "127.0.0.1:0"); err != nil || l.Addr().String() == addr {
			t.Fatalf("somebody got %s: %v", addr, err)
		} else {
			defer l.Close()
		}
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := newDoor("TRACKER_ADMIN_ADDR", addr); err == nil {
		t.Error("the address was taken twice")
	}
	for range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in, err := d.Accept()
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
	}
}

func TestDoor_of_a_port_that_the_system_chose_stays_open(t *testing.T) {
	t.Parallel()
	d, err := newDoor("TRACKER_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
