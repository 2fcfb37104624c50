//! Who may do what.

use crate::abi::{abort, get, set, Map, Request};
use crate::address::{self, Address};
use crate::codes;
use crate::parameters::Parameters;
use crate::rewards;

const TECHNICIANS: Map = Map(b't');
const SETTINGS_KEY: &[u8] = b"\x00settings";

pub struct Settings {
    pub owner: Address,
    pub configurer: Address,
}

/// Stores the deployment's roles and parameters.
pub fn set_up(r: &mut Request) {
    let owner = address::optional(&mut r.fields).unwrap_or(r.caller);
    let configurer = address::optional(&mut r.fields).unwrap_or(owner);
    let technician = address::optional(&mut r.fields).unwrap_or(address::ZERO);
    let p = Parameters::initial().read(&mut r.fields);
    rewards::set_asset(r.fields.optional_bytes().unwrap_or(&[]));
    rewards::check(p.reward);
    let mut both = [0; 40];
    both[..20].copy_from_slice(&owner);
    both[20..].copy_from_slice(&configurer);
    set(SETTINGS_KEY, &both);
    p.set_defaults();
    if !address::is_zero(&technician) {
        TECHNICIANS.set(&technician, &[]);
    }
}

pub fn settings() -> Settings {
    let mut b = [0; 40];
    if get(SETTINGS_KEY, &mut b) != Some(b.len()) {
        abort(codes::BAD_STATE, "BAD_STATE: there are no settings");
    }
    let mut s = Settings { owner: address::ZERO, configurer: address::ZERO };
    s.owner.copy_from_slice(&b[..20]);
    s.configurer.copy_from_slice(&b[20..]);
    s
}

pub fn check_owner(caller: &Address) {
    if settings().owner != *caller {
        abort(codes::NOT_ALLOWED, "NOT_ALLOWED: only the owner may");
    }
}

/// Adds an address to those that close orders, or removes it.
pub fn set_technician(r: &mut Request) {
    check_owner(&r.caller);
    let who = address::parse(r.fields.field_bytes());
    if r.fields.field_bool() {
        TECHNICIANS.set(&who, &[]);
    } else {
        TECHNICIANS.delete(&who);
    }
}

pub fn check_technician(who: &Address) {
    if TECHNICIANS.get(who, &mut []).is_none() {
        abort(codes::NOT_ALLOWED, "NOT_ALLOWED: orders are closed by technicians");
    }
}
