//! What triggers compare, and when they hold.

use crate::json::{decimal_digits, Json};

pub const COARSE_PLACES: u8 = 9;
pub const FINE_PLACES: u8 = 16;

/// The triggers of an asset, by number.
pub const BY_THRESHOLD: usize = 0;
pub const BY_EWMA: usize = 1;
pub const BY_RATE: usize = 2;
pub const TRIGGERS: usize = 3;
pub const NAMES: [&str; TRIGGERS] = ["threshold", "ewma", "rate"];

/// Sides of a trigger's level.
pub const OFF: u8 = 0;
pub const ABOVE: u8 = 1;
pub const BELOW: u8 = 2;
pub const SIDES: [&str; 3] = ["off", "above", "below"];

/// Holds from the reading whose measure reaches the on-level until one passes
/// the off-level. Levels have COARSE_PLACES.
#[derive(Clone, Copy, PartialEq)]
pub struct Trigger {
    pub side: u8,
    pub on: i64,
    pub off: i64,
}

/// The measures of a reading, scaled by the asset's places. The first has no rate.
#[derive(Clone, Copy, Default)]
pub struct Measures {
    pub of: [i64; TRIGGERS],
    pub has_rate: bool,
}

impl Trigger {
    pub fn holds(&self, measure: i64, places: u8, held: bool) -> bool {
        let level = scale(if held { self.off } else { self.on }, places);
        match self.side {
            ABOVE => measure >= level,
            BELOW => measure <= level,
            _ => false,
        }
    }
}

/// Brings a level to the places of an asset's readings. One beyond them becomes
/// the farthest there is, which no value and no rate reaches.
fn scale(level: i64, places: u8) -> i64 {
    const FACTOR: i64 = 10_000_000; // ten to FINE_PLACES - COARSE_PLACES
    if places == COARSE_PLACES {
        return level;
    }
    level.saturating_mul(FACTOR)
}

/// Moves an average towards a value by alpha 65536ths of the distance, rounded
/// to the nearest unit, halves away from the average.
pub fn smooth(average: i64, value: i64, alpha: u32) -> i64 {
    let distance = value.wrapping_sub(average);
    let product = u128::from(distance.unsigned_abs()) * u128::from(alpha);
    let step = ((product + (1 << 15)) >> 16) as i64;
    average.wrapping_add(if distance < 0 { -step } else { step })
}

/// Bounds a rate: below every level that scale cuts.
const MAX_RATE: u64 = i64::MAX as u64 - 1;

/// A change over ns nanoseconds as a rate, rounded towards zero and cut at
/// MAX_RATE. ns is not 0.
pub fn per_minute(change: i64, ns: u64) -> i64 {
    let exact = u128::from(change.unsigned_abs()) * 60_000_000_000 / u128::from(ns);
    let rate = exact.min(u128::from(MAX_RATE)) as i64;
    if change < 0 { -rate } else { rate }
}

/// Writes a scaled number as a string, exact and without zeros at the end.
pub fn decimal(w: &mut Json, v: i64, places: u8) {
    let size = v.unsigned_abs();
    let mut unit = 10u64.pow(u32::from(places));
    let mut text = [0u8; 40];
    let mut len = 0;
    if v < 0 {
        text[0] = b'-';
        len = 1;
    }
    let mut room = [0; 20];
    let whole = decimal_digits(size / unit, &mut room);
    text[len..len + whole.len()].copy_from_slice(whole);
    len += whole.len();
    let mut rest = size % unit;
    if rest > 0 {
        text[len] = b'.';
        len += 1;
    }
    while rest > 0 {
        unit /= 10;
        text[len] = b'0' + (rest / unit) as u8;
        len += 1;
        rest %= unit;
    }
    w.text(&text[..len]);
}

/// Writes the triggers of a set, one bit each.
pub fn names(w: &mut Json, set: u8) {
    w.array();
    for (i, name) in NAMES.iter().enumerate() {
        if set >> i & 1 == 1 {
            w.string(name);
        }
    }
    w.end_array();
}

impl Measures {
    pub fn values(&self, w: &mut Json, places: u8) {
        decimal(w.key("value"), self.of[BY_THRESHOLD], places);
        decimal(w.key("ewma"), self.of[BY_EWMA], places);
        w.key("ratePerMinute");
        if self.has_rate {
            decimal(w, self.of[BY_RATE], places);
        } else {
            w.null();
        }
    }
}
