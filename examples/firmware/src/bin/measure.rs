//! What ranking costs: ticks of the clock and bytes of stack, for the paths whose features are on. With neither it measures
//! nothing: what is left is start-up, clock and logging. An error is not told, since what a firmware does with one is its own.
#![no_std]
#![no_main]

use firmware::Error;
use firmware::board::{entry, exit};
use firmware::stack;

#[entry]
fn main() -> ! {
    exit(run().map_err(|_| ()))
}

fn run() -> Result<(), Error> {
    #[cfg(feature = "integer")]
    measure("integer", integer::rank)?;
    #[cfg(feature = "f32")]
    measure("f32", f32::rank)?;
    #[cfg(not(any(feature = "integer", feature = "f32")))]
    measure("none", |ticks| {
        *ticks = [(); 3].map(|()| firmware::board::ticks(|| ()).1);
        Ok(())
    })?;
    Ok(())
}

/// Logs what `rank` takes; it gives the ticks of load, user and slate.
#[inline(never)]
fn measure(path: &str, rank: impl FnOnce(&mut [u32; 3]) -> Result<(), Error>) -> Result<(), Error> {
    let mut ticks = [0; 3];
    let mut ranked = Ok(());
    let used = stack::used_by(|| ranked = rank(&mut ticks));
    ranked?;
    for (name, ticks) in ["load", "set_user", "slate"].iter().zip(ticks) {
        defmt::println!("{=str} {=str} {} ticks", path, name, ticks);
    }
    defmt::println!("{=str} stack {} bytes", path, used);
    Ok(())
}

/// The numeric paths have the same methods.
macro_rules! path {
    ($path:ident, $feature:literal, $load:ident, $ranker:ident, $number:ty, $score:ty, $scratch:ident) => {
        #[cfg(feature = $feature)]
        mod $path {
            use din_core::{Model, $ranker};
            use firmware::Error;
            use firmware::board::ticks;
            use firmware::model::{self, REQUESTS, SLATE, sizes, slate_of, with_user};
            use static_cell::ConstStaticCell;

            static SCRATCH: ConstStaticCell<[$number; sizes::$scratch]> =
                ConstStaticCell::new([0 as $number; sizes::$scratch]);

            /// Loads the model and ranks the first slate, whose user has a full history.
            #[inline(never)]
            pub fn rank(ticked: &mut [u32; 3]) -> Result<(), Error> {
                let (model, load) = ticks(|| Model::$load(model::$path()));
                // Not moved: it would be on the stack twice.
                let model = model.as_ref().map_err(|error| *error)?;
                let mut ranker = $ranker::new(model, SCRATCH.take())?;
                *ticked = [load, set_user(&mut ranker)?, score(&mut ranker)?];
                Ok(())
            }

            #[inline(never)]
            fn set_user(ranker: &mut $ranker<'_, '_>) -> Result<u32, Error> {
                let (set, ticks) = with_user(&REQUESTS[0], |user| ticks(|| ranker.set_user(user)));
                Ok(set.map(|()| ticks)?)
            }

            #[inline(never)]
            fn score(ranker: &mut $ranker<'_, '_>) -> Result<u32, Error> {
                let candidates = slate_of(&REQUESTS[0]);
                let mut scores = [0 as $score; SLATE];
                let (scored, ticks) = ticks(|| ranker.score_slate(candidates.as_flattened(), &mut scores));
                Ok(scored.map(|()| ticks)?)
            }
        }
    };
}

path!(integer, "integer", from_integer_bytes, IntegerRanker, i32, u16, INTEGER_SCRATCH);
path!(f32, "f32", from_f32_bytes, Ranker, f32, f32, F32_SCRATCH);
