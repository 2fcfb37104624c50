//! The maintenance contract in Rust: the same rules, state and answers as
//! contracts/maintenance, byte for byte. It needs no crate but core.
#![no_std]

mod abi;
mod address;
mod asset;
mod close;
mod codes;
mod json;
mod order;
mod parameters;
mod people;
mod prediction;
mod queries;
mod rewards;
mod trigger;

use abi::{abort, Event, Request, CODE_HANDLER, DONE};
use asset::Asset;
use parameters::Parameters;
use trigger::{COARSE_PLACES, FINE_PLACES};

const MAX_ASSET_BYTES: usize = 64;

/// Bounds a reading's scaled value, so that the difference of two fits an i64.
const MAX_VALUE: i64 = (1 << 62) - 1;

#[no_mangle]
pub extern "C" fn cairn_init(size: u32) -> i32 {
    people::set_up(&mut Request::read(size));
    DONE
}

// Handlers, in the order of manifest.json.

#[no_mangle]
pub extern "C" fn cairn_event(handler: u32, size: u32) -> i32 {
    let handle: fn(&mut Event) = match handler {
        0 => |e| plain(e, COARSE_PLACES),
        1 => |e| plain(e, FINE_PLACES),
        2 => close::by_event,
        3 => prediction::take,
        _ => abort(CODE_HANDLER, "no handler for this event"),
    };
    handle(&mut Event::read(size));
    DONE
}

#[no_mangle]
pub extern "C" fn cairn_call(handler: u32, size: u32) -> i32 {
    let handle: fn(&mut Request) = match handler {
        0 => parameters::configure,
        1 => people::set_technician,
        2 => close::by_call,
        3 => rewards::settle,
        4 => rewards::withdraw,
        _ => abort(CODE_HANDLER, "no handler for this call"),
    };
    handle(&mut Request::read(size));
    DONE
}

#[no_mangle]
pub extern "C" fn cairn_query(handler: u32, size: u32) -> i32 {
    let handle: fn(&mut Request) = match handler {
        0 => queries::order,
        1 => queries::orders,
        2 => queries::asset,
        3 => queries::stats,
        4 => queries::rewards,
        _ => abort(CODE_HANDLER, "no handler for this query"),
    };
    handle(&mut Request::read(size));
    DONE
}

/// Takes a measurement of the event's subject.
fn plain(e: &mut Event, places: u8) {
    let value = e.fields.field_u64() as i64;
    reading(e, e.subject, value, places)
}

/// Takes one measurement of an asset.
fn reading(e: &mut Event, asset: &'static [u8], value: i64, places: u8) {
    check_asset(asset);
    if !(-MAX_VALUE..=MAX_VALUE).contains(&value) {
        abort(codes::BAD_READING, "BAD_READING: the scaled value is 2^62 or more");
    }
    let at = e.time_ns;
    let mut a = Asset::load(asset);
    if a.has(at) {
        return; // a reading that was taken already, once more
    }
    if a.readings > 0 && at < a.last_ns() {
        abort(codes::LATE_READING, "LATE_READING: a later reading of this asset was taken already");
    }
    let p = Parameters::of(asset);
    if !address::is_zero(&p.producer) && p.producer != e.origin {
        abort(codes::NOT_ALLOWED, "NOT_ALLOWED: readings of this asset come from another producer");
    }
    let latest_ms = e.time_ms.wrapping_add(p.max_ahead_ms) as i64;
    if p.max_ahead_ms > 0 && at.div_euclid(1_000_000_000) * 1000 > latest_ms {
        abort(codes::FUTURE_READING, "FUTURE_READING: the reading's time is too far ahead of the block's");
    }
    if a.readings > 0 && places != a.places {
        abort(codes::OTHER_PLACES, "OTHER_PLACES: the asset's readings have another number of decimal places");
    }
    a.places = places;
    let m = a.measure(&p, value, at);
    let rising = a.judge(&p, &m);
    a.take(e.index, &m, at);
    a.order(e, &p, &m, rising);
    a.save();
}

fn check_asset(name: &[u8]) {
    if name.is_empty() || name.len() > MAX_ASSET_BYTES {
        abort(codes::BAD_ASSET, "BAD_ASSET: an asset's name has 1 to 64 bytes");
    }
}
