// Package express contains the files of the server of the original service: Express, pg and a cache in Redis. They are not built into a
// program: the ladder installs them with npm into a directory of its own and starts server.mjs with Node.js. express and pg are the packages
// that the original service had, and redis is Redis's own client.
package express

import "embed"

// Files are server.mjs, and package.json, package-lock.json and .npmrc for npm.
//
//go:embed server.mjs package.json package-lock.json .npmrc
var Files embed.FS
