package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// prediction takes what a model says of an asset: its score is a reading of an
// asset of its own, ASSET/MODEL, so that each model has triggers and orders
// apart from the sensor's and from other models'.
func prediction(e *sdk.Event) {
	score, model := e.Int(), e.Bytes()
	checkAsset(e.Subject)
	if len(model) == 0 || contains(model, '/') {
		sdk.Abort(codeBadAsset, "BAD_ASSET: a model's name is not empty and has no slash")
	}
	name := make([]byte, 0, len(e.Subject)+1+len(model))
	name = append(append(append(name, e.Subject...), '/'), model...)
	reading(e, name, score, coarsePlaces)
}

func contains(text []byte, c byte) bool {
	for _, x := range text {
		if x == c {
			return true
		}
	}
	return false
}
