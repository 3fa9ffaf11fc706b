//! What ranking costs: ticks of the clock and bytes of stack, for the paths whose features are on. With neither it does
//! nothing: what is left is start-up and logging.
#![no_std]
#![no_main]

use firmware::Error;
use firmware::board::{entry, exit};

#[entry]
fn main() -> ! {
    exit(run())
}

fn run() -> Result<(), Error> {
    #[cfg(feature = "integer")]
    integer::measure()?;
    #[cfg(feature = "f32")]
    f32::measure()?;
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
            use firmware::stack;
            use static_cell::ConstStaticCell;

            static SCRATCH: ConstStaticCell<[$number; sizes::$scratch]> =
                ConstStaticCell::new([0 as $number; sizes::$scratch]);

            #[derive(Default)]
            struct Ticks {
                load: u32,
                set_user: u32,
                slate: u32,
            }

            pub fn measure() -> Result<(), Error> {
                let scratch = SCRATCH.take();
                let mut ticks = Ticks::default();
                let mut ranked = Ok(());
                let used = stack::used_by(|| ranked = rank(scratch, &mut ticks));
                ranked?;
                let name = stringify!($path);
                defmt::println!("{=str} load {} ticks", name, ticks.load);
                defmt::println!("{=str} set_user {} ticks", name, ticks.set_user);
                defmt::println!("{=str} slate {} ticks", name, ticks.slate);
                defmt::println!("{=str} stack {} bytes", name, used);
                Ok(())
            }

            /// Loads the model and ranks the first slate, whose user has a full history.
            fn rank(scratch: &'static mut [$number], ticked: &mut Ticks) -> Result<(), Error> {
                let (model, load) = ticks(|| Model::$load(model::$path()));
                let model = model?;
                let mut ranker = $ranker::new(&model, scratch)?;
                let request = &REQUESTS[0];
                let (set, set_user) = with_user(request, |user| ticks(|| ranker.set_user(user)));
                set?;
                let candidates = slate_of(request);
                let mut scores = [0 as $score; SLATE];
                let (scored, slate) = ticks(|| ranker.score_slate(candidates.as_flattened(), &mut scores));
                *ticked = Ticks { load, set_user, slate };
                Ok(scored?)
            }
        }
    };
}

path!(integer, "integer", from_integer_bytes, IntegerRanker, i32, u16, INTEGER_SCRATCH);
path!(f32, "f32", from_f32_bytes, Ranker, f32, f32, F32_SCRATCH);
