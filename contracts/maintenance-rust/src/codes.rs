//! Codes of refused deliveries: contracts/maintenance/README.md explains each.

pub const LATE_READING: u32 = 1;
pub const BAD_READING: u32 = 2;
pub const BAD_ASSET: u32 = 3;
pub const BAD_PARAMETERS: u32 = 4;
pub const FUTURE_READING: u32 = 5;
pub const NOT_ALLOWED: u32 = 6;
pub const NOT_FOUND: u32 = 7;
pub const BAD_STATE: u32 = 8;
pub const NOT_OPEN: u32 = 9;
pub const BAD_OUTCOME: u32 = 10;
pub const OWN_ORDER: u32 = 11;
pub const REWARD_LIMIT: u32 = 12;
pub const OTHER_PLACES: u32 = 13;
pub const BAD_ADDRESS: u32 = 14;
pub const BAD_ORDER: u32 = 15;
pub const UNFUNDED: u32 = 16;
