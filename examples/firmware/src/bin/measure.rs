//! What ranking costs: ticks of the clock and bytes of stack, for the paths whose features are on.
//!
//! With `--no-default-features` it does nothing: what start-up and logging weigh is the difference to measure others by.
#![no_std]
#![no_main]

use firmware::board::{entry, exit};

#[entry]
fn main() -> ! {
    #[cfg(feature = "integer")]
    integer::measure();
    #[cfg(feature = "f32")]
    f32::measure();
    exit(Ok::<(), ()>(()))
}

/// The numeric paths have the same methods.
macro_rules! path {
    ($path:ident, $feature:literal, $ranker:ident, $number:ty, $score:ty, $scratch:ident) => {
        #[cfg(feature = $feature)]
        mod $path {
            use din_core::{Model, $ranker};
            use firmware::board::ticks;
            use firmware::model::{self, REQUESTS, SLATE, sizes, slate_of, with_user};
            use firmware::stack;
            use static_cell::ConstStaticCell;

            static SCRATCH: ConstStaticCell<[$number; sizes::$scratch]> =
                ConstStaticCell::new([0 as $number; sizes::$scratch]);

            pub fn measure() {
                let scratch = SCRATCH.take();
                let (mut load, mut set_user, mut slate) = (0, 0, 0);
                // A full history.
                let request = &REQUESTS[0];
                let stack = stack::used_by(|| {
                    let mut model = None;
                    load = ticks(|| model = Model::from_bytes(model::$path()).ok());
                    let Some(model) = model else { return };
                    let Ok(mut ranker) = $ranker::new(&model, scratch) else { return };
                    with_user(request, |user| set_user = ticks(|| drop(ranker.set_user(user))));
                    let candidates = slate_of(request);
                    let mut scores = [0 as $score; SLATE];
                    slate = ticks(|| drop(ranker.score_slate(candidates.as_flattened(), &mut scores)));
                });
                defmt::println!("{} load {} ticks", stringify!($path), load);
                defmt::println!("{} set_user {} ticks", stringify!($path), set_user);
                defmt::println!("{} slate {} ticks", stringify!($path), slate);
                defmt::println!("{} stack {} bytes", stringify!($path), stack + stack::depth());
            }
        }
    };
}

path!(integer, "integer", IntegerRanker, i32, u16, INTEGER_SCRATCH);
path!(f32, "f32", Ranker, f32, f32, F32_SCRATCH);
