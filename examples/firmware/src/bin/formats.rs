//! What errors and other public types of din-core look like in a log.
#![no_std]
#![no_main]

use din_core::manifest::{Activation, FieldKind, Pooling, RowEncoding, VocabularyKind};
use din_core::{Group, IntegerRanked, IntegerRanker, Model, Normaliser, Ranked, Ranker, User, Value};
use firmware::board::{entry, exit};
use firmware::model::{self, sizes};
use static_cell::ConstStaticCell;

static SCRATCH: ConstStaticCell<[i32; sizes::INTEGER_SCRATCH]> =
    ConstStaticCell::new([0; sizes::INTEGER_SCRATCH]);

#[entry]
fn main() -> ! {
    let blob = model::integer();
    defmt::println!("{}", Model::from_bytes(&[]).err());
    defmt::println!("{}", Model::from_bytes(blob.split_at(100).0).err());
    defmt::println!("{}", Model::from_bytes(blob.split_at(8).1).err());
    if let Ok(model) = Model::from_bytes(blob) {
        defmt::println!("{}", Ranker::new(&model, &mut []).err());
        defmt::println!("{}", IntegerRanker::new(&model, &mut [0; 3]).err());
        if let Ok(mut ranker) = IntegerRanker::new(&model, SCRATCH.take()) {
            defmt::println!("{}", ranker.score(&[]).err());
            for profile in [&[][..], &[Value::Number(0.5)]] {
                let user = User { profile, context: &[], histories: &[] };
                defmt::println!("{}", ranker.set_user(&user).err());
            }
        }
    }
    defmt::println!("{} {}", [Value::Missing, Value::Id(7), Value::Number(1.5)], Value::Fixed(-3));
    defmt::println!("{}", IntegerRanked { index: 1, logit: -2, score: 3 });
    defmt::println!("{}", Ranked { index: 1, logit: -2.5, score: 0.25 });
    defmt::println!("{} {}", Group::Context, Normaliser::IDENTITY);
    defmt::println!("{} {} {}", RowEncoding::Int8, VocabularyKind::HashedText, FieldKind::Numeric);
    defmt::println!("{} {}", Pooling::SoftmaxAttention, Activation::PRelu);
    exit(Ok::<(), ()>(()))
}
