//! Runs the self-test of a model that `din-export emit` wrote to `emitted/`, or to the folder that `EMITTED` names: the scores
//! of the workstation, to the bit. For the integer path.
#![no_std]
#![no_main]

use firmware::board::{entry, exit};
use model::SelfTestError;
use static_cell::ConstStaticCell;

include!(concat!(env!("OUT_DIR"), "/emitted.rs"));

static SCRATCH: ConstStaticCell<model::Scratch> = ConstStaticCell::new([0; model::SCRATCH_LEN]);

#[entry]
fn main() -> ! {
    exit(run())
}

fn run() -> Result<(), firmware::Error> {
    defmt::println!("{}: {} bytes, version {}", model::NAME, model::BLOB_LEN, model::MODEL_VERSION);
    match model::self_test(SCRATCH.take()) {
        Ok(crc) => defmt::println!("crc-32 of {} scores: {:#010x}", model::SELF_TEST_SCORES, crc),
        Err(SelfTestError::Load(error)) => return Err(error.into()),
        Err(SelfTestError::Score(error)) => return Err(error.into()),
        Err(SelfTestError::Differs { case, candidate }) => {
            return Err(firmware::Error::Differs { case, candidate });
        }
    }
    Ok(())
}
