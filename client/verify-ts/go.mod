// No Go in here: this file keeps the go command out of node_modules.
module github.com/cairn-ledger/cairn/client/verify-ts

go 1.26
