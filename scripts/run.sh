#!/bin/sh
# The main job: a network of four validators, a contract, a stream of readings,
# prices and verified receipts; then the network stays up until Ctrl-C.
#
#	HOME_DIR  folder of the network (.devnet)
#	DATA      CSV of car park readings; empty generates a city
set -eu
home=${HOME_DIR:-.devnet}
port=${BASE_PORT:-8080}

bin/cairnd devnet --home "$home" --base-port "$port" --detach
idle=
trap 'echo; [ -z "$idle" ] || kill "$idle" 2>/dev/null; bin/cairnd devnet stop --home "$home"' EXIT
trap 'exit 130' INT TERM
network=$(cd "$home" && pwd)
echo
if [ -n "${DATA:-}" ]; then
	bin/cairn demo parking --network "$home" --data "$DATA"
else
	bin/cairn demo parking --network "$home" --generate
fi
cat <<END

Try, in another terminal:
  cd $PWD
  export PATH=\$PWD/bin:\$PATH CAIRN_NETWORK=$network
  cairn status
  cairn contract query parking prices
  cairn event 10
  cairn receipt get 10 -o receipt.json
  cairn receipt verify receipt.json --trust $home/genesis.json

The network stays up; Ctrl-C ends it and keeps its data in $home.
END
while :; do # a wait ends at once when Ctrl-C comes, a sleep does not
	sleep 3600 &
	idle=$!
	wait "$idle"
done
