#!/bin/sh
# Runs every fuzz target of the module for the time given, one after another.
set -eu
for pkg in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		echo "$pkg $target"
		go test -run NONE -fuzz "^$target\$" -fuzztime "$1" "$pkg"
	done
done
