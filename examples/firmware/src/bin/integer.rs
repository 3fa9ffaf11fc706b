//! Ranks a few slates along the integer path, from flash, in static memory.
#![no_std]
#![no_main]

use din_core::{IntegerRanked, IntegerRanker, Model, crc32};
use firmware::Error;
use firmware::board::{entry, exit};
use firmware::model::{self, REQUESTS, SLATE, sizes, slate_of, with_user};
use static_cell::ConstStaticCell;

/// What the ranker works in.
static SCRATCH: ConstStaticCell<[i32; sizes::INTEGER_SCRATCH]> =
    ConstStaticCell::new([0; sizes::INTEGER_SCRATCH]);

#[entry]
fn main() -> ! {
    exit(run())
}

fn run() -> Result<(), Error> {
    let model = Model::from_integer_bytes(model::integer())?;
    let ranker = IntegerRanker::new(&model, SCRATCH.take())?;
    rank(ranker)
}

/// Logs the scores of each slate and its best three, and a checksum of all scores.
fn rank(mut ranker: IntegerRanker<'_, '_>) -> Result<(), Error> {
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
        // There is room for all of them.
        let _ = bytes.extend_from_slice(scores.map(u16::to_le_bytes).as_flattened());
    }
    defmt::println!("crc-32 of the scores: {:#010x}", crc32(&bytes));
    Ok(())
}
