//! Multiply-accumulates, and an estimate of the cycles that they take on small cores.

use super::measured::{M0_INTEGER, M4_F32, M4_INTEGER, M33_INTEGER};
use din_core::Model;
use serde::Serialize;

/// The multiply-accumulates of a model, with which those for any history length can be had:
/// `fixed + sum over the sequences of T per_behaviour`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arithmetic {
    /// Of a candidate, whatever the histories: the head, and the units' first layers for the candidate's own part.
    pub fixed: u64,
    /// Of a candidate, for each sequence.
    pub sequences: Vec<SequenceArithmetic>,
    /// Of a user, once for all candidates: the head's first layer for profile, context and pooled sums.
    pub user: u64,
}

/// Of one sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceArithmetic {
    /// Its name.
    pub sequence: String,
    /// For each behaviour: its unit, and its share of the interest vector. 0 for sum and mean pooling, which are done
    /// when the user is set.
    pub per_behaviour: u64,
    /// The longest history.
    pub capacity: usize,
}

impl Arithmetic {
    /// Of a candidate when every history has `length` behaviours, or as many as its sequence looks back.
    #[must_use]
    pub fn candidate(&self, length: usize) -> u64 {
        let pairs =
            |sequence: &SequenceArithmetic| sequence.per_behaviour * length.min(sequence.capacity) as u64;
        self.fixed + self.sequences.iter().map(pairs).sum::<u64>()
    }
}

/// Inputs and outputs of each layer, the first of a unit without its query part; of the head, without what the user sets.
struct Widths {
    units: Vec<Vec<(u64, u64)>>,
    head_outputs: u64,
}

fn widths(model: &Model<'_>) -> Widths {
    let manifest = model.manifest();
    let mut layers: Vec<(u64, u64)> = if model.header().is_integer() {
        let mut parts = manifest.parts.iter();
        let width = |layer: din_core::manifest::IntegerLayerRecord| {
            let inputs = parts.by_ref().take(layer.parts.into()).map(|part| u64::from(part.inputs)).sum();
            (inputs, u64::from(layer.outputs))
        };
        manifest.integer_layers.iter().map(width).collect()
    } else {
        model.layers().map(|layer| (layer.inputs() as u64, layer.outputs() as u64)).collect()
    };
    let mut units = Vec::new();
    for record in manifest.sequences.iter() {
        let rest = layers.split_off(usize::from(record.layers).min(layers.len()));
        units.push(std::mem::replace(&mut layers, rest));
    }
    Widths { units, head_outputs: layers.first().map_or(0, |(_, outputs)| *outputs) }
}

/// Of a loaded model.
#[must_use]
pub fn arithmetic(model: &Model<'_>) -> Arithmetic {
    let Widths { units, head_outputs } = widths(model);
    let mut sequences = Vec::new();
    let mut user_inputs = [din_core::Group::Profile, din_core::Group::Context]
        .into_iter()
        .flat_map(|group| model.fields(group))
        .map(|field| field.table.map_or(1, |table| model.table(table).dim() as u64))
        .sum::<u64>();
    for (sequence, unit) in model.sequences().zip(units) {
        let key = sequence.key_width() as u64;
        let mut per_behaviour = 0;
        if sequence.is_attention() {
            let layers = unit.iter().enumerate();
            let macs =
                layers.map(|(index, (inputs, outputs))| if index == 0 { key } else { *inputs } * outputs);
            per_behaviour = macs.sum::<u64>() + key;
        } else {
            user_inputs += key;
        }
        let capacity = sequence.capacity();
        sequences.push(SequenceArithmetic { sequence: sequence.name().to_owned(), per_behaviour, capacity });
    }
    let pairs: u64 = sequences.iter().map(|sequence| sequence.per_behaviour * sequence.capacity as u64).sum();
    Arithmetic {
        fixed: model.candidate_macs().saturating_sub(pairs),
        sequences,
        user: user_inputs * head_outputs,
    }
}

