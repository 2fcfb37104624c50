//! The rewards' ledger, in minor units: accrued = settled + the sum of what is due.

use crate::abi::{abort, Counter, Map, Request};
use crate::address::{self, Address};
use crate::{codes, people};

const DUE: Map = Map(b'r');
pub const ACCRUED: Counter = Counter(b"\x07accrued");
pub const SETTLED: Counter = Counter(b"\x07settled");

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

/// Makes an amount due to a producer.
pub fn credit(who: &Address, amount: u64) {
    if ACCRUED.add(amount) >= 1 << 63 {
        abort(codes::REWARD_LIMIT, "REWARD_LIMIT: all rewards together reach 2^63");
    }
    set_due(who, due_to(who) + amount);
}

/// Records that the owner paid a producer.
pub fn settle(r: &mut Request) {
    people::check_owner(&r.caller);
    let who = address::parse(r.fields.field_bytes());
    let amount = r.fields.field_u64();
    let owed = due_to(&who);
    if amount > owed {
        abort(codes::REWARD_LIMIT, "REWARD_LIMIT: less is due to this producer");
    }
    set_due(&who, owed - amount);
    SETTLED.add(amount);
}
