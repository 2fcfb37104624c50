//! Read-only questions.

use crate::abi::{abort, join, reply, Request};
use crate::address;
use crate::asset::{Asset, KNOWN};
use crate::json::Json;
use crate::order::{self, id, milliseconds, order_key, parse_id, Order};
use crate::parameters::{Parameters, OVERRIDES};
use crate::rewards::{asset as reward_asset, due_to, ACCRUED, PAID};
use crate::trigger::names;
use crate::{check_asset, codes};

/// Bounds of a page of orders: the longest 100 fit an answer.
const DEFAULT_PAGE: u64 = 50;
const MAX_PAGE: u64 = 100;

/// What a page's cursor begins with.
const CURSOR_OPEN: &[u8] = b"open:";
const CURSOR_CLOSED: &[u8] = b"closed:";

pub fn order(r: &mut Request) {
    let key = parse_id(r.fields.field_bytes());
    let o = Order::load(order::OPEN, key)
        .or_else(|| Order::load(order::CLOSED, key))
        .unwrap_or_else(|| abort(codes::NOT_FOUND, "NOT_FOUND: there is no such order"));
    let mut w = Json::new();
    o.describe(&mut w);
    reply(w.bytes());
}

/// The open orders and then the closed ones, each by asset and number, from
/// the first after the given one, and where the next page starts.
pub fn orders(r: &mut Request) {
    let after = r.fields.optional_bytes().unwrap_or(&[]);
    let mut limit = r.fields.optional_u64().unwrap_or(DEFAULT_PAGE);
    if limit == 0 || limit > MAX_PAGE {
        limit = MAX_PAGE;
    }
    let (key, closed) = parse_cursor(after);
    let mut w = Json::new();
    w.object();
    w.key("orders").array();
    let mut last: Option<Order> = None;
    let mut more = false;
    let mut page = |key: &'static [u8], value: &'static [u8]| {
        more = limit == 0;
        if more {
            return false;
        }
        let o = Order::decode(key, value);
        o.describe(&mut w);
        last = Some(o);
        limit -= 1;
        true
    };
    if closed {
        order::CLOSED.each(key, &mut page);
    } else if order::OPEN.each(key, &mut page) {
        order::CLOSED.each(&[], &mut page);
    }
    w.end_array();
    w.key("next");
    match last {
        Some(o) if more => w.text(join(&[if o.closed { CURSOR_CLOSED } else { CURSOR_OPEN }, id(o.key)])),
        _ => w.null(),
    }
    w.end_object();
    reply(w.bytes());
}

/// The key that a page starts after, and whether it is a closed order's.
fn parse_cursor(after: &[u8]) -> (&'static [u8], bool) {
    if after.is_empty() {
        return (&[], false);
    }
    if let Some(id) = after.strip_prefix(CURSOR_CLOSED) {
        return (parse_id(id), true);
    }
    // Without a prefix it has no name that parses either.
    (parse_id(after.strip_prefix(CURSOR_OPEN).unwrap_or(&[])), false)
}

impl Order {
    /// Writes all that is known of an order.
    pub fn describe(&self, w: &mut Json) {
        self.begin(w);
        w.key("state").string(if self.closed { self.outcome() } else { "open" });
        names(w.key("triggers"), self.triggers);
        self.measures.values(w, self.places);
        w.key("reading").uint(self.reading);
        w.key("observedMs").int(milliseconds(self.at_ns));
        address::write(&self.producer, w.key("producer"));
        w.key("reward").uint(self.reward);
        w.key("attached").uint(self.attached.into());
        w.key("escalatedReading");
        if self.escalated {
            w.uint(self.escalated_reading);
        } else {
            w.null();
        }
        if self.closed {
            address::write(&self.technician, w.key("technician"));
            w.key("closedMs").uint(self.closed_ms);
        }
        w.end_object();
    }
}

/// An asset's last reading, counts and parameters in force. An asset that was
/// only configured has an answer too.
pub fn asset(r: &mut Request) {
    let name = r.fields.field_bytes();
    check_asset(name);
    let a = Asset::load(name);
    if OVERRIDES.get(name, &mut []).is_none() && a.readings == 0 {
        abort(codes::NOT_FOUND, "NOT_FOUND: no reading of this asset came in yet");
    }
    let mut w = Json::new();
    w.object();
    w.key("asset").text(name);
    w.key("readings").uint(a.readings);
    w.key("triggered").uint(a.triggered);
    names(w.key("active"), a.active);
    w.key("last");
    if a.readings == 0 {
        w.null();
    } else {
        w.object();
        a.last.values(&mut w, a.places);
        w.key("reading").uint(a.last_index);
        w.key("observedMs").int(milliseconds(a.last_ns()));
        w.end_object();
    }
    w.key("openOrder");
    if a.is_open {
        w.text(id(order_key(name, a.opened)));
    } else {
        w.null();
    }
    w.key("orders").uint(a.opened.into());
    w.key("confirmed").uint(a.confirmed.into());
    w.key("falseAlarms").uint(a.falsified.into());
    w.key("parameters").object();
    Parameters::of(name).describe(&mut w);
    w.end_object();
    w.end_object();
    reply(w.bytes());
}

/// The counts over all assets.
pub fn stats(_: &mut Request) {
    let (opened, confirmed, falsified) = (order::OPENED.value(), order::CONFIRMED.value(), order::FALSIFIED.value());
    let (all, paid) = (ACCRUED.value(), PAID.value());
    let mut w = Json::new();
    w.object();
    w.key("assets").uint(KNOWN.value());
    w.key("orders").object();
    w.key("opened").uint(opened);
    w.key("open").uint(opened.wrapping_sub(confirmed).wrapping_sub(falsified));
    w.key("escalated").uint(order::ESCALATED.value());
    w.key("confirmed").uint(confirmed);
    w.key("falseAlarms").uint(falsified);
    w.end_object();
    w.key("rewards").object();
    w.key("accrued").uint(all);
    w.key("paid").uint(paid);
    w.key("due").uint(all.wrapping_sub(paid));
    w.end_object();
    w.end_object();
    reply(w.bytes());
}

/// What is due to a producer.
pub fn rewards(r: &mut Request) {
    let who = address::parse(r.fields.field_bytes());
    let mut w = Json::new();
    w.object();
    address::write(&who, w.key("producer"));
    w.key("asset").text(reward_asset());
    w.key("due").uint(due_to(&who));
    w.end_object();
    reply(w.bytes());
}
