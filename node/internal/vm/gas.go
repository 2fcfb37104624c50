package vm

// Costs of host functions in gas, charged before the work is done and kept
// when it fails. A gas is about a third of a nanosecond; crossing into the
// host takes 30 to 40 ns. They are part of the protocol: changing one takes a
// new meter.Version.
const (
	gasCross        = 120     // of every host function
	gasPerByte      = 1       // moved between guest and host
	gasStateGet     = 3_000   // one read through cache, overlay and tree
	gasStateSet     = 9_000   // one write: journal, tree, disk
	gasPerStateByte = 8       // written to the state
	gasStateDelete  = 9_000   //
	gasStateScan    = 6_000   // opening an iterator
	gasPerPair      = 600     // of a scan
	gasEmit         = 12_000  // one log entry: two hashes, a leaf, an index
	gasPerEmitByte  = 12      // kept by every node
	gasHash         = 600     // one SHA-256
	gasPerHashByte  = 8       // about 400 MB/s without hardware help
	gasVerify       = 500_000 // one secp256k1 verification: 100-150 us
	gasLog          = 300     //
	gasCall         = 30_000  // finding the contract, an instance, an overlay
	gasPerCallByte  = 10      // of method and arguments, which are projected
	gasSchedule     = 30_000  // three writes of the state, or their removal

	// Tokens: reads and writes of the state as above, and the entry of the log.
	// Debits of a block that are alike share one.
	gasTransfer = 2*gasStateGet + 2*gasStateSet + gasEmit
	gasDebit    = 3*gasStateGet + 3*gasStateSet + 2_000
	gasHold     = 6*gasStateGet + 10*gasStateSet + gasEmit
	gasRelease  = 6*gasStateGet + 10*gasStateSet + gasEmit

	// imageBytesPerGas: every run starts by restoring the memory image.
	imageBytesPerGas = 16

	// gasFailure is added to what a failed run used, up to its limit: the
	// engine unwinds the guest and this package describes what happened.
	gasFailure = 10_000
)
