// Package dbtest gives a test a fresh database of each kind that Tracker runs on.
//
// PostgreSQL is the server of TRACKER_TEST_POSTGRES (a URL whose user may create
// databases) or, without it, a temporary cluster that the first test of the
// process starts on a unix socket and that disappears with the process, however
// it ends. Where there is neither, the test fails: it never skips.
package dbtest
