#!/bin/sh
# Runs every fuzz target of the module for the time given, one after another.
# A target that fails does not keep the rest from running; all that failed are
# named at the end. FUZZ names some of them by a regular expression, WORKERS
# says how many processes share one (all processors by default):
#
#	FUZZ='Differential|HostModel' WORKERS=1 make fuzz FUZZTIME=10m
#
# Each list is made on its own line, so that a package that does not build
# fails here instead of having no targets.
set -eu
packages=$(go list ./...)
ran=0
failed=
for pkg in $packages; do
	tests=$(go test -list '^Fuzz' "$pkg")
	for target in $(echo "$tests" | grep '^Fuzz' | grep -E "${FUZZ:-.}" || true); do
		echo "$pkg $target"
		go test -run NONE -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x ${WORKERS:+-parallel "$WORKERS"} "$pkg" ||
			failed="$failed
$pkg $target"
		ran=$((ran + 1))
	done
done
if [ "$ran" = 0 ]; then
	echo "no fuzz target is named like ${FUZZ:-.}" >&2
	exit 1
fi
if [ -n "$failed" ]; then
	echo "of $ran fuzz targets, these failed; what they failed on is now in their testdata/fuzz:$failed" >&2
	exit 1
fi
