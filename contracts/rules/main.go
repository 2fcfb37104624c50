// Rules is a contract for rules without programming: people write down which
// readings together mean something, and what is then to be done, as a line of
// text. The contract follows every rule over the readings, and when one comes
// true emits an alert or an action that names the readings it rests on.
// README.md has the language and what it means.
package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Codes of refused deliveries. README.md explains each.
const (
	codeBadRule       = 1  // BAD_RULE
	codeNotAllowed    = 2  // NOT_ALLOWED
	codeNotFound      = 3  // NOT_FOUND
	codeTooManyRules  = 4  // TOO_MANY_RULES
	codeBadName       = 5  // BAD_NAME
	codeBadReading    = 6  // BAD_READING
	codeBadSubject    = 7  // BAD_SUBJECT
	codeOutOfDomain   = 8  // OUT_OF_DOMAIN
	codeLateReading   = 9  // LATE_READING
	codeFutureReading = 10 // FUTURE_READING
	codeSubjectsFull  = 11 // SUBJECTS_FULL
	codeBadDomain     = 12 // BAD_DOMAIN
	codeBadParameters = 13 // BAD_PARAMETERS
	codeBadAddress    = 14 // BAD_ADDRESS
	codeBadState      = 15 // BAD_STATE
	codeAgainstDomain = 16 // AGAINST_DOMAIN
	codeReserved      = 17 // RESERVED
)

// Handlers, in the order of manifest.json.
func init() {
	sdk.OnInit(configure)
	sdk.OnEvent("rules.reading.v1", hearReading)
	sdk.OnEvent("rules.clock.v1", hearClock)
	sdk.OnEvent("parking.occupancy.v1", hearOccupancy)
	sdk.OnEvent("parking.price.set.v1", hearPrice)
	sdk.OnEvent("maintenance.order.opened.v1", hearStatus(propertyOrder, "opened"))
	sdk.OnEvent("maintenance.order.escalated.v1", hearStatus(propertyOrder, "escalated"))
	sdk.OnEvent("maintenance.order.closed.v1", hearStatus(propertyOrder, "closed"))
	sdk.OnEvent("metering.disconnect.v1", hearStatus(propertySupply, "off"))
	sdk.OnEvent("metering.reconnect.v1", hearStatus(propertySupply, "on"))
	sdk.OnCall("allow", callAllow)
	sdk.OnCall("define", callDefine)
	sdk.OnCall("register", callRegister)
	sdk.OnCall("enable", callEnable)
	sdk.OnQuery("rule", queryRule)
	sdk.OnQuery("rules", queryRules)
	sdk.OnQuery("state", queryState)
	sdk.OnQuery("property", queryProperty)
	sdk.OnQuery("explain", queryExplain)
}

func main() {}
