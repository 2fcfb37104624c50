package protocol

import (
	"errors"
	"fmt"
	"slices"
)

// Code is what the ledger decided about a transaction or a delivery. Codes,
// never text, enter consensus; zero is success. The numbers are part of the
// protocol: they are never reused.
type Code uint32

// Codes 1-99 concern the form of what was sent, 100-199 its authority and
// place, 200-299 contracts, 300-399 the node that was asked (never consensus).
const (
	CodeOK Code = 0

	CodeMalformed         Code = 1
	CodeTooLarge          Code = 2
	CodeBadSignature      Code = 3
	CodeWrongChain        Code = 4
	CodeUnknownKind       Code = 5
	CodeEventMalformed    Code = 10
	CodeEventMissing      Code = 11
	CodeEventAttribute    Code = 12
	CodeEventTooLarge     Code = 13
	CodeInflation         Code = 14
	CodeBatchEmpty        Code = 15
	CodeUnauthorized      Code = 100
	CodeExpired           Code = 101
	CodeExpiryTooFar      Code = 102
	CodeSequenceGap       Code = 103
	CodeReplayed          Code = 104
	CodeKeyRetired        Code = 110
	CodeKeyEarly          Code = 111
	CodeAccountRevoked    Code = 112
	CodeKeyTaken          Code = 113
	CodeCutOver           Code = 114
	CodeSource            Code = 115
	CodeOverQuota         Code = 116
	CodeMultisigTerms     Code = 117
	CodeActUnknown        Code = 118
	CodeActExpired        Code = 119
	CodeApproved          Code = 120
	CodeAccountExists     Code = 121
	CodeActLimit          Code = 122
	CodeKeyAddress        Code = 123
	CodeProposalUnknown   Code = 125
	CodeProposalClosed    Code = 126
	CodeProposalExpired   Code = 127
	CodeDoubleVote        Code = 128
	CodeProposalTerms     Code = 129
	CodeProposalLimit     Code = 130
	CodePowerChange       Code = 131
	CodeLastMember        Code = 132
	CodeBarred            Code = 133
	CodeHalted            Code = 134
	CodeNotApproved       Code = 135
	CodeDisputeUnknown    Code = 140
	CodeDisputeClosed     Code = 141
	CodeArbiterParty      Code = 142
	CodeContractInvalid   Code = 200
	CodeManifestInvalid   Code = 201
	CodeContractUnknown   Code = 202
	CodeContractExists    Code = 203
	CodeContractTrap      Code = 204
	CodeOutOfGas          Code = 205
	CodeCallDepth         Code = 206
	CodeContractAborted   Code = 207
	CodeProjection        Code = 208
	CodeMethodUnknown     Code = 209
	CodeHostMisuse        Code = 210
	CodeHopLimit          Code = 211
	CodeArgument          Code = 212
	CodeContractLimit     Code = 213
	CodeContractPaused    Code = 214
	CodeReentry           Code = 215
	CodeTimerLimit        Code = 216
	CodeTokensUnavailable Code = 217
	CodeVersion           Code = 218
	CodeNotDead           Code = 219
	CodeFunds             Code = 230
	CodeFrozen            Code = 231
	CodeAssetUnknown      Code = 232
	CodeAssetExists       Code = 233
	CodeNotIssuer         Code = 234
	CodeSupplyCap         Code = 235
	CodeAmount            Code = 236
	CodeAllowance         Code = 237
	CodeTokenIDUnknown    Code = 238
	CodeNotController     Code = 239
	CodeTokenTerms        Code = 240
	CodeNotFreezable      Code = 241
	CodeTokenLimit        Code = 242
	CodeErased            Code = 260
	CodeNotErasable       Code = 261
	CodeEraseDenied       Code = 262
	CodeEntryUnknown      Code = 263
	CodeEraseBusy         Code = 264
	CodeLedgerUnknown     Code = 270
	CodeLedgerSuspended   Code = 271
	CodeRelayProof        Code = 272
	CodeRelayChain        Code = 273
	CodeRelayAnchor       Code = 274
	CodeRelayExpired      Code = 275
	CodeRelayStale        Code = 276
	CodeRelayAhead        Code = 277
	CodeRelayNotAccepted  Code = 278
	CodeRelayed           Code = 279
	CodeSchemaInvalid     Code = 280
	CodeSchemaBreaks      Code = 281
	CodeSchemaOwner       Code = 282
	CodeSchemaUnknown     Code = 283
	CodeSchemaMismatch    Code = 284
	CodeSchemaBusy        Code = 285
	CodeSchemaCost        Code = 286
	CodeSchemaExists      Code = 287
	CodeNotFound          Code = 300
	CodeBusy              Code = 301
	CodeUnavailable       Code = 302
	CodeTimeout           Code = 303
	CodeBadRequest        Code = 304
	CodePruned            Code = 305
	CodeInternal          Code = 306
	CodeMethodNotAllowed  Code = 307
	CodeUnsupportedFormat Code = 308
	CodeUnauthenticated   Code = 309
)

