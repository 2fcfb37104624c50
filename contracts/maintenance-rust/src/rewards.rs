//! Rewards are paid from the contract's own account in the ledger's bank. What
//! that account lacks is due: accrued = paid + the sum of what is due.

use crate::abi::{abort, alloc, emit, get, own_balance, set, transfer, Counter, Map, Request};
use crate::address::{self, Address};
use crate::json::Json;
use crate::{codes, people};

const DUE: Map = Map(b'r');
pub const ACCRUED: Counter = Counter(b"\x07accrued");
pub const PAID: Counter = Counter(b"\x04paid");
const ASSET_KEY: &[u8] = b"\x00asset";
const MAX_SYMBOL: usize = 12;

/// Stores what rewards are paid in; empty is nothing.
pub fn set_asset(symbol: &[u8]) {
    if symbol.is_empty() {
        return;
    }
    let later = |c: &u8| c.is_ascii_alphanumeric() || *c == b'.' || *c == b'-';
    if symbol.len() > MAX_SYMBOL || !symbol[0].is_ascii_alphabetic() || !symbol.iter().all(later) {
        let what = "BAD_PARAMETERS: an asset is a letter, then up to 11 letters, digits, dots or dashes";
        abort(codes::BAD_PARAMETERS, what);
    }
    set(ASSET_KEY, symbol);
}

pub fn asset() -> &'static [u8] {
    let symbol = alloc(MAX_SYMBOL);
    let size = get(ASSET_KEY, symbol).unwrap_or(0);
    &symbol[..size]
}

/// Aborts where parameters promise what cannot be paid.
pub fn check(reward: u64) {
    if reward > 0 && asset().is_empty() {
        abort(codes::BAD_PARAMETERS, "BAD_PARAMETERS: a reward asks for the deployment's rewardAsset");
    }
}

pub fn due_to(who: &Address) -> u64 {
    let mut b = [0; 8];
    match DUE.get(who, &mut b) {
        None => 0,
        Some(8) => u64::from_le_bytes(b),
        Some(_) => abort(codes::BAD_STATE, "BAD_STATE: a stored reward has not 8 bytes"),
    }
}

fn set_due(who: &Address, amount: u64) {
    if amount == 0 {
        DUE.delete(who);
        return;
    }
    DUE.set(who, &amount.to_le_bytes());
}

/// Pays a producer, or makes it due where the bank refuses; whether it paid.
pub fn reward(who: &Address, amount: u64) -> bool {
    if ACCRUED.add(amount) >= 1 << 63 {
        abort(codes::REWARD_LIMIT, "REWARD_LIMIT: all rewards together reach 2^63");
    }
    if !transfer(asset(), who, amount) {
        set_due(who, due_to(who) + amount);
        return false;
    }
    PAID.add(amount);
    true
}

/// Pays a producer all that is due. Anybody may ask for it.
pub fn settle(r: &mut Request) {
    let who = address::parse(r.fields.field_bytes());
    let owed = due_to(&who);
    if owed == 0 {
        abort(codes::NOT_FOUND, "NOT_FOUND: nothing is due to this producer");
    }
    if !transfer(asset(), &who, owed) {
        unfunded();
    }
    set_due(&who, 0);
    PAID.add(owed);
    let mut w = Json::new();
    w.object();
    address::write(&who, w.key("producer"));
    w.key("amount").uint(owed);
    w.end_object();
    emit("maintenance.reward.settled.v1", &[], w.bytes());
}

/// Pays the owner's choice of what is not due to anybody.
pub fn withdraw(r: &mut Request) {
    people::check_owner(&r.caller);
    let to = address::parse(r.fields.field_bytes());
    let amount = r.fields.field_u64();
    let asset = asset();
    if asset.is_empty() {
        unfunded();
    }
    let (has, owed) = (own_balance(asset), ACCRUED.value().wrapping_sub(PAID.value()));
    if has < owed || amount > has - owed || !transfer(asset, &to, amount) {
        unfunded();
    }
}

fn unfunded() -> ! {
    let what = "UNFUNDED: the contract has not so much that is not due to producers, or the bank refuses";
    abort(codes::UNFUNDED, what)
}
