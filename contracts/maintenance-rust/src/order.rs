//! Work orders: opened, joined and escalated by readings.

use crate::abi::{abort, emit, join, Counter, Cursor, Event, Map, Writer};
use crate::address::{self, Address};
use crate::asset::Asset;
use crate::json::{decimal_digits, Json};
use crate::parameters::Parameters;
use crate::trigger::{names, Measures};
use crate::{codes, MAX_ASSET_BYTES};

pub const OPEN: Map = Map(b'o');
pub const CLOSED: Map = Map(b'c');

pub const OPENED: Counter = Counter(b"\x06opened");
pub const ESCALATED: Counter = Counter(b"\x09escalated");
pub const CONFIRMED: Counter = Counter(b"\x09confirmed");
pub const FALSIFIED: Counter = Counter(b"\x09falsified");

/// The size of a stored order; contracts/maintenance/order.go has the layout.
const BYTES: usize = 112;

pub struct Order {
    pub key: &'static [u8], // asset and number, big endian
    pub places: u8,
    pub triggers: u8,       // that opened it or were attached, one bit each
    pub measures: Measures, // of the reading that opened it, as the next three
    pub reading: u64,
    pub at_ns: i64,
    pub producer: Address,
    pub attached: u32,
    pub reward: u64,
    pub escalated: bool,
    pub escalated_reading: u64,
    pub closed: bool,
    pub confirmed: bool,
    pub closed_ms: u64,
    pub technician: Address,
}

pub fn order_key(asset: &[u8], number: u32) -> &'static [u8] {
    join(&[asset, &number.to_be_bytes()])
}

/// The name of the order under a key, such as pump#3.
pub fn id(key: &[u8]) -> &'static [u8] {
    let (asset, n) = key.split_at(key.len() - 4);
    let number = u32::from_be_bytes([n[0], n[1], n[2], n[3]]);
    join(&[asset, b"#", decimal_digits(number.into(), &mut [0; 20])])
}

/// The key of an order's name.
pub fn parse_id(id: &[u8]) -> &'static [u8] {
    let at = id.iter().rposition(|c| *c == b'#').unwrap_or(0);
    if at == 0 || at > MAX_ASSET_BYTES {
        bad();
    }
    let digits = &id[at + 1..];
    if digits.is_empty() || digits.len() > 10 || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        bad();
    }
    let number = digits.iter().fold(0, |n: u64, c| n * 10 + u64::from(c - b'0'));
    order_key(&id[..at], u32::try_from(number).unwrap_or_else(|_| bad()))
}

fn bad() -> ! {
    abort(codes::BAD_ORDER, "BAD_ORDER: an order's name is the asset's, # and a number")
}

impl Order {
    pub fn load(m: Map, key: &'static [u8]) -> Option<Order> {
        let mut r = [0; BYTES];
        let size = m.get(key, &mut r)?;
        Some(Order::decode(key, &r[..size.min(BYTES)]))
    }

    pub fn decode(key: &'static [u8], record: &[u8]) -> Order {
        if record.len() != BYTES || record[0] != 1 || key.len() < 5 {
            abort(codes::BAD_STATE, "BAD_STATE: a stored order is malformed");
        }
        let mut r = Cursor(record);
        let [_format, flags, places, triggers] = r.array();
        let of = [r.i64(), r.i64(), r.i64()];
        Order {
            key,
            places,
            triggers,
            measures: Measures { of, has_rate: flags & 8 != 0 },
            escalated: flags & 1 != 0,
            closed: flags & 2 != 0,
            confirmed: flags & 4 != 0,
            reading: r.u64(),
            at_ns: r.i64(),
            producer: r.array(),
            attached: r.u32(),
            reward: r.u64(),
            escalated_reading: r.u64(),
            closed_ms: r.u64(),
            technician: r.array(),
        }
    }

