//! What a model says of an asset; contracts/maintenance/prediction.go has the rule.

use crate::abi::{abort, join, Event};
use crate::trigger::COARSE_PLACES;
use crate::{check_asset, codes, reading};

/// Takes a score as a reading of the asset ASSET/MODEL.
pub fn take(e: &mut Event) {
    let score = e.fields.field_u64() as i64;
    let model = e.fields.field_bytes();
    check_asset(e.subject);
    if model.is_empty() || model.contains(&b'/') {
        abort(codes::BAD_ASSET, "BAD_ASSET: a model's name is not empty and has no slash");
    }
    let name = join(&[e.subject, b"/", model]);
    reading(e, name, score, COARSE_PLACES)
}