/// An estimate of cycles a candidate, histories full.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CycleEstimate {
    /// The core.
    pub core: &'static str,
    /// Instructions: the measured ones of a multiply-accumulate times those of the model.
    pub instructions: u64,
    /// The same at the fewest cycles an instruction.
    pub least: u64,
    /// At the most.
    pub most: u64,
    /// Of an instruction, from what to what.
    pub cycles_per_instruction: [f64; 2],
    /// Instructions of a multiply-accumulate, everything around it counted in.
    pub instructions_per_mac: f64,
    /// What the figures rest on.
    pub basis: &'static str,
    /// For comparison: what `MLPerf` Tiny's AD01 (int8 dense layers, other software) took, in cycles a multiply-accumulate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlperf_cycles_per_mac: Option<[f64; 2]>,
}

/// What was measured and what is assumed of a core.
struct Core {
    name: &'static str,
    is_integer: bool,
    instructions_per_mac: f64,
    cycles_per_instruction: [f64; 2],
    basis: &'static str,
    mlperf: Option<[f64; 2]>,
}

/// Multiply-accumulates of a candidate of edge-profile.
const MACS: f64 = 35_064.0;
const COUNTED: &str = "instructions of one candidate of edge-profile (35,064 multiply-accumulates, 20 behaviours, int8 rows) \
                       counted in QEMU, opt-level s; cycles an instruction assumed, code and weights in memory without wait states";
const AS_M4: &str = "instructions as counted for Cortex-M4, which has the same instructions; cycles an instruction assumed, \
                     code and weights in memory without wait states";

const CORES: [Core; 7] = [
    Core {
        name: "Cortex-M0+",
        is_integer: true,
        instructions_per_mac: M0_INTEGER as f64 / MACS,
        cycles_per_instruction: [1.1, 1.5],
        basis: COUNTED,
        mlperf: Some([9.9, 9.9]),
    },
    Core {
        name: "Cortex-M4",
        is_integer: true,
        instructions_per_mac: M4_INTEGER as f64 / MACS,
        cycles_per_instruction: [1.0, 1.4],
        basis: COUNTED,
        mlperf: Some([1.8, 3.9]),
    },
    Core {
        name: "Cortex-M7",
        is_integer: true,
        instructions_per_mac: M4_INTEGER as f64 / MACS,
        cycles_per_instruction: [0.6, 0.9],
        basis: AS_M4,
        mlperf: Some([1.3, 1.3]),
    },
    Core {
        name: "Cortex-M33",
        is_integer: true,
        instructions_per_mac: M33_INTEGER as f64 / MACS,
        cycles_per_instruction: [1.0, 1.3],
        basis: COUNTED,
        mlperf: None,
    },
    Core {
        name: "Cortex-M4F",
        is_integer: false,
        instructions_per_mac: M4_F32 as f64 / MACS,
        cycles_per_instruction: [1.2, 1.8],
        basis: COUNTED,
        mlperf: Some([9.5, 9.5]),
    },
    Core {
        name: "Cortex-M7F",
        is_integer: false,
        instructions_per_mac: M4_F32 as f64 / MACS,
        cycles_per_instruction: [0.7, 1.1],
        basis: AS_M4,
        mlperf: None,
    },
    Core {
        name: "Cortex-M33F",
        is_integer: false,
        instructions_per_mac: M4_F32 as f64 / MACS,
        cycles_per_instruction: [1.2, 1.8],
        basis: AS_M4,
        mlperf: None,
    },
];

/// Estimates for the cores that a path is for: an f32 blob needs a floating-point unit.
#[must_use]
pub fn cycle_estimates(arithmetic: &Arithmetic, is_integer: bool) -> Vec<CycleEstimate> {
    let macs = arithmetic.candidate(usize::MAX) as f64;
    let estimate = |core: &Core| {
        let instructions = macs * core.instructions_per_mac;
        let [least, most] = core.cycles_per_instruction.map(|cycles| (instructions * cycles) as u64);
        CycleEstimate {
            core: core.name,
            instructions: instructions as u64,
            least,
            most,
            cycles_per_instruction: core.cycles_per_instruction,
            instructions_per_mac: core.instructions_per_mac,
            basis: core.basis,
            mlperf_cycles_per_mac: core.mlperf,
        }
    };
    CORES.iter().filter(|core| core.is_integer == is_integer).map(estimate).collect()
}
