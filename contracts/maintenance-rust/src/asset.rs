//! A machine: its last reading, its triggers and its counts.

use crate::abi::{abort, Counter, Cursor, Map, Writer};
use crate::codes;
use crate::parameters::Parameters;
use crate::trigger::{per_minute, smooth, Measures, BY_EWMA, BY_RATE, BY_THRESHOLD};

const ASSETS: Map = Map(b'a');
pub const KNOWN: Counter = Counter(b"\x06assets");

/// How many of the last readings' times an asset keeps.
const REMEMBERED: usize = 16;

/// The size of a stored asset; contracts/maintenance/asset.go has the layout.
const BYTES: usize = 79 + 8 * REMEMBERED;

pub struct Asset {
    pub name: &'static [u8],
    pub places: u8,
    pub last: Measures,
    pub active: u8, // triggers that hold, one bit each
    pub is_open: bool,
    pub urgent: bool,
    pub readings: u64,
    pub triggered: u64, // readings at which a trigger held
    pub held: u64,      // of them in a row, up to the last; since then:
    since_ns: i64,
    pub last_index: u64,
    pub opened: u32,
    pub confirmed: u32,
    pub falsified: u32,
    times_ns: [i64; REMEMBERED], // that of reading i at i mod REMEMBERED
}

impl Asset {
    /// Reads an asset, or answers one without readings.
    pub fn load(name: &'static [u8]) -> Asset {
        let mut record = [0; BYTES];
        match ASSETS.get(name, &mut record) {
            None => record = [0; BYTES],
            Some(BYTES) if record[0] == 1 => {}
            Some(_) => abort(codes::BAD_STATE, "BAD_STATE: a stored asset is malformed"),
        }
        let mut r = Cursor(&record);
        let [_format, flags, places] = r.array();
        let of = [r.i64(), r.i64(), r.i64()];
        Asset {
            name,
            places,
            last: Measures { of, has_rate: flags & 32 != 0 },
            active: flags & 7,
            is_open: flags & 8 != 0,
            urgent: flags & 16 != 0,
            last_index: r.u64(),
            since_ns: r.i64(),
            held: r.u64(),
            readings: r.u64(),
            triggered: r.u64(),
            opened: r.u32(),
            confirmed: r.u32(),
            falsified: r.u32(),
            times_ns: core::array::from_fn(|_| r.i64()),
        }
    }

    pub fn save(&self) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.active | flag(self.is_open, 8) | flag(self.urgent, 16) | flag(self.last.has_rate, 32);
        let mut w = Writer::<BYTES>::new();
        w.put(&[1, flags, self.places]);
        for v in self.last.of {
            w.u64(v as u64);
        }
        w.u64(self.last_index).u64(self.since_ns as u64);
        w.u64(self.held).u64(self.readings).u64(self.triggered);
        w.u32(self.opened).u32(self.confirmed).u32(self.falsified);
        for ns in self.times_ns {
            w.u64(ns as u64);
        }
        ASSETS.set(self.name, &w.record);
    }

    /// Whether a reading of this time is among the last ones.
    pub fn has(&self, ns: i64) -> bool {
        let known = self.readings.min(REMEMBERED as u64) as usize;
        self.times_ns[..known].contains(&ns)
    }

    /// The time of the last reading, of which there is one.
    pub fn last_ns(&self) -> i64 {
        self.times_ns[(self.readings - 1) as usize % REMEMBERED]
    }

    /// What the triggers compare at a new reading, later than the last.
    pub fn measure(&self, p: &Parameters, value: i64, ns: i64) -> Measures {
        let mut m = Measures { of: [value, value, 0], has_rate: false };
        if self.readings > 0 {
            m.has_rate = true;
            m.of[BY_EWMA] = smooth(self.last.of[BY_EWMA], value, p.alpha);
            let change = value.wrapping_sub(self.last.of[BY_THRESHOLD]);
            m.of[BY_RATE] = per_minute(change, ns.wrapping_sub(self.last_ns()) as u64);
        }
        m
    }

    /// Sets which triggers hold, and answers those that did not before.
    pub fn judge(&mut self, p: &Parameters, m: &Measures) -> u8 {
        let before = self.active;
        self.active = 0;
        for (i, t) in p.triggers.iter().enumerate() {
            let there = i != BY_RATE || m.has_rate;
            if there && t.holds(m.of[i], self.places, before >> i & 1 == 1) {
                self.active |= 1 << i;
            }
        }
        self.active & !before
    }

    /// Counts a judged reading.
    pub fn take(&mut self, index: u64, m: &Measures, ns: i64) {
        if self.readings == 0 {
            KNOWN.add(1);
        }
        self.times_ns[self.readings as usize % REMEMBERED] = ns;
        self.readings += 1;
        self.last = *m;
        self.last_index = index;
        if self.active == 0 {
            self.held = 0;
            return;
        }
        if self.held == 0 {
            self.since_ns = ns;
        }
        self.held += 1;
        self.triggered += 1;
    }

    /// How long at least one trigger has held without a pause.
    pub fn held_ns(&self) -> u64 {
        self.last_ns().wrapping_sub(self.since_ns) as u64
    }
}
