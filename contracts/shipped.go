// Package contracts carries the built modules of the contracts that come with
// the ledger, so that a client can deploy them without a toolchain.
package contracts

import (
	"embed"
	"fmt"
)

//go:embed maintenance/maintenance.wasm maintenance/manifest.json maintenance/schemas.json
//go:embed parking/parking.wasm parking/manifest.json parking/schemas.json
//go:embed rules/rules.wasm rules/manifest.json rules/schemas.json
//go:embed metering/metering.wasm metering/manifest.json metering/schemas.json
//go:embed escrow/escrow.wasm escrow/manifest.json escrow/schemas.json
//go:embed saga/saga.wasm saga/manifest.json saga/schemas.json
var files embed.FS

// Shipped answers the module and the manifest of a shipped contract.
func Shipped(name string) (module, manifest []byte, err error) {
	if module, err = files.ReadFile(name + "/" + name + ".wasm"); err != nil {
		return nil, nil, fmt.Errorf("contracts: %s is not shipped: %w", name, err)
	}
	manifest, err = files.ReadFile(name + "/manifest.json")
	return module, manifest, err
}
