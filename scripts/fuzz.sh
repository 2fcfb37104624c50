#!/bin/sh
# Runs every fuzz target of the module for the time given, one after another.
# Each list is made on its own line, so that a package that does not build
# fails here instead of having no targets.
set -eu
packages=$(go list ./...)
for pkg in $packages; do
	tests=$(go test -list '^Fuzz' "$pkg")
	for target in $(echo "$tests" | grep '^Fuzz' || true); do
		echo "$pkg $target"
		go test -run NONE -fuzz "^$target\$" -fuzztime "$1" "$pkg"
	done
done
