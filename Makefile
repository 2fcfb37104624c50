# `make` lists what there is to do.
# Static binaries, and no C compiler needed; only the race detector wants one.
export CGO_ENABLED = 0
TOOL = go tool -modfile=scripts/tools/go.mod
FUZZTIME ?= 30s
SEEDS ?= 200
SEED ?= 1
DATA ?=
HOME_DIR ?= .devnet

.PHONY: help build run test check race fuzz sim e2e brokers bench bench-smoke contracts vectors vuln clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## bin/cairn and bin/cairnd
	@mkdir -p bin
	@echo "building bin/cairn and bin/cairnd; the first time takes a minute or two"
	@go build -o bin/ ./client/cmd/cairn ./node/cmd/cairnd

run: build ## four validators on loopback, a contract, a city's readings (or DATA=file.csv), prices and receipts
	@HOME_DIR="$(HOME_DIR)" DATA="$(DATA)" sh scripts/run.sh

test: ## everything CI runs
	@echo "formatting"; unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	@echo "go vet"; go vet ./...
	@echo "staticcheck"; $(TOOL) staticcheck ./...
	@echo "tests"; go test -timeout 20m ./...

check: test ## the same, before each commit

race: ## the tests under the race detector
	CGO_ENABLED=1 go test -race -short -timeout 30m ./...

fuzz: ## every fuzz target for FUZZTIME
	@sh scripts/fuzz.sh $(FUZZTIME)

sim: ## replicas that crash, replay and must agree at every height; SEEDS=200 from SEED=1 on
	go test ./node/sim -run Simulation -count=1 -v -timeout 60m -args -seeds $(SEEDS) -seed $(SEED)

e2e: ## the end-to-end tests alone, at length; ARGS="-cycles 200 -seed 7"
	go test ./node/e2e -count=1 -v -timeout 60m -args -deep -connect 200000 $(ARGS)

brokers: ## install the brokers that the tests of connectors start, where they are packaged (as root)
	@sh scripts/brokers.sh

bench: ## benchmarks of the hot paths
	go test -run NONE -bench . -benchmem ./client/protocol ./client/proof ./node/internal/machine ./node/internal/bank ./node/internal/store/... ./node/internal/vm/... ./node/internal/shipped

bench-smoke: build ## a short `cairn bench order`: events/s, and the ratio to the consensus engine alone in the same run
	@timeout 60 bin/cairn bench order --seconds 4 --warmup 1s

contracts: ## rebuild the contracts' modules, byte for byte (the scripts say which toolchains they need)
	sh scripts/build-contracts.sh
	sh scripts/build-rust-contracts.sh

vectors: ## rewrite docs/vectors and generated tables; look at the difference
	go test ./client/protocol ./client/proof ./client/seal -run 'Vectors|Documented' -rewrite

vuln: ## known vulnerabilities in what we depend on
	$(TOOL) govulncheck ./...

clean: ## remove what make made
	rm -rf bin .devnet
