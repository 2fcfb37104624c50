#!/bin/sh
# Rebuilds contracts/NAME/NAME.wasm and its .sha256 from source: the same bytes
# on every machine with the pinned toolchain (scripts/tinygo.sh).
#
#	build-contracts.sh [--check] [NAME ...]
#
# NAME may also be the path of a folder. Without names it builds every folder of
# contracts/ that has a manifest.json and Go source, and the tests' own
# contract. --check writes nothing and fails when a committed file differs.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
check=
if [ "${1:-}" = --check ]; then
	check=1
	shift
fi
if [ $# -eq 0 ]; then
	cd "$root/contracts"
	for manifest in */manifest.json; do
		name=$(dirname "$manifest")
		[ -e "$name/main.go" ] && set -- "$@" "$name"
	done
	set -- "$@" "$root/node/sim/testdata/probe"
fi

tinygo=$("$root/scripts/tinygo.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
for name; do
	case $name in
	*/*) dir=$(cd "$name" && pwd) ;;
	*) dir=$root/contracts/$name ;;
	esac
	name=$(basename "$dir")
	(
		cd "$dir"
		"$tinygo" build -target=cairn -opt=1 -panic=trap -no-debug -o "$work/linked.wasm" .
	)
	wasm-opt -O2 --strip-debug --strip-producers --strip-target-features \
		"$work/linked.wasm" -o "$work/$name.wasm"
	(cd "$work" && sha256sum "$name.wasm" >"$name.wasm.sha256")
	size=$(wc -c <"$work/$name.wasm")
	if [ -n "$check" ]; then
		if cmp -s "$work/$name.wasm" "$dir/$name.wasm" && cmp -s "$work/$name.wasm.sha256" "$dir/$name.wasm.sha256"; then
			echo "$name: $size bytes, as committed"
		else
			echo "$name: the source builds to other bytes than $name.wasm; run scripts/build-contracts.sh $name" >&2
			status=1
		fi
		continue
	fi
	cp "$work/$name.wasm" "$work/$name.wasm.sha256" "$dir/"
	echo "$name: $size bytes, sha256 $(cut -c1-64 "$dir/$name.wasm.sha256")"
done
exit $status