// codeInfo is one row of the published table.
type codeInfo struct {
	name      string
	retryable bool
	meaning   string
}

// codeTable is the published table of docs/protocol.md; a test holds the two equal.
var codeTable = map[Code]codeInfo{
	CodeOK:                {"OK", false, "done"},
	CodeMalformed:         {"MALFORMED", false, "the bytes are not a canonical transaction; encode it with the SDK or as docs/protocol.md says"},
	CodeTooLarge:          {"TOO_LARGE", false, "the transaction is over the size limit; send fewer events in a batch"},
	CodeBadSignature:      {"BAD_SIGNATURE", false, "the signature does not verify for this signer; sign again with the signer's key, low-S"},
	CodeWrongChain:        {"WRONG_CHAIN", false, "the transaction was made for another chain; check the genesis file in use"},
	CodeUnknownKind:       {"UNKNOWN_KIND", false, "this ledger does not know the transaction kind; the client may be newer than the node"},
	CodeEventMalformed:    {"EVENT_MALFORMED", false, "the event is not a CloudEvents 1.0 document"},
	CodeEventMissing:      {"EVENT_ATTRIBUTE_MISSING", false, "a required attribute is missing: id, source, type and specversion must be present and not empty"},
	CodeEventAttribute:    {"EVENT_ATTRIBUTE_INVALID", false, "an attribute has an invalid name or value"},
	CodeEventTooLarge:     {"EVENT_TOO_LARGE", false, "the event record is over 65,536 bytes; keep large payloads elsewhere and put their hash in the event"},
	CodeInflation:         {"INFLATION", false, "the compressed events do not inflate to the size the batch states"},
	CodeBatchEmpty:        {"BATCH_EMPTY", false, "the batch holds no event"},
	CodeUnauthorized:      {"UNAUTHORIZED", false, "the signer lacks the role for this; ask the council for it"},
	CodeExpired:           {"EXPIRED", true, "the expiry height has passed; sign again with a later one"},
	CodeExpiryTooFar:      {"EXPIRY_TOO_FAR", true, "the expiry height is too far ahead of the head; use a nearer one"},
	CodeSequenceGap:       {"SEQUENCE_GAP", true, "the batch does not start at the stream's next sequence; send the missing events first, or declare them skipped"},
	CodeReplayed:          {"REPLAYED", false, "this transaction was already executed; its first outcome stands"},
	CodeKeyRetired:        {"KEY_RETIRED", false, "another key speaks for the account by now; sign with that one"},
	CodeKeyEarly:          {"KEY_EARLY", true, "the key speaks for its account from a later height on; wait, or sign with the one before it"},
	CodeAccountRevoked:    {"ACCOUNT_REVOKED", false, "the account was revoked; the council can give it a new key"},
	CodeKeyTaken:          {"KEY_TAKEN", false, "the key speaks or spoke for an account already; make a new one"},
	CodeCutOver:           {"CUT_OVER", false, "the height from which the new key is to speak is not ahead of this block, or too far"},
	CodeSource:            {"SOURCE_NOT_GRANTED", false, "an event has a source or type the producer was not granted; ask the council for it"},
	CodeOverQuota:         {"OVER_QUOTA", true, "the account has used its quota for this window of blocks; wait as long as Retry-After says"},
	CodeMultisigTerms:     {"MULTISIG_TERMS", false, "members and threshold do not fit together, or an account of several members cannot do this"},
	CodeActUnknown:        {"ACT_UNKNOWN", false, "nothing under this index waits for approval; it may have been executed"},
	CodeActExpired:        {"ACT_EXPIRED", false, "the act was not approved in time; propose it again"},
	CodeApproved:          {"APPROVED_ALREADY", false, "this member approved the act before"},
	CodeAccountExists:     {"ACCOUNT_EXISTS", false, "an account of this name was made by this account before; choose another name"},
	CodeActLimit:          {"ACT_LIMIT", true, "as many acts wait for the account's members as can; approve some, or let them expire"},
	CodeKeyAddress:        {"ADDRESS_OF_KEY", false, "the address is a later key's and no account; name the account that the key speaks for, which the node's answer says"},
	CodeProposalUnknown:   {"PROPOSAL_UNKNOWN", false, "no proposal has this index"},
	CodeProposalClosed:    {"PROPOSAL_CLOSED", false, "the proposal was decided or withdrawn"},
	CodeProposalExpired:   {"PROPOSAL_EXPIRED", false, "the proposal did not pass in time; propose it again"},
	CodeDoubleVote:        {"DOUBLE_VOTE", false, "the member voted so already; only another vote changes it"},
	CodeProposalTerms:     {"PROPOSAL_TERMS", false, "an action's fields do not fit together or are out of range; the node's answer names them"},
	CodeProposalLimit:     {"PROPOSAL_LIMIT", true, "the member has as many proposals open as it can; withdraw some, or let them expire"},
	CodePowerChange:       {"POWER_CHANGE", false, "more than a third of the voting power would change at once; go by steps, or force it"},
	CodeLastMember:        {"LAST_MEMBER", false, "the council or the validator set would be empty"},
	CodeBarred:            {"BARRED", false, "the validator's key signed two blocks at one height; it never validates again"},
	CodeHalted:            {"HALTED", true, "the council halted the ledger: until it resumes, only governance is accepted"},
	CodeNotApproved:       {"CODE_NOT_APPROVED", false, "this ledger wants the council's approval of the code before an upgrade"},
	CodeDisputeUnknown:    {"DISPUTE_UNKNOWN", false, "no dispute has this index, or the log has no such entry to dispute"},
	CodeDisputeClosed:     {"DISPUTE_CLOSED", false, "the dispute was resolved; the resolution stands"},
	CodeArbiterParty:      {"ARBITER_IS_PARTY", false, "who raised a dispute, or made what it is about, cannot resolve it"},
	CodeContractInvalid:   {"CONTRACT_INVALID", false, "the module breaks a validation rule; `cairn contract check` names it"},
	CodeManifestInvalid:   {"MANIFEST_INVALID", false, "the manifest is not valid; the field is named in the node's answer"},
	CodeContractUnknown:   {"CONTRACT_UNKNOWN", false, "no contract has this name or address"},
	CodeContractExists:    {"CONTRACT_EXISTS", false, "a contract of this name exists; choose another name"},
	CodeContractTrap:      {"CONTRACT_TRAP", false, "the contract trapped; its writes were undone"},
	CodeOutOfGas:          {"OUT_OF_GAS", false, "the contract used its whole gas limit; its writes were undone"},
	CodeCallDepth:         {"CALL_DEPTH", false, "the contract's calls nested too deep; its writes were undone"},
	CodeContractAborted:   {"CONTRACT_ABORTED", false, "the contract refused the input with a code of its own; its writes were undone"},
	CodeProjection:        {"PROJECTION", false, "a field that the contract's manifest names is missing, of another type or out of range"},
	CodeMethodUnknown:     {"METHOD_UNKNOWN", false, "the contract's manifest has no such call or query"},
	CodeHostMisuse:        {"HOST_MISUSE", false, "the contract passed the host a pointer, size or value out of bounds; its writes were undone"},
	CodeHopLimit:          {"HOP_LIMIT", false, "the event was emitted at the end of too long a chain of contract deliveries"},
	CodeArgument:          {"ARGUMENT", false, "an argument is missing, unknown, of another type or out of range"},
	CodeContractLimit:     {"CONTRACT_LIMIT", false, "the ledger holds as many contracts as it can"},
	CodeContractPaused:    {"CONTRACT_PAUSED", true, "the contract's author paused it; it takes calls again once it is resumed"},
	CodeReentry:           {"REENTRY", false, "the contract called one that waits for this very call to end; its writes were undone"},
	CodeTimerLimit:        {"TIMER_LIMIT", false, "the contract has as many timers pending as it can; its writes were undone"},
	CodeTokensUnavailable: {"TOKENS_UNAVAILABLE", false, "this ledger has no tokens; the contract's writes were undone"},
	CodeVersion:           {"VERSION", false, "an upgrade keeps the contract's name and changes its version"},
	CodeNotDead:           {"NOT_DEAD", false, "the contract neither gave up this entry nor is retrying it"},
	CodeFunds:             {"INSUFFICIENT_FUNDS", true, "the account has less of the asset than this takes; nothing moved"},
	CodeFrozen:            {"FROZEN", false, "the asset's issuer froze the account's units; ask the issuer"},
	CodeAssetUnknown:      {"ASSET_UNKNOWN", false, "no asset has this symbol"},
	CodeAssetExists:       {"ASSET_EXISTS", false, "an asset of this symbol exists; choose another"},
	CodeNotIssuer:         {"NOT_ISSUER", false, "only the asset's issuer may do this"},
	CodeSupplyCap:         {"SUPPLY_CAP", false, "the supply would go over the asset's cap"},
	CodeAmount:            {"AMOUNT", false, "an amount is 0, or over 2^63-1 minor units"},
	CodeAllowance:         {"ALLOWANCE", true, "there is no allowance for this, or this period's is used up; the payer can grant one"},
	CodeTokenIDUnknown:    {"TOKEN_ID_UNKNOWN", false, "no hold, stream or schedule has this id; it may have ended"},
	CodeNotController:     {"NOT_CONTROLLER", false, "the hold, stream or schedule is not the sender's to change, or not payable to this account"},
	CodeTokenTerms:        {"TOKEN_TERMS", false, "the operation's fields do not fit together or are out of range; the node's answer names them"},
	CodeNotFreezable:      {"NOT_FREEZABLE", false, "the right to freeze was not declared when the asset was issued"},
	CodeTokenLimit:        {"TOKEN_LIMIT", false, "the account has as many holds, streams and schedules as it can; end some"},
	CodeErased:            {"ERASED", false, "the entry's payload was erased; what is left is that it existed, and who erased it and why"},
	CodeNotErasable:       {"NOT_ERASABLE", false, "the entry holds nothing that can be erased: it is of another kind, or was erased before"},
	CodeEraseDenied:       {"ERASE_DENIED", false, "an event is erased by its producer, what a contract made by the contract's author, and either by an auditor"},
	CodeEntryUnknown:      {"ENTRY_UNKNOWN", false, "the log, or the sender's stream, has no such entry yet"},
	CodeEraseBusy:         {"ERASE_BUSY", true, "the erasures of that block named as many entries as a block's can; send it again"},
	CodeLedgerUnknown:     {"LEDGER_UNKNOWN", false, "no other ledger is registered under this name; `cairn ledger list` shows those that are"},
	CodeLedgerSuspended:   {"LEDGER_SUSPENDED", false, "the council suspended the other ledger: nothing of it is taken until it resumes"},
	CodeRelayProof:        {"RELAY_PROOF", false, "the receipt or a step of trust does not hold; fetch both again from a node of the other ledger, and verify them"},
	CodeRelayChain:        {"RELAY_CHAIN", false, "the receipt is of another chain than the ledger it is shown for"},
	CodeRelayAnchor:       {"RELAY_ANCHOR", true, "the testimony does not begin with the validator set that is trusted now, or goes back behind it; read the ledger's record and make it anew"},
	CodeRelayExpired:      {"RELAY_EXPIRED", false, "the trusted validator set was last seen longer ago than the trusting period; the council gives the ledger another one"},
	CodeRelayStale:        {"RELAY_STALE", false, "the entry is older than the ledger's terms allow"},
	CodeRelayAhead:        {"RELAY_AHEAD", true, "the other ledger's clock is ahead of this one's by more than five minutes; send it again later"},
	CodeRelayNotAccepted:  {"RELAY_NOT_ACCEPTED", false, "the ledger's terms do not accept this entry: its kind, source, type or size"},
	CodeRelayed:           {"RELAYED", false, "everything in it was relayed before: it is in the log"},
	CodeSchemaInvalid:     {"SCHEMA_INVALID", false, "the text is not a schema that this ledger checks; `cairn schema check` names the place"},
	CodeSchemaBreaks:      {"SCHEMA_INCOMPATIBLE", false, "the schema may not follow the one before it under the type's compatibility rule; `cairn schema check` names the place"},
	CodeSchemaOwner:       {"SCHEMA_OWNER", false, "another account owns the type's schemas; ask it, or the council to give them to you"},
	CodeSchemaUnknown:     {"SCHEMA_UNKNOWN", false, "the registry has no such schema or version, or it is newer than the official one"},
	CodeSchemaMismatch:    {"SCHEMA_MISMATCH", false, "an event's data do not conform to the schema registered for its type; the node's answer names the place"},
	CodeSchemaBusy:        {"SCHEMA_BUSY", true, "checking the events of that block used its gas; send it again"},
	CodeSchemaCost:        {"SCHEMA_COST", false, "checking the batch's events takes more gas than a contract has in a block; send fewer events in a batch"},
	CodeSchemaExists:      {"SCHEMA_EXISTS", false, "the newest version of the type's schema is this one"},
	CodeNotFound:          {"NOT_FOUND", false, "this node knows nothing under that name"},
	CodeBusy:              {"BUSY", true, "the node is at capacity; wait as long as Retry-After says and send it again"},
	CodeUnavailable:       {"UNAVAILABLE", true, "the node cannot serve this now; try another node or wait"},
	CodeTimeout:           {"TIMEOUT", true, "the answer was not ready in the time given; ask again"},
	CodeBadRequest:        {"BAD_REQUEST", false, "the request is not valid; the message names the part"},
	CodePruned:            {"PRUNED", false, "this node no longer keeps that height; ask an archive node"},
	CodeInternal:          {"INTERNAL", true, "the node failed; its log has the reason"},
	CodeMethodNotAllowed:  {"METHOD_NOT_ALLOWED", false, "the path exists, with another HTTP method"},
	CodeUnsupportedFormat: {"UNSUPPORTED_FORMAT", false, "the content type or format is not one this path serves"},
	CodeUnauthenticated:   {"UNAUTHENTICATED", false, "the request carries no token this node knows; send one as `Authorization: Bearer ...`"},
}

