// Package tracktoken makes and reads tracking tokens: the right to follow one
// order and its payments, handed to a shopper in a link.
//
// A token is a JWT (RFC 7519) signed with HMAC-SHA-256 that names the merchant,
// the order and the order's token epoch. It promises that nobody without a
// secret can make one and that an expired one is refused. It does not promise
// that the order still honours it: whoever reads the order's newest event
// compares the epoch, so that a token is revoked without a list of tokens.
//
// Verify fails with [ErrInvalid], and never says why to the caller's client:
// the reason is in the error's text for the log, without the token.
//
// # Decisions
//
//   - Several secrets: the first signs, all verify, found by kid, so that the
//     signing key rotates without ending anybody's link. The kid is a prefix of
//     a hash of the secret: nothing else has to be configured or agreed.
//   - Only HS256, an issuer, an audience and an expiry are accepted, all
//     required. Tokens made for something else with the same secret fail by
//     audience, and the signing key itself is derived (HKDF) so that the secret
//     of the configuration serves several purposes without one key for all.
//   - golang-jwt does the encoding: it has no dependencies, and its parser's
//     mistakes have been found by others.
package tracktoken
