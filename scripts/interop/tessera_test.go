// Package interop reads a running ledger's log with the client of
// transparency-dev/tessera. It is a module of its own: tessera would change the
// versions of what CometBFT's database is built with.
//
//	cairnd devnet --home DIR --detach; cairn submit ...
//	LOG_URL=http://127.0.0.1:8080/log/ LOG_VKEY=$(cairn log key --network DIR --policy | sed -n 's/^log //p') go test -v ./...
package interop

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

// Tessera's client fetches the checkpoint, every entry and proofs of both
// kinds; transparency-dev/merkle verifies them.
func TestTesseraReadsTheLog(t *testing.T) {
	if os.Getenv("LOG_URL") == "" {
		t.Skip("set LOG_URL and LOG_VKEY to a running ledger's log")
	}
	verifier, err := note.NewVerifier(os.Getenv("LOG_VKEY"))
	if err != nil {
		t.Fatal(err)
	}
	prefix, err := url.Parse(os.Getenv("LOG_URL"))
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := client.NewHTTPFetcher(prefix, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	checkpoint, _, _, err := client.FetchCheckpoint(ctx, fetcher.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := client.NewProofBuilder(ctx, checkpoint.Size, fetcher.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	hasher := rfc6962.DefaultHasher
	old := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewEmptyRange(0)
	for first := uint64(0); first < checkpoint.Size; first += 256 {
		bundle, err := client.GetEntryBundle(ctx, fetcher.ReadEntryBundle, first/256, checkpoint.Size)
		if err != nil {
			t.Fatal(err)
		}
		for i, entry := range bundle.Entries {
			index, leaf := first+uint64(i), hasher.HashLeaf(entry)
			path, err := proofs.InclusionProof(ctx, index)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.VerifyInclusion(hasher, index, checkpoint.Size, leaf, path, checkpoint.Hash); err != nil {
				t.Fatalf("entry %d: %v", index, err)
			}
			if err := old.Append(leaf, nil); err != nil {
				t.Fatal(err)
			}
		}
		root, err := old.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		path, err := proofs.ConsistencyProof(ctx, old.End(), checkpoint.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(hasher, old.End(), checkpoint.Size, path, root, checkpoint.Hash); err != nil {
			t.Fatalf("size %d: %v", old.End(), err)
		}
	}
	t.Logf("%d entries of %s, each with its proof", checkpoint.Size, verifier.Name())
}
