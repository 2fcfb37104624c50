#!/bin/sh
# Builds the TinyGo compiler that contracts are built with, once, into a cache
# folder, and prints the path of a command that runs it.
#
# Everything is pinned: TinyGo by its Go module version, which the Go checksum
# database vouches for; LLVM 19, lld and wasm-opt by Debian 12's packages. It
# needs no root and installs nothing: it says what to install when a piece is missing.
set -eu

version=v0.41.1
llvm=${CAIRN_LLVM:-/usr/lib/llvm-19}
here=$(cd "$(dirname "$0")" && pwd)
runtime=$llvm/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a

missing=
need() { [ -e "$1" ] || missing="$missing $2"; }
need "$llvm/bin/llvm-config" llvm-19-dev
need "$llvm/include/clang-c/Index.h" libclang-19-dev
need "$llvm/include/lld/Common/Driver.h" liblld-19-dev
need "$llvm/bin/clang" clang-19
need "$llvm/bin/wasm-ld" lld-19
need "$runtime" libclang-rt-19-dev-wasm32
command -v wasm-opt >/dev/null || missing="$missing binaryen"
if [ -n "$missing" ]; then
	echo "tinygo.sh: to build contracts, install:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	echo "Nothing else needs them: the built .wasm files are in the repository." >&2
	exit 1
fi

# The folder is named for all that goes into the compiler, so a change of any
# of it builds anew and an old compiler is never used by mistake.
stamp=$(cat "$0" "$here"/tinygo/cairn* | sha256sum | cut -c1-12)
home=${XDG_CACHE_HOME:-$HOME/.cache}/cairn/tinygo/$version-$stamp
if [ -x "$home/run" ]; then
	echo "$home/run"
	exit 0
fi

echo "tinygo.sh: building TinyGo $version into $home (about a minute)" >&2
work=$home.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
module=$(go mod download -json "github.com/tinygo-org/tinygo@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -R "$module" "$work/root"
chmod -R u+w "$work/root"
(
	cd "$work/root"
	mkdir -p src/net lib # src/net is a submodule, which Go modules leave out; no contract uses it
	cp "$runtime" lib/
	cp "$here/tinygo/cairn.json" "$here/tinygo/cairn_mem.c" targets/
	# Four helpers for floats would otherwise be exported from every contract.
	sed -i 's|^//export \(f[a-z]*\)$|//go:linkname \1 \1|' src/runtime/float.go
	GOFLAGS=-mod=mod GOWORK=off go build -tags llvm19 -trimpath -o tinygo .
)
cat >"$work/run" <<R
#!/bin/sh
PATH="$llvm/bin:\$PATH" TINYGOROOT="$home/root" exec "$home/root/tinygo" "\$@"
R
chmod +x "$work/run"
mkdir -p "$(dirname "$home")"
mv -T "$work" "$home" 2>/dev/null || [ -x "$home/run" ] # another build may have won
echo "$home/run"
