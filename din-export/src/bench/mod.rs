//! How fast this machine ranks with a blob, and how much of its arithmetic that uses.
//!
//! | module | concept |
//! |---|---|
//! | [`clock`] | CPU time |
//! | [`peak`] | what one core can do at most |
//! | [`requests`] | what is scored |
//! | [`report`] | what was measured |
//! | [`measure`] | the measuring |

pub mod clock;
pub mod measure;
pub mod peak;
pub mod report;
pub mod requests;

pub use measure::{AnyKernel, Plan, run};
pub use report::{Report, Row};
pub use requests::Workload;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{self, ExportOptions, NumericPath};
    use crate::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
    use crate::weights::{Activation, AttentionNormalisation, Layer, ModelWeights, PoolingWeights};
    use din_core::{Model, Normaliser, Value};
    use std::num::NonZeroUsize;
    use std::time::Duration;

    fn layer(inputs: usize, outputs: usize) -> Layer {
        let weight = (0..inputs * outputs).map(|i| (i % 7) as f32 / 7.0 - 0.4).collect();
        let activation = if outputs == 1 { Activation::Linear } else { Activation::Sigmoid };
        Layer { inputs, outputs, weight, bias: vec![0.1; outputs], batch_norm: None, activation }
    }

    /// Two sequences of capacities 3 and 5, a numeric field, and ids that are not rows.
    fn weights() -> ModelWeights {
        let item = || Field { name: "item".to_owned(), kind: FieldKind::Categorical { table: 0 } };
        let sequence = |name: &str, capacity| SequenceSpec {
            name: name.to_owned(),
            capacity,
            fields: vec![BehaviourField { field: item(), pair: Some(0) }],
        };
        let hour = Field { name: "hour".to_owned(), kind: FieldKind::Numeric(Normaliser::IDENTITY) };
        let vocabulary = Vocabulary::Keys(vec![7, 70, 700]);
        let schema = Schema {
            tables: vec![TableSpec { name: "item".to_owned(), dim: 2, vocabulary }],
            context: vec![hour],
            candidate: vec![item()],
            sequences: vec![sequence("short", 3), sequence("long", 5)],
            ..Schema::default()
        };
        let unit = || PoolingWeights::Attention {
            layers: vec![layer(8, 3), layer(3, 1)],
            normalisation: AttentionNormalisation::None,
        };
        ModelWeights {
            name: "small".to_owned(),
            schema,
            tables: vec![vec![0.25; 8]],
            pooling: vec![unit(), unit()],
            product: false,
            head: vec![layer(7, 4), layer(4, 1)],
            item_bias: None,
        }
    }

    #[test]
    fn drawn_requests_hold_known_ids_and_as_many_behaviours_as_count() {
        let blob = blob::write(&weights(), &ExportOptions::default()).unwrap();
        let model = Model::from_bytes(&blob).unwrap();
        let workload = Workload::random(&model, 20, 4, 3);
        assert_eq!(workload, Workload::random(&model, 20, 4, 3));
        assert_eq!((workload.slate, workload.history, workload.requests.len()), (20.0, 4.0, 3));
        let request = &workload.requests[0];
        assert_eq!(request.histories.iter().map(Vec::len).collect::<Vec<_>>(), [3, 4]);
        assert!(matches!(request.context[..], [Value::Number(_)]));
        let mut ids: Vec<u64> = Vec::new();
        for candidate in &request.candidates {
            let [Value::Id(id)] = candidate[..] else { panic!("{candidate:?}") };
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids, [7, 70, 700]);
    }

    #[test]
    fn every_combination_has_a_row_and_two_threads_do_the_same_work() {
        for path in NumericPath::ALL {
            let blob = blob::write(&weights(), &ExportOptions { path, ..ExportOptions::default() }).unwrap();
            let model = Model::from_bytes(&blob).unwrap();
            let plan = Plan {
                kernels: AnyKernel::all(&model),
                threads: [1, 2].map(|n| NonZeroUsize::new(n).unwrap()).to_vec(),
                workloads: vec![Workload::random(&model, 1, 0, 2), Workload::random(&model, 9, 5, 2)],
                time: Duration::ZERO,
            };
            let mut last = (0, 0);
            let report = run(&model, &plan, &mut |done, all| last = (done, all)).unwrap();
            assert_eq!(report.rows.len(), plan.kernels.len() * 4);
            assert_eq!(last.0, last.1);
            assert!(report.peak.gflops > 0.1, "{:?}", report.peak);
            for row in &report.rows {
                assert!(0.0 < row.cpu_min && row.cpu_min <= row.cpu_median, "{row:?}");
                assert!(0.0 < row.wall_min && row.wall_min <= row.wall_median, "{row:?}");
                assert!(0.0 < row.peak_share && row.peak_share < 4.0, "{row:?}");
            }
            // Head 2 x 4 and 4 x 1; each unit 2 x 3 for the query and its matrix each; each pair 2 x 3, 3 x 1 and the sum of 2.
            let macs: Vec<f64> = report.rows[..2].iter().map(|row| row.macs).collect();
            let (head, units, pair) = ((2 + 4) * 4 + 4, 2 * 2 * 6, 6 + 3 + 2);
            assert_eq!(macs, [head + units, head + units + 8 * pair].map(f64::from));
            let text = report.to_string();
            assert_eq!(text.lines().filter(|line| line.starts_with("portable")).count(), 4, "{text}");
        }
    }

    #[test]
    fn requests_without_a_candidate_are_no_workload() {
        let blob = blob::write(&weights(), &ExportOptions::default()).unwrap();
        let model = Model::from_bytes(&blob).unwrap();
        let mut requests = Workload::random(&model, 4, 9, 1).requests;
        requests.push(crate::request::Request { candidates: Vec::new(), ..requests[0].clone() });
        let workload = Workload::of(&model, requests).unwrap();
        assert_eq!((workload.slate, workload.history, workload.requests.len()), (4.0, 5.0, 1));
        assert_eq!(Workload::of(&model, Vec::new()), None);
    }
}
