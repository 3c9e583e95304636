// Package config turns the environment into checked values. [Load] reads every
// TRACKER_ variable, reports everything that is wrong with them at once and by
// name, and never prints a secret. It opens nothing and knows no other package.
//
// # Decisions
//
//   - One table, [Variables], holds each variable with its default and its
//     meaning. The command line's flags, the help text and the README are
//     derived from it, so that none of them can drift.
//   - The zero value of every setting works. What must not have a default
//     outside the sandbox (the secrets) is an error that says so.
package config
