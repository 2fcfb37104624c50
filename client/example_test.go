package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// A producer streams readings and takes the receipt of the last one. After a
// restart the same program goes on where the ledger stands.
func Example() {
	var trust *proof.Trust      // genesis.Load("genesis.json") and its Trust
	var key protocol.PrivateKey // of an account that may produce
	c, err := client.New(client.Config{Nodes: []string{"http://127.0.0.1:8080", "http://127.0.0.1:8081"}, Trust: trust})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	producer, err := c.NewProducer(ctx, key, "meter-7", client.ProducerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	var last *client.Future
	for row := producer.Held(); row < 1000; row++ {
		last, err = producer.SubmitAt(ctx, row, protocol.Event{
			ID: fmt.Sprint("meter-7/", row), Source: "/meters/7", Type: "energy.reading.v1", Subject: "meter-7",
			DataContentType: "application/json", DataForm: protocol.DataJSON, Data: []byte(`{"kwh":"0.25"}`),
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := producer.Close(ctx); err != nil { // all are final, or it says why not
		log.Fatal(err)
	}
	if last != nil {
		receipt, err := last.Receipt(ctx) // verified against the anchor
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("entry", receipt.Entry.Index)
	}
}
