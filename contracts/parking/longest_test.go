package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

// deliveryGas is what a ledger allows one delivery by default.
const deliveryGas = 20_000_000

// The longest deliveries that the bounds allow stay within a delivery's gas:
// a city closed at once, a stay of 56 days over nine weeks of other prices, a
// reservation of seven days, and a capacity checked against 90 days of bookings.
func TestLongestDeliveries(t *testing.T) {
	l := contracttest.Found(t, contracttest.Options{Start: "2024-01-01T00:00:00Z"})
	var address []byte
	for _, a := range l.Sim().Genesis().Accounts {
		if a.Name == "producer" {
			address = a.Address[:]
		}
	}
	l = l.Deploy("parking", contracttest.Args{"operator": address, "asset": "EUR", "depositCents": 1000})
	l.Issue("EUR", 2_000, "carol")
	l.Allow("carol", "EUR", 2_000)
	payer := contracttest.Address("carol")
	carol := base64.StdEncoding.EncodeToString(payer[:])
	lot := strings.Repeat("l", maxLotBytes)
	start := time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC)
	event := func(eventType, subject, data string, at time.Time) *contracttest.Result {
		t.Helper()
		l.At(at.Format(time.RFC3339))
		return l.Event(eventType, subject, data)
	}
	gas := map[string]uint64{}
	event("parking.lot.spaces.v1", lot, `{"reservable": 10}`, start)
	request := func(name string, from time.Time, days int) *contracttest.Result {
		return l.Event("parking.reservation.request.v1", lot, fmt.Sprintf(`{"reservation":%q,"from":%q,"to":%q}`,
			name, from.Format(time.RFC3339), from.AddDate(0, 0, days).Format(time.RFC3339)))
	}
	for week := range 12 {
		gas["reservation"] = request(fmt.Sprint("r", week), start.AddDate(0, 0, 7*week), 7).Gas()
	}
	gas["spaces"] = l.Event("parking.lot.spaces.v1", lot, `{"reservable": 1}`).Gas()

	event("parking.session.enter.v1", lot, fmt.Sprintf(`{"ticket":"long","payer":%q}`, carol), start.Add(20*time.Second))
	for week := range 9 {
		for _, hour := range []int{9, 13, 16} {
			at := start.AddDate(0, 0, 7*week).Add(time.Duration(hour-8) * time.Hour)
			l.Event("parking.occupancy.v1", lot, `{"occupied": 9, "capacity": 10}`, contracttest.Time(at.Format(time.RFC3339)))
		}
	}
	left := event("parking.session.leave.v1", lot, `{"ticket":"long"}`, start.AddDate(0, 0, 56))
	gas["stay"] = left.Gas()
	left.WantEmitted("parking.session.charged.v1", `{"minutes": 80640, "paidCents": 1000, "dueCents": 387000, "owedCents": 387000}`)

	var readings []protocol.Event
	for i := range 85 * 3 {
		name, at := fmt.Sprintf("%s%03d", lot[:60], i/3), start.Add(time.Duration([]int{1, 5, 8}[i%3])*time.Hour)
		readings = append(readings, protocol.Event{
			ID: fmt.Sprint("city", i), Source: "/city", Type: "parking.occupancy.v1", Subject: name,
			HasTime: true, TimeNs: at.UnixNano(), DataForm: protocol.DataJSON, Data: []byte(`{"occupied": 9, "capacity": 10}`),
		})
	}
	l.Event("parking.week.close.v1", lot, `{}`)
	l.Events(readings...)
	closed := l.Event("parking.week.close.v1", "*", `{}`)
	gas["close"] = closed.Gas()
	if n := len(closed.Emitted("parking.price.set.v1")); n != 85*3 {
		t.Errorf("%d evaluations of 85 lots", n)
	}
	t.Logf("gas: %v", gas)
	for what, used := range gas {
		if used == 0 || used > deliveryGas*9/10 {
			t.Errorf("%s: %d gas", what, used)
		}
	}
}
