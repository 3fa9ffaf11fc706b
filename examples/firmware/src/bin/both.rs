//! Ranks along the path that a blob is for: the integer path, and f32 for cores with a floating-point unit.
#![no_std]
#![no_main]

use din_core::{IntegerRanked, IntegerRanker, Model, Ranked, Ranker, crc32};
use firmware::Error;
use firmware::board::{entry, exit};
use firmware::model::{self, REQUESTS, SLATE, sizes, slate_of, with_user};
use static_cell::ConstStaticCell;

/// What either ranker works in, whichever is used: numbers of four bytes.
static SCRATCH: ConstStaticCell<[i32; SCRATCH_LEN]> = ConstStaticCell::new([0; SCRATCH_LEN]);
const SCRATCH_LEN: usize =
    if sizes::F32_SCRATCH > sizes::INTEGER_SCRATCH { sizes::F32_SCRATCH } else { sizes::INTEGER_SCRATCH };

#[entry]
fn main() -> ! {
    exit(run())
}

fn run() -> Result<(), Error> {
    let scratch = SCRATCH.take();
    for blob in [model::integer(), model::f32()] {
        let model = Model::from_bytes(blob)?;
        if model.header().is_integer() {
            rank_in_integers(&model, scratch)?;
        } else {
            rank_in_f32(&model, bytemuck::cast_slice_mut(scratch))?;
        }
    }
    Ok(())
}

fn rank_in_integers(model: &Model<'_>, scratch: &mut [i32]) -> Result<(), Error> {
    let mut ranker = IntegerRanker::new(model, scratch)?;
    let mut bytes = heapless::Vec::<u8, { size_of::<u16>() * SLATE * REQUESTS.len() }>::new();
    for request in &REQUESTS {
        with_user(request, |user| ranker.set_user(user))?;
        let slate = slate_of(request);
        let mut scores = [0; SLATE];
        ranker.score_slate(slate.as_flattened(), &mut scores)?;
        defmt::println!("user {}: {}", request.user, scores);
        let mut top = heapless::Vec::<IntegerRanked, 3>::new();
        ranker.rank(slate.iter().map(|candidate| candidate.as_slice()), &mut top)?;
        for ranked in &top {
            defmt::println!("  candidate {} with logit {}", ranked.index, ranked.logit);
        }
        let _ = bytes.extend_from_slice(scores.map(u16::to_le_bytes).as_flattened());
    }
    defmt::println!("crc-32 of the scores: {:#010x}", crc32(&bytes));
    Ok(())
}

fn rank_in_f32(model: &Model<'_>, scratch: &mut [f32]) -> Result<(), Error> {
    let mut ranker = Ranker::new(model, scratch)?;
    let mut bytes = heapless::Vec::<u8, { size_of::<f32>() * SLATE * REQUESTS.len() }>::new();
    for request in &REQUESTS {
        with_user(request, |user| ranker.set_user(user))?;
        let slate = slate_of(request);
        let mut scores = [0.0; SLATE];
        ranker.score_slate(slate.as_flattened(), &mut scores)?;
        defmt::println!("user {}: {}", request.user, scores);
        let mut top = heapless::Vec::<Ranked, 3>::new();
        ranker.rank(slate.iter().map(|candidate| candidate.as_slice()), &mut top)?;
        for ranked in &top {
            defmt::println!("  candidate {} with logit {}", ranked.index, ranked.logit);
        }
        let _ = bytes.extend_from_slice(scores.map(f32::to_le_bytes).as_flattened());
    }
    defmt::println!("crc-32 of the scores: {:#010x}", crc32(&bytes));
    Ok(())
}
