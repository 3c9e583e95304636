package web

import "embed"

// pageFiles are what the pages are made of. There is no build step: what stands
// in these folders is what browsers get.
//
//go:embed static templates
var pageFiles embed.FS
