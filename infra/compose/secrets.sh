#!/usr/bin/env bash
# Writes new passwords for compose.yaml into a directory, unless they exist. Usage: secrets.sh [DIRECTORY]
set -euo pipefail
directory=${1:-$(dirname "${BASH_SOURCE[0]}")/secrets}
# Only the owner may enter the directory. The files themselves are mounted into containers, whose users are others.
mkdir -p "$directory"
chmod 700 "$directory"
write() { # NAME PREFIX
    [[ -e $directory/$1 ]] || printf '%s%s\n' "$2" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >"$directory/$1"
    chmod 444 "$directory/$1"
}
write postgres_password ""
write grafana_password ""
# In the form of pgpass: host:port:database:user:password.
write etl_pgpass "*:*:*:systemscale_etl:"
write api_pgpass "*:*:*:systemscale_api:"
