// Package contracttest tests a contract as it will run: the built module on
// the real ledger, in memory, without a network. A test is four lines:
//
//	func TestPriceRises(t *testing.T) {
//		l := contracttest.Deploy(t, "parking", contracttest.Args{"startCents": 200})
//		l.Event("parking.occupancy.v1", "lot-1", `{"occupied": 95, "capacity": 100}`)
//		l.Event("parking.week.close.v1", "*", `{}`)
//		l.Want("price", contracttest.Args{"lot": "lot-1", "band": "A"}, `{"priceCents": 225}`)
//	}
//
// Every event and call is a block of its own, and blocks follow until every
// contract has caught up. What was refused and not expected to be fails the
// test, with the contract's log lines. When the test ends, the ledger is built
// anew from its blocks and must come to the same app hash.
//
// Handlers can also be tested natively, faster and with a debugger, on the
// SDK's Host; Contract.Both holds the two against each other.
package contracttest
