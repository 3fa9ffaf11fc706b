//! The blobs in flash, their sizes, and requests to rank.
//!
//! `cargo run -p din-tests --bin renew-firmware` makes the folder `model/` from `examples/edge-profile`.

#[path = "../model/requests.rs"]
#[rustfmt::skip]
mod requests;
#[path = "../model/sizes.rs"]
#[rustfmt::skip]
pub mod sizes;

pub use requests::{REQUESTS, Request, SLATE};

use din_core::{History, User, Value};

/// At an address that suits a blob's sections; `include_bytes!` alone promises none.
#[repr(C, align(64))]
struct Aligned<B: ?Sized>(B);

static INTEGER_BLOB: &Aligned<[u8]> = &Aligned(*include_bytes!("../model/edge-profile-integer.din"));
static F32_BLOB: &Aligned<[u8]> = &Aligned(*include_bytes!("../model/edge-profile-f32.din"));

/// The blob of the integer path.
#[must_use]
pub fn integer() -> &'static [u8] {
    &INTEGER_BLOB.0
}

/// The blob of the f32 path.
#[must_use]
pub fn f32() -> &'static [u8] {
    &F32_BLOB.0
}

/// Hands over the user of a request, with the history that an application would have collected.
pub fn with_user<R>(request: &Request, then: impl FnOnce(&User<'_>) -> R) -> R {
    let mut history = History::<{ sizes::HISTORY }, 2>::new();
    for behaviour in request.history {
        history.push(behaviour.map(id));
    }
    then(&User { profile: &[id(request.user)], context: &[], histories: &[history.behaviours()] })
}

/// The candidates of a request.
#[must_use]
pub fn slate_of(request: &Request) -> [[Value; 2]; SLATE] {
    let mut slate = [[Value::Missing; 2]; SLATE];
    for (values, ids) in slate.iter_mut().flatten().zip(request.slate.as_flattened()) {
        *values = id(*ids);
    }
    slate
}

fn id(id: u16) -> Value {
    Value::Id(id.into())
}
