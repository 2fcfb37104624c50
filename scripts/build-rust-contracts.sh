#!/bin/sh
# Rebuilds contracts/NAME/NAME.wasm and its .sha256 from Rust source: the same
# bytes on every machine with the pinned toolchain, Debian 12's packages.
#
#	build-rust-contracts.sh [--check] [NAME ...]
#
# Without names it builds every folder of contracts/ that has src/lib.rs.
# --check writes nothing and fails when a committed file differs. No Cargo and
# no crate: one compiler run, one linker run.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
rustc=${CAIRN_RUSTC:-/usr/bin/rustc}
version=1.63.0

missing=
[ -x "$rustc" ] || missing="$missing rustc"
[ -e "$("$rustc" --print sysroot 2>/dev/null)/lib/rustlib/wasm32-unknown-unknown" ] || missing="$missing libstd-rust-dev-wasm32"
command -v wasm-ld-14 >/dev/null || missing="$missing lld-14"
command -v wasm-opt >/dev/null || missing="$missing binaryen"
if [ -n "$missing" ]; then
	echo "build-rust-contracts.sh: on Debian 12, install:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	echo "Nothing else needs them: the built .wasm files are in the repository." >&2
	exit 1
fi
case $("$rustc" --version) in
"rustc $version"*) ;;
*)
	echo "build-rust-contracts.sh: $rustc is $("$rustc" --version), the modules are built with $version; CAIRN_RUSTC names another compiler" >&2
	exit 1
	;;
esac

check=
if [ "${1:-}" = --check ]; then
	check=1
	shift
fi
if [ $# -eq 0 ]; then
	cd "$root/contracts"
	for source in */src/lib.rs; do
		set -- "$@" "${source%/src/lib.rs}"
	done
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
for name; do
	dir=$root/contracts/$name
	# A static library, because rustc's own linker run would export two globals
	# that no contract may export. In the source's folder, so that no path of
	# this machine gets into the module.
	(
		cd "$dir"
		"$rustc" --edition 2021 --crate-name contract --crate-type staticlib \
			--target wasm32-unknown-unknown -D warnings \
			-C opt-level=3 -C panic=abort -C lto=fat -C codegen-units=1 \
			-o "$work/contract.a" src/lib.rs
	)
	wasm-ld-14 --no-entry --gc-sections --strip-all --allow-undefined \
		--stack-first -z stack-size=8192 \
		--export-if-defined=cairn_init --export-if-defined=cairn_event \
		--export-if-defined=cairn_call --export-if-defined=cairn_query \
		"$work/contract.a" -o "$work/linked.wasm"
	wasm-opt -O2 --strip-debug --strip-producers --strip-target-features \
		"$work/linked.wasm" -o "$work/$name.wasm"
	(cd "$work" && sha256sum "$name.wasm" >"$name.wasm.sha256")
	size=$(wc -c <"$work/$name.wasm")
	if [ -n "$check" ]; then
		if cmp -s "$work/$name.wasm" "$dir/$name.wasm" && cmp -s "$work/$name.wasm.sha256" "$dir/$name.wasm.sha256"; then
			echo "$name: $size bytes, as committed"
		else
			echo "$name: the source builds to other bytes than $name.wasm; run scripts/build-rust-contracts.sh $name" >&2
			status=1
		fi
		continue
	fi
	cp "$work/$name.wasm" "$work/$name.wasm.sha256" "$dir/"
	echo "$name: $size bytes, sha256 $(cut -c1-64 "$dir/$name.wasm.sha256")"
done
exit $status
