#!/usr/bin/env bash
# Replaces containers one after the other by ones of the present images and settings (TAG). Usage: roll.sh api-1 api-2 gateway-1 gateway-2
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
for service in "$@"; do
    if [[ ${COMPOSE-} != podman-compose ]] && docker compose version >/dev/null 2>&1; then
        docker compose up --detach --no-deps --wait "$service"
    else
        podman stop --time 30 "systemscale_${service}_1"
        podman rm "systemscale_${service}_1"
        podman-compose --project-name systemscale up --detach "$service"
        until podman healthcheck run "systemscale_${service}_1" >/dev/null 2>&1; do sleep 1; done
    fi
    # The gateways look for a new address every second, and the next instance must not end before.
    sleep 5
done
