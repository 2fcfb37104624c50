package bank

import "github.com/cairn-ledger/cairn/client/protocol"

// ReadAsset finds an asset; a refusal says there is none.
func ReadAsset(s Reader, symbol string) (*protocol.Asset, error) {
	key := protocol.AssetKey(symbol)
	value, ok, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Refuse(protocol.CodeAssetUnknown, "no asset has the symbol %q", symbol)
	}
	asset, err := protocol.DecodeAsset(symbol, value)
	if err != nil {
		return nil, damaged(key, err)
	}
	return asset, nil
}

func (b *Bank) asset(symbol string) (*protocol.Asset, error) { return ReadAsset(b.state, symbol) }

func (b *Bank) putAsset(a *protocol.Asset) error {
	return b.state.Set(protocol.AssetKey(a.Symbol), a.AppendBinary(nil))
}

// issue makes an asset of which there is nothing yet. What is declared here
// stays: the cap is not raised, the right to freeze not added.
func (b *Bank) issue(by protocol.Address, op *protocol.TokenOp) error {
	if _, taken, err := b.state.Get(protocol.AssetKey(op.Asset)); err != nil || taken {
		if err == nil {
			err = protocol.Refuse(protocol.CodeAssetExists, "an asset %q exists", op.Asset)
		}
		return err
	}
	asset := &protocol.Asset{
		Symbol: op.Asset, Name: op.Memo, Issuer: op.Account, Decimals: op.Decimals, Cap: op.Amount, Freezable: op.Freezable,
	}
	if asset.Issuer == (protocol.Address{}) {
		asset.Issuer = by
	}
	if err := noKey(b.state, asset.Issuer); err != nil {
		return err
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, By: by, Terms: op})
	return b.putAsset(asset)
}

// issued finds an asset that the sender may mint or freeze.
func (b *Bank) issued(by protocol.Address, symbol string) (*protocol.Asset, error) {
	asset, err := b.asset(symbol)
	if err == nil && asset.Issuer != by {
		err = protocol.Refuse(protocol.CodeNotIssuer, "%s is issued by %s", symbol, asset.Issuer)
	}
	return asset, err
}

func (b *Bank) mint(by protocol.Address, op *protocol.TokenOp) error {
	asset, err := b.issued(by, op.Asset)
	if err != nil {
		return err
	}
	limit := asset.Cap
	if limit == 0 {
		limit = protocol.MaxAmount
	}
	if op.Amount > limit-asset.Supply {
		return protocol.Refuse(protocol.CodeSupplyCap, "%d of %d %s are out, this adds %d", asset.Supply, limit, op.Asset, op.Amount)
	}
	to, err := b.receivable(op.Account, op.Asset)
	if err != nil {
		return err
	}
	asset.Supply += op.Amount
	b.count(op.Asset, -op.Amount)
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, To: op.Account, By: by, Amount: op.Amount, Memo: op.Memo})
	if err := b.putAsset(asset); err != nil {
		return err
	}
	return b.add(op.Account, op.Asset, to, op.Amount)
}

func (b *Bank) burn(by protocol.Address, op *protocol.TokenOp) error {
	was, err := b.payable(by, op.Asset, op.Amount)
	if err != nil {
		return err
	}
	asset, err := b.asset(op.Asset)
	if err != nil {
		return err
	}
	asset.Supply -= op.Amount
	b.count(op.Asset, op.Amount)
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, From: by, By: by, Amount: op.Amount, Memo: op.Memo})
	if err := b.putAsset(asset); err != nil {
		return err
	}
	return b.setAmount(by, op.Asset, was, was.Amount-op.Amount)
}

// freeze stops an account's units, or lets them go again: frozen, they are
// neither paid, burned nor held. The account can still receive, and what was
// held or streaming before goes its way.
func (b *Bank) freeze(by protocol.Address, op *protocol.TokenOp) error {
	asset, err := b.issued(by, op.Asset)
	if err != nil {
		return err
	}
	if !asset.Freezable {
		return protocol.Refuse(protocol.CodeNotFreezable, "%s was issued without the right to freeze", op.Asset)
	}
	balance, err := b.balance(op.Account, op.Asset)
	if err != nil {
		return err
	}
	balance.Frozen = op.Kind == protocol.TokenFreeze
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, From: op.Account, By: by, Memo: op.Memo})
	return b.putBalance(op.Account, op.Asset, balance)
}