    /// Stores the order among the open or the closed ones.
    pub fn save(&self) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(self.escalated, 1) | flag(self.closed, 2) | flag(self.confirmed, 4)
            | flag(self.measures.has_rate, 8);
        let mut w = Writer::<BYTES>::new();
        w.put(&[1, flags, self.places, self.triggers]);
        for v in self.measures.of {
            w.u64(v as u64);
        }
        w.u64(self.reading).u64(self.at_ns as u64).put(&self.producer);
        w.u32(self.attached).u64(self.reward).u64(self.escalated_reading);
        w.u64(self.closed_ms).put(&self.technician);
        let m = if self.closed { CLOSED } else { OPEN };
        m.set(self.key, &w.record);
    }

    pub fn asset(&self) -> &'static [u8] {
        &self.key[..self.key.len() - 4]
    }

    /// The members that every event of an order has first.
    pub fn begin(&self, w: &mut Json) {
        w.object();
        w.key("order").text(id(self.key));
        w.key("asset").text(self.asset());
    }

    pub fn emit(&self, event_type: &str, mut w: Json) {
        w.end_object();
        emit(event_type, self.asset(), w.bytes());
    }
}

impl Asset {
    /// Does what a judged reading asks of the asset's order: opens one or
    /// attaches to it when triggers rose, and escalates it when they held too long.
    pub fn order(&mut self, e: &Event, p: &Parameters, m: &Measures, rising: u8) {
        let long = p.escalate_ms > 0 && self.held_ns() >= p.escalate_ms * 1_000_000
            || p.escalate_readings > 0 && self.held >= p.escalate_readings;
        let escalate = (self.is_open || rising != 0) && !self.urgent && self.active != 0 && long;
        if rising == 0 && !escalate {
            return;
        }
        let mut o = if self.is_open {
            let mut o = self.current_order();
            o.triggers |= rising;
            o.attached += rising.count_ones();
            o
        } else {
            self.open(e, p, m, rising)
        };
        if escalate {
            self.escalate(&mut o, e, m);
        }
        o.save();
    }

    fn current_order(&self) -> Order {
        Order::load(OPEN, order_key(self.name, self.opened))
            .unwrap_or_else(|| abort(codes::BAD_STATE, "BAD_STATE: the asset's open order is missing"))
    }

    /// Makes the asset's next order and emits it. The reading is its cause.
    fn open(&mut self, e: &Event, p: &Parameters, m: &Measures, rising: u8) -> Order {
        self.opened += 1;
        self.is_open = true;
        self.urgent = false;
        OPENED.add(1);
        let o = Order {
            key: order_key(self.name, self.opened),
            places: self.places,
            triggers: rising,
            measures: *m,
            reading: e.index,
            at_ns: self.last_ns(),
            producer: e.origin,
            attached: 0,
            reward: p.reward,
            escalated: false,
            escalated_reading: 0,
            closed: false,
            confirmed: false,
            closed_ms: 0,
            technician: address::ZERO,
        };
        let mut w = Json::new();
        o.begin(&mut w);
        names(w.key("triggers"), rising);
        m.values(&mut w, o.places);
        w.key("reading").uint(e.index);
        w.key("observedMs").int(milliseconds(o.at_ns));
        address::write(&o.producer, w.key("producer"));
        o.emit("maintenance.order.opened.v1", w);
        o
    }

    /// Marks the order and emits that the triggers still hold.
    fn escalate(&mut self, o: &mut Order, e: &Event, m: &Measures) {
        self.urgent = true;
        o.escalated = true;
        o.escalated_reading = e.index;
        ESCALATED.add(1);
        let mut w = Json::new();
        o.begin(&mut w);
        names(w.key("triggers"), self.active);
        m.values(&mut w, o.places);
        w.key("reading").uint(e.index);
        w.key("observedMs").int(milliseconds(self.last_ns()));
        w.key("openedBy").uint(o.reading);
        w.key("heldMs").uint(self.held_ns() / 1_000_000);
        w.key("heldReadings").uint(self.held);
        o.emit("maintenance.order.escalated.v1", w);
    }
}

/// Rounds down, before 1970 too.
pub fn milliseconds(ns: i64) -> i64 {
    ns.div_euclid(1_000_000)
}
