//! Every entry point of din-core that an application calls, and a panic handler that cannot be linked: the program links
//! only if the compiler has shown that nothing in it panics. With `--cfg panics` something does.
#![no_std]
#![no_main]
#![allow(unexpected_cfgs)]

use din_core::{
    Behaviours, Group, History, IntegerKernel, IntegerRanked, IntegerRanker, Kernel, Model, Ranked, Ranker, User,
    Value, crc32, hash_text,
};

unsafe extern "C" {
    /// Nowhere defined: what the linker names when a panic is left.
    safe fn a_panic_is_left() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    a_panic_is_left()
}

/// What the linker starts from.
///
/// # Safety
/// Each pointer is the start of `len` items of its type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _start(
    blob: *const u8,
    values: *const Value,
    scratch: *mut i32,
    numbers: *mut f32,
    len: usize,
) -> u32 {
    // SAFETY: the caller's promise.
    let (blob, values, scratch, numbers) = unsafe {
        (
            core::slice::from_raw_parts(blob, len),
            core::slice::from_raw_parts(values, len),
            core::slice::from_raw_parts_mut(scratch, len),
            core::slice::from_raw_parts_mut(numbers, len),
        )
    };
    use_all(blob, values, scratch, numbers).unwrap_or_default()
}

fn use_all(blob: &[u8], values: &[Value], scratch: &mut [i32], numbers: &mut [f32]) -> Option<u32> {
    let model = Model::from_bytes(blob).ok()?;
    let mut history = History::<20, 2>::new();
    for behaviour in values.as_chunks::<2>().0 {
        history.push(*behaviour);
    }
    let histories = [history.behaviours(), Behaviours::new(values)];
    let user = User { profile: values, context: values, histories: &histories };
    let described = described(&model);
    let ranked = if model.header().is_integer() {
        in_integers(&model, &user, values, scratch)
    } else {
        in_f32(&model, &user, values, numbers)
    };
    history.clear();
    #[cfg(panics)]
    return Some(u32::from(blob[values.len()]));
    #[cfg(not(panics))]
    Some(described ^ ranked? ^ hash_text(model.name()) as u32 ^ history.len() as u32)
}

/// What reports show of a model.
fn described(model: &Model<'_>) -> u32 {
    let groups = [Group::Profile, Group::Context, Group::Candidate];
    let names = groups.into_iter().flat_map(|group| model.fields(group)).map(|field| field.name.len());
    let fields = model.sequences().map(|sequence| model.behaviour_fields(&sequence).count());
    let sequences = model.sequences().map(|sequence| sequence.capacity() ^ sequence.name().len());
    let tables = model.tables().map(|table| table.name().len() ^ table.rows() as usize ^ table.dim());
    let sizes = [model.scratch_len(), model.manifest_len(), model.candidate_macs() as usize];
    let all = names.chain(fields).chain(sequences).chain(tables).chain(sizes);
    all.fold(crc32(model.signature().0), |sum, size| sum ^ size as u32)
}

fn in_integers(model: &Model<'_>, user: &User<'_>, slate: &[Value], scratch: &mut [i32]) -> Option<u32> {
    let mut ranker = IntegerRanker::new(model, scratch).ok()?;
    IntegerKernel::all().for_each(|kernel| ranker.use_kernel(kernel));
    ranker.set_user(user).ok()?;
    let mut scores = [0; 10];
    ranker.score_slate(slate, &mut scores).ok()?;
    let mut top = heapless::Vec::<IntegerRanked, 3>::new();
    ranker.rank(slate.chunks(2), &mut top).ok()?;
    let weights = ranker.attention(0).iter().fold(0, |sum, weight| sum ^ weight.cast_unsigned());
    let one = u32::from(ranker.score(slate).ok()?) ^ ranker.logit(slate).ok()?.cast_unsigned();
    let best = top.first()?.logit.cast_unsigned() ^ ranker.history_len(0) as u32;
    Some(weights ^ one ^ best ^ u32::from(scores[0]) ^ ranker.attention_fraction(0) as u32)
}

fn in_f32(model: &Model<'_>, user: &User<'_>, slate: &[Value], scratch: &mut [f32]) -> Option<u32> {
    let mut ranker = Ranker::new(model, scratch).ok()?;
    Kernel::all().for_each(|kernel| ranker.use_kernel(kernel));
    ranker.set_user(user).ok()?;
    let mut scores = [0.0; 10];
    ranker.score_slate(slate, &mut scores).ok()?;
    let mut top = heapless::Vec::<Ranked, 3>::new();
    ranker.rank(slate.chunks(2), &mut top).ok()?;
    let weights = ranker.attention(0).iter().fold(0, |sum, weight| sum ^ weight.to_bits());
    let one = ranker.score(slate).ok()?.to_bits() ^ ranker.logit(slate).ok()?.to_bits();
    Some(weights ^ one ^ top.first()?.logit.to_bits() ^ ranker.history_len(0) as u32 ^ scores[0].to_bits())
}
