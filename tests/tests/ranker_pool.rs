//! Slates over threads have the scores of one ranker, bit by bit, and an error of one is none of the others'.

use din_core::{
    Behaviours, IntegerKernel, IntegerRanker, Kernel, Model, Ranker, RankerPool, ScoreError, Slate, User,
    Value,
};
use din_export::blob::{self, ExportOptions, NumericPath};
use din_tests::random::Random;
use din_tests::random_model::random_model;
use din_tests::request::Request;
use std::num::NonZeroUsize;

/// Scores of a request's candidates by a ranker of its own.
fn alone(model: &Model<'_>, request: &Request, kernel: Kernel) -> Vec<f32> {
    if model.header().is_integer() {
        let mut scratch = vec![0; model.scratch_len()];
        let mut ranker = IntegerRanker::new(model, &mut scratch).unwrap();
        request.with_user(|user| ranker.set_user(user)).unwrap();
        let score = |candidate: &Vec<Value>| f32::from(ranker.score(candidate).unwrap()) / 65_536.0;
        return request.slate.iter().map(score).collect();
    }
    let mut scratch = vec![0.0; model.scratch_len()];
    let mut ranker = Ranker::new(model, &mut scratch).unwrap();
    ranker.use_kernel(kernel);
    request.with_user(|user| ranker.set_user(user)).unwrap();
    request.slate.iter().map(|candidate| ranker.score(candidate).unwrap()).collect()
}

#[test]
fn slates_over_threads_have_the_scores_of_one_ranker() {
    const REQUESTS: usize = 23;
    const MISFIT: usize = 7;
    for (seed, path) in (0..6).flat_map(|seed| NumericPath::ALL.map(|path| (seed, path))) {
        let weights = random_model(seed);
        let blob = blob::write(&weights, &ExportOptions { path, ..ExportOptions::default() }).unwrap();
        let model = Model::from_bytes(&blob).unwrap();
        let mut random = Random::new(seed);
        let requests: Vec<Request> =
            (0..REQUESTS).map(|_| Request::random(&weights.schema, &mut random)).collect();
        let histories: Vec<Vec<Vec<Value>>> = requests.iter().map(Request::flat_histories).collect();
        let behaviours: Vec<Vec<Behaviours<'_>>> = histories
            .iter()
            .map(|histories| histories.iter().map(|values| Behaviours::new(values)).collect())
            .collect();
        let candidates: Vec<Vec<Value>> = requests.iter().map(|request| request.slate.concat()).collect();
        let kernels: Vec<Kernel> = Kernel::all().collect();
        for (threads, kernel) in [1, 2, 3, 2 * REQUESTS].into_iter().zip(kernels.iter().cycle()) {
            let mut pool = RankerPool::new(&model, NonZeroUsize::new(threads).unwrap());
            pool.use_kernels(*kernel, IntegerKernel::Portable);
            // Scratch memory is used again.
            for _ in 0..2 {
                let mut scores: Vec<Vec<f32>> =
                    requests.iter().map(|request| vec![f32::NAN; request.slate.len()]).collect();
                let parts = requests.iter().zip(&behaviours).zip(&candidates).zip(&mut scores);
                let mut slates: Vec<Slate<'_>> = parts
                    .map(|(((request, histories), candidates), scores)| {
                        let user = User { profile: &request.profile, context: &request.context, histories };
                        Slate::new(user, candidates, scores)
                    })
                    .collect();
                let room = std::mem::take(&mut slates[MISFIT].scores);
                pool.score(&mut slates);
                let needed = room.len();
                for (index, slate) in slates.iter().enumerate() {
                    let expected = match index {
                        MISFIT => Err(ScoreError::OutputTooSmall { needed, found: 0 }),
                        _ => Ok(()),
                    };
                    assert_eq!(slate.result, expected, "{index}");
                }
                for (index, (request, scores)) in requests.iter().zip(&scores).enumerate() {
                    if index != MISFIT {
                        assert_eq!(scores, &alone(&model, request, *kernel), "{seed} {path:?} {threads}");
                    }
                }
            }
        }
    }
}

#[test]
fn no_slates_are_scored_at_once() {
    let blob = blob::write(&random_model(1), &ExportOptions::default()).unwrap();
    let model = Model::from_bytes(&blob).unwrap();
    RankerPool::new(&model, NonZeroUsize::MIN).score(&mut []);
}
