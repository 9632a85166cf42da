#!/bin/sh
# test/supply/reproducible.sh: a fresh clone in another folder, built by another user in another zone, gives the bytes that are
# here in build/ (S17, Z6). Prints TAP. `make reproducible` is the same with two clones.
set -u
cd "$(dirname "$0")/../.."
echo 1..1
if out=$(scripts/reproducible build/presenced 2>&1); then
	echo "ok 1 - a clone elsewhere gives the same SHA-256"
else
	echo "not ok 1 - a clone elsewhere gives the same SHA-256"
	echo "$out" | sed 's/^/# /'
	exit 1
fi