// Name is the code's published name, such as SEQUENCE_GAP.
func (c Code) Name() string {
	if info, ok := codeTable[c]; ok {
		return info.name
	}
	return fmt.Sprintf("CODE_%d", uint32(c))
}

// Retryable says whether the same request can succeed later, perhaps after
// what Meaning asks for.
func (c Code) Retryable() bool { return codeTable[c].retryable }

// Meaning is one sentence: what happened, and what to do.
func (c Code) Meaning() string { return codeTable[c].meaning }

// String renders the code for logs: name and number.
func (c Code) String() string { return fmt.Sprintf("%s (%d)", c.Name(), uint32(c)) }

// Codes lists every published code in ascending order.
func Codes() []Code {
	codes := make([]Code, 0, len(codeTable))
	for c := range codeTable {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	return codes
}

// Error is a refusal: a code for machines, and text for the person who reads
// the log. Only the code may enter consensus.
type Error struct {
	Code Code
	Text string
}

// Error renders name and text.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code.Name() + ": " + e.Code.Meaning()
	}
	return e.Code.Name() + ": " + e.Text
}

// Refuse makes a refusal with a formatted reason.
func Refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// CodeOf finds the code in an error chain. A nil error is CodeOK; an error
// without a code is a fault of this node and answers ok false.
func CodeOf(err error) (code Code, ok bool) {
	if err == nil {
		return CodeOK, true
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Code, true
	}
	return CodeInternal, false
}
