//! A technician's answer to an order.

use crate::abi::{abort, reply, Event, Request};
use crate::address::{self, Address};
use crate::asset::Asset;
use crate::json::Json;
use crate::order::{parse_id, Order, CLOSED, CONFIRMED, FALSIFIED, OPEN};
use crate::{codes, people, rewards};

const OUTCOME_CONFIRMED: &str = "confirmed";
const OUTCOME_FALSE_ALARM: &str = "false-alarm";

pub fn by_event(e: &mut Event) {
    let (id, outcome) = (e.fields.field_bytes(), e.fields.field_bytes());
    close(e.origin, e.time_ms, id, outcome);
}

pub fn by_call(r: &mut Request) {
    let (id, outcome) = (r.fields.field_bytes(), r.fields.field_bytes());
    let o = close(r.caller, r.time_ms, id, outcome);
    let mut w = Json::new();
    o.describe(&mut w);
    reply(w.bytes());
}

/// Ends an open order. The asset's triggers stay as they are: one that still
/// holds has to go and come back before it opens another.
fn close(who: Address, time_ms: u64, id: &[u8], outcome: &[u8]) -> Order {
    people::check_technician(&who);
    let key = parse_id(id);
    let confirmed = outcome == OUTCOME_CONFIRMED.as_bytes();
    if !confirmed && outcome != OUTCOME_FALSE_ALARM.as_bytes() {
        abort(codes::BAD_OUTCOME, "BAD_OUTCOME: an order ends confirmed or false-alarm");
    }
    let mut o = Order::load(OPEN, key).unwrap_or_else(|| {
        if Order::load(CLOSED, key).is_some() {
            abort(codes::NOT_OPEN, "NOT_OPEN: the order is closed already");
        }
        abort(codes::NOT_FOUND, "NOT_FOUND: there is no such order")
    });
    if confirmed && o.reward > 0 && o.producer == who {
        abort(codes::OWN_ORDER, "OWN_ORDER: who would get the reward does not confirm the order");
    }
    OPEN.delete(key);
    o.closed = true;
    o.confirmed = confirmed;
    o.closed_ms = time_ms;
    o.technician = who;
    o.save();
    let mut a = Asset::load(o.asset());
    a.is_open = false;
    a.urgent = false;
    if confirmed {
        a.confirmed += 1;
        CONFIRMED.add(1);
    } else {
        a.falsified += 1;
        FALSIFIED.add(1);
    }
    a.save();
    o.emit_closed();
    if confirmed && o.reward > 0 {
        let paid = rewards::reward(&o.producer, o.reward);
        o.emit_reward(if paid { "maintenance.reward.paid.v1" } else { "maintenance.reward.due.v1" });
    }
    o
}

impl Order {
    pub fn outcome(&self) -> &'static str {
        if self.confirmed { OUTCOME_CONFIRMED } else { OUTCOME_FALSE_ALARM }
    }

    fn emit_closed(&self) {
        let mut w = Json::new();
        self.begin(&mut w);
        w.key("outcome").string(self.outcome());
        address::write(&self.technician, w.key("technician"));
        w.key("closedMs").uint(self.closed_ms);
        w.key("escalated").bool(self.escalated);
        w.key("attached").uint(self.attached.into());
        self.measures.values(&mut w, self.places);
        w.key("reading").uint(self.reading);
        self.emit("maintenance.order.closed.v1", w);
    }

    fn emit_reward(&self, event_type: &str) {
        let mut w = Json::new();
        self.begin(&mut w);
        address::write(&self.producer, w.key("producer"));
        w.key("amount").uint(self.reward);
        self.measures.values(&mut w, self.places);
        w.key("reading").uint(self.reading);
        self.emit(event_type, w);
    }
}
