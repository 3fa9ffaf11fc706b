//! Why a network cannot be built.

use crate::weights::WeightsError;

/// Why a network cannot be built from a schema and a configuration, or from trained weights.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The activation unit would be a linear function.
    #[error(
        "the activation unit has no hidden layer: give `unit.hidden` at least one width, such as [80, 40]"
    )]
    NoHiddenUnitLayer,
    /// A layer without units.
    #[error("a hidden layer of the {part} is 0 wide: each width must be at least 1")]
    EmptyLayer {
        /// The head or the activation unit.
        part: &'static str,
    },
    /// The head would read nothing.
    #[error("the model reads nothing: it has no profile, context or candidate field and no sequence")]
    NoInputs,
    /// A sequence whose key would be empty.
    #[error("sequence `{sequence}` has no fields")]
    EmptySequence {
        /// Its name.
        sequence: String,
    },
    /// The candidate's counterpart is not as wide as the behaviour's field.
    #[error(
        "field `{field}` of sequence `{sequence}` is {width} wide but is paired with candidate field {pair}, \
         {pair_width} wide: pair fields of one table"
    )]
    PairWidth {
        /// The sequence.
        sequence: String,
        /// Its field.
        field: String,
        /// The width of the field.
        width: usize,
        /// The candidate's field; absent if there is none of that number.
        pair: String,
        /// Its width.
        pair_width: usize,
    },
    /// An unpaired field stands before a paired one.
    #[error(
        "field `{field}` of sequence `{sequence}` is paired but follows an unpaired one: put paired fields first"
    )]
    PairedAfterUnpaired {
        /// The sequence.
        sequence: String,
        /// Its field.
        field: String,
    },
    /// The item bias names no categorical candidate field.
    #[error("`head.item_bias` is `{name}`, which is no categorical candidate field; those are: {known}")]
    ItemBias {
        /// As configured.
        name: String,
        /// The fields that would do.
        known: String,
    },
    /// Trained weights of another size than the schema and the other layers ask for.
    #[error(transparent)]
    Shape(#[from] WeightsError),
    /// The last layer is not linear, or there is none.
    #[error("{part} does not end in a linear layer")]
    OutputLayer {
        /// The head or the activation unit.
        part: String,
    },
    /// Trained weights of a kind that is scored, but not trained.
    #[error(
        "{part} has a Dice with a learned scale or shift (gamma other than 1 or beta other than 0): \
         it can be exported but not trained"
    )]
    AffineDice {
        /// Which layer.
        part: String,
    },
}
