package protocol

// Limits of what is accepted from outside. They bound memory before it is
// allocated and are part of the protocol: changing one is a protocol upgrade.
const (
	// MaxRecordBytes bounds one canonical event record. CloudEvents 1.0 asks
	// intermediaries to forward events of 64 KiB.
	MaxRecordBytes = 65_536
	// MaxAttributeBytes bounds one string attribute of an event.
	MaxAttributeBytes = 1_024
	// MaxExtensions bounds the extension attributes of one event.
	MaxExtensions = 32
	// MaxExtensionName bounds the name of an extension attribute.
	MaxExtensionName = 64
	// MaxEventJSONBytes bounds one event as JSON: escapes and base64 may
	// inflate the record.
	MaxEventJSONBytes = 4 * MaxRecordBytes

	// MaxTxBytes bounds one encoded transaction.
	MaxTxBytes = 1 << 20
	// MaxBatchEvents bounds the events of one batch.
	MaxBatchEvents = 10_000
	// MaxBatchRawBytes bounds the events of one batch when inflated.
	MaxBatchRawBytes = 4 << 20
	// MaxStreamName bounds a stream's name.
	MaxStreamName = 64
	// MaxSkip bounds one declared gap of a stream.
	MaxSkip = 1 << 32
	// MaxSequence bounds a stream's sequence so that arithmetic on it never overflows.
	MaxSequence = 1 << 62

	// MaxCodeBytes bounds a contract's module.
	MaxCodeBytes = 512 << 10
	// MaxManifestBytes bounds a contract's manifest.
	MaxManifestBytes = 64 << 10
	// MaxArgsBytes bounds the JSON arguments of a call, a query or an initialisation.
	MaxArgsBytes = 16 << 10
	// MaxMethodName bounds the name of a contract's call or query.
	MaxMethodName = 64
	// MaxTimerData bounds what a contract gives a timer to bring back.
	MaxTimerData = 1 << 10
	// MaxContractName bounds a contract's name.
	MaxContractName = 64

	// MaxChainID bounds a chain id (CometBFT's own limit is 50).
	MaxChainID = 50
)
