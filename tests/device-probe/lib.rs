//! A firmware's use of din-core, as far as the linker is concerned: every entry point, a panic handler, and no
//! allocator. As a static library it only builds if nothing in it needs one, or needs std.
#![no_std]

use din_core::{Behaviours, History, Model, Ranked, Ranker, User, Value};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Index of the best of four candidates; -1 for any error.
///
/// # Safety
/// `blob` points to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn probe(blob: *const u8, len: usize) -> i32 {
    // SAFETY: the caller's promise.
    let bytes = unsafe { core::slice::from_raw_parts(blob, len) };
    best(bytes).map_or(-1, |index| index as i32)
}

fn best(bytes: &[u8]) -> Option<usize> {
    let model = Model::from_bytes(bytes).ok()?;
    let mut scratch = [0.0_f32; 256];
    let mut ranker = Ranker::new(&model, &mut scratch).ok()?;
    let mut history = History::<8, 1>::new();
    history.push([Value::text("news")]);
    let profile = [Value::Number(1.0)];
    let histories: [Behaviours<'_>; 1] = [history.behaviours()];
    ranker.set_user(&User { profile: &profile, context: &[], histories: &histories }).ok()?;
    let slate = [[Value::Id(1)], [Value::Id(2)], [Value::Id(3)], [Value::Missing]];
    let mut top = heapless::Vec::<Ranked, 2>::new();
    ranker.rank(slate.iter().map(|candidate| candidate.as_slice()), &mut top).ok()?;
    top.first().map(|ranked| ranked.index)
}
