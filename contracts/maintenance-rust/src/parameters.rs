//! What is configured of an asset.

use crate::abi::{abort, get, set, Cursor, Map, Reader, Request, Writer};
use crate::address::{self, Address};
use crate::json::Json;
use crate::trigger::{decimal, Trigger, ABOVE, BELOW, COARSE_PLACES, NAMES, OFF, SIDES, TRIGGERS};
use crate::{check_asset, codes, people, rewards};

pub const OVERRIDES: Map = Map(b'p');
const DEFAULTS_KEY: &[u8] = b"\x00defaults";

const MAX_ALPHA: u64 = 65536;
const MAX_MS: u64 = 1_000_000_000_000;
const MAX_REWARD: u64 = 1_000_000_000_000_000;

/// The size of stored parameters; contracts/maintenance/parameters.go has the layout.
const BYTES: usize = 108;

#[derive(Clone, PartialEq)]
pub struct Parameters {
    pub triggers: [Trigger; TRIGGERS],
    pub alpha: u32,
    pub escalate_ms: u64,
    pub escalate_readings: u64,
    pub reward: u64,
    pub max_ahead_ms: u64,
    pub producer: Address,
}

impl Parameters {
    /// What the deployment leaves out: no trigger, and an average that moves
    /// an eighth of the way.
    pub fn initial() -> Parameters {
        Parameters {
            triggers: [Trigger { side: OFF, on: 0, off: 0 }; TRIGGERS],
            alpha: 8192,
            escalate_ms: 0,
            escalate_readings: 0,
            reward: 0,
            max_ahead_ms: 0,
            producer: address::ZERO,
        }
    }

    /// Takes the parameters' fields; what is left out stays.
    pub fn read(mut self, r: &mut Reader) -> Parameters {
        for t in &mut self.triggers {
            read_trigger(t, r);
        }
        let alpha = r.optional_u64().unwrap_or(self.alpha.into());
        self.escalate_ms = r.optional_u64().unwrap_or(self.escalate_ms);
        self.escalate_readings = r.optional_u64().unwrap_or(self.escalate_readings);
        self.reward = r.optional_u64().unwrap_or(self.reward);
        self.max_ahead_ms = r.optional_u64().unwrap_or(self.max_ahead_ms);
        self.producer = address::optional(r).unwrap_or(self.producer);
        let times = self.escalate_ms <= MAX_MS && self.max_ahead_ms <= MAX_MS;
        if alpha == 0 || alpha > MAX_ALPHA || !times || self.reward > MAX_REWARD {
            let what = "BAD_PARAMETERS: alpha is 1 to 65536, times at most 10^12 ms, the reward at most 10^15";
            abort(codes::BAD_PARAMETERS, what);
        }
        self.alpha = alpha as u32;
        self
    }

    fn encode(&self) -> [u8; BYTES] {
        let mut w = Writer::<BYTES>::new();
        w.put(&[1]);
        for t in &self.triggers {
            w.put(&[t.side]).u64(t.on as u64).u64(t.off as u64);
        }
        w.u32(self.alpha).u64(self.escalate_ms).u64(self.escalate_readings);
        w.u64(self.reward).u64(self.max_ahead_ms).put(&self.producer);
        w.record
    }

    /// What is in force for an asset.
    pub fn of(name: &[u8]) -> Parameters {
        let mut b = [0; BYTES];
        match OVERRIDES.get(name, &mut b) {
            None => Parameters::defaults(),
            Some(size) => decode(&b, size),
        }
    }

    /// The deployment's parameters.
    fn defaults() -> Parameters {
        let mut b = [0; BYTES];
        match get(DEFAULTS_KEY, &mut b) {
            None => Parameters::initial(),
            Some(size) => decode(&b, size),
        }
    }

    pub fn set_defaults(&self) {
        set(DEFAULTS_KEY, &self.encode());
    }

    pub fn describe(&self, w: &mut Json) {
        for (name, t) in NAMES.iter().zip(&self.triggers) {
            w.key(name);
            if t.side == OFF {
                w.null();
                continue;
            }
            w.object();
            w.key("side").string(SIDES[usize::from(t.side)]);
            decimal(w.key("on"), t.on, COARSE_PLACES);
            decimal(w.key("off"), t.off, COARSE_PLACES);
            w.end_object();
        }
        w.key("alpha").uint(self.alpha.into());
        w.key("escalateMs").uint(self.escalate_ms);
        w.key("escalateReadings").uint(self.escalate_readings);
        w.key("reward").uint(self.reward);
        w.key("maxAheadMs").uint(self.max_ahead_ms);
        w.key("producer");
        if address::is_zero(&self.producer) {
            w.null();
        } else {
            address::write(&self.producer, w);
        }
    }
}

/// Takes a trigger's three fields. An on-level without an off-level is both.
fn read_trigger(t: &mut Trigger, r: &mut Reader) {
    const ABSENT: u64 = i64::MIN as u64;
    let side = r.optional_bytes();
    let level = r.optional_u64().unwrap_or(ABSENT);
    if level != ABSENT {
        t.on = level as i64;
        t.off = level as i64;
    }
    t.off = r.optional_u64().map_or(t.off, |v| v as i64);
    if let Some(side) = side {
        match SIDES.iter().position(|s| s.as_bytes() == side) {
            Some(i) => t.side = i as u8,
            None => abort(codes::BAD_PARAMETERS, "BAD_PARAMETERS: a trigger is off, above or below"),
        }
    }
    if t.side == ABOVE && t.off > t.on || t.side == BELOW && t.off < t.on {
        let what = "BAD_PARAMETERS: the off-level lies on the trigger's own side of the on-level";
        abort(codes::BAD_PARAMETERS, what);
    }
}

fn decode(b: &[u8; BYTES], size: usize) -> Parameters {
    if size != BYTES || b[0] != 1 {
        abort(codes::BAD_STATE, "BAD_STATE: stored parameters are malformed");
    }
    let mut r = Cursor(&b[1..]);
    Parameters {
        triggers: core::array::from_fn(|_| {
            let [side] = r.array();
            Trigger { side, on: r.i64(), off: r.i64() }
        }),
        alpha: r.u32(),
        escalate_ms: r.u64(),
        escalate_readings: r.u64(),
        reward: r.u64(),
        max_ahead_ms: r.u64(),
        producer: r.array(),
    }
}

/// Sets an asset's parameters, all anew: what is left out is the deployment's.
/// Without any, the asset follows the deployment's again.
pub fn configure(r: &mut Request) {
    let s = people::settings();
    if r.caller != s.owner && r.caller != s.configurer {
        abort(codes::NOT_ALLOWED, "NOT_ALLOWED: parameters are set by the owner or the configurer");
    }
    let name = r.fields.field_bytes();
    check_asset(name);
    let base = Parameters::defaults();
    let p = base.clone().read(&mut r.fields);
    rewards::check(p.reward);
    if p == base {
        OVERRIDES.delete(name);
        return;
    }
    OVERRIDES.set(name, &p.encode());
}

