package protocol

// Deploy stores a contract's module and creates the contract. Its address is
// ContractAddress(sender, name in the manifest).
type Deploy struct {
	Code     []byte // WebAssembly module
	Manifest []byte // JSON, as contracts/abi defines it
	Args     []byte // JSON arguments of the contract's initialisation; empty means {}
}

// Kind is TxDeploy.
func (*Deploy) Kind() TxKind { return TxDeploy }

func (d *Deploy) check() error {
	switch {
	case len(d.Code) == 0 || len(d.Code) > MaxCodeBytes:
		return Refuse(CodeTooLarge, "deploy: module has %d bytes, must have 1 to %d", len(d.Code), MaxCodeBytes)
	case len(d.Manifest) == 0 || len(d.Manifest) > MaxManifestBytes:
		return Refuse(CodeTooLarge, "deploy: manifest has %d bytes, must have 1 to %d", len(d.Manifest), MaxManifestBytes)
	case len(d.Args) > MaxArgsBytes:
		return Refuse(CodeTooLarge, "deploy: arguments have %d bytes, the limit is %d", len(d.Args), MaxArgsBytes)
	}
	return nil
}

func (d *Deploy) appendBody(dst []byte) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	dst = appendBytes(dst, d.Code)
	dst = appendBytes(dst, d.Manifest)
	return appendBytes(dst, d.Args), nil
}

func decodeDeploy(r *reader) (*Deploy, error) {
	d := &Deploy{
		Code:     append([]byte(nil), r.bytes(MaxCodeBytes, "module")...),
		Manifest: append([]byte(nil), r.bytes(MaxManifestBytes, "manifest")...),
		Args:     append([]byte(nil), r.bytes(MaxArgsBytes, "arguments")...),
	}
	if err := r.malformed("deploy"); err != nil {
		return nil, err
	}
	return d, d.check()
}

// Call runs a method of a contract.
type Call struct {
	Contract Address
	Method   string
	Args     []byte // JSON arguments; empty means {}
}

// Kind is TxCall.
func (*Call) Kind() TxKind { return TxCall }

func (c *Call) check() error {
	switch {
	case len(c.Method) == 0 || len(c.Method) > MaxMethodName:
		return Refuse(CodeMalformed, "call: method name has %d characters, must have 1 to %d", len(c.Method), MaxMethodName)
	case len(c.Args) > MaxArgsBytes:
		return Refuse(CodeTooLarge, "call: arguments have %d bytes, the limit is %d", len(c.Args), MaxArgsBytes)
	}
	return nil
}

func (c *Call) appendBody(dst []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dst = append(dst, c.Contract[:]...)
	dst = appendBytes(dst, c.Method)
	return appendBytes(dst, c.Args), nil
}

func decodeCall(r *reader) (*Call, error) {
	c := &Call{}
	copy(c.Contract[:], r.take(20, "contract"))
	c.Method = r.string(MaxMethodName, "method")
	c.Args = append([]byte(nil), r.bytes(MaxArgsBytes, "arguments")...)
	if err := r.malformed("call"); err != nil {
		return nil, err
	}
	return c, c.check()
}
