#!/usr/bin/env bash
# A blue-green deploy: green is made ready beside blue, takes over if it is well, and blue's version of the schema goes with blue.
#
#   DATABASE_URL=… ./blue-green.sh ACTION
#
# ACTION is a program of yours, called with what to do and the colour: `deploy green`, `healthy green`, `switch green`, `switch blue`,
# `stop blue`, `stop green`.
# SOAK is how long green serves before blue is stopped (`sleep` takes it, 10m by default).
set -euo pipefail
action=${1:?a program of yours that does: deploy, healthy, switch, stop}
: "${DATABASE_URL:?the database}"

diptych check
diptych plan --summary
# both versions are there from here on; blue notices nothing
diptych start

if "$action" deploy green && "$action" healthy green && "$action" switch green; then
  # as long as both are there, each reads what the other writes, so that `switch blue` and `rollback` lead back
  sleep "${SOAK:-10m}"
  "$action" stop blue
  diptych complete --wait 5m
else
  "$action" switch blue
  "$action" stop green
  diptych rollback --wait 5m
  exit 1
fi
