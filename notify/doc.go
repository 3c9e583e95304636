// Package notify brings every change of a feed to whoever waits for it.
package notify
