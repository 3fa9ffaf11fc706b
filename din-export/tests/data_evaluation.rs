//! What a blob is worth on the data of a job does not depend on how the job would train.

use din_export::blob::{self, ExportOptions};
use din_export::data::dataset::Dataset;
use din_export::data::{load, load_every_id};
use din_export::evaluation::{Evaluation, EvaluationError, evaluate};
use din_export::job::Job;
use din_export::training::train;
use std::fmt::Write;
use std::path::Path;

const JOB: &str = r#"
name = "evaluation"
[data]
samples = "samples.csv"
label = "label"
user = "user"
[tables.item]
dim = 2
min_count = 1
[[candidate]]
name = "item"
table = "item"
[[sequence]]
name = "recent"
capacity = 4
[[sequence.field]]
name = "item"
table = "item"
[[sequence.source]]
kind = "list"
columns = {item = "recent"}
[model.unit]
hidden = [2]
[model.head]
hidden = [4]
[training]
epochs = 2
batch_size = 4
embedding_init = 1.0
[split]
kind = "column"
column = "split"
train = "train"
valid = "valid"
test = "test"
"#;

/// Items 0 to 5, of which 0 is the most frequent; all are in every split, before each of them `prefix`.
fn samples(prefix: &str) -> String {
    let mut text = "split,user,label,item,recent\n".to_owned();
    for index in 0_usize..36 {
        let split = ["train", "valid", "test"][index / 12];
        let (item, earlier) = ((index % 6) * (index % 2), (index * 5 + 1) % 6);
        let label = usize::from(index % 5 < 2);
        writeln!(text, "{split},u{},{label},{prefix}{item},{prefix}{earlier}", index % 4).unwrap();
    }
    text
}

type Load = fn(
    &Job,
    Option<&Path>,
    &mut dyn FnMut(din_export::data::LoadStep<'_>),
) -> Result<Dataset, din_export::data::DataError>;

/// The dataset of the job with this `min_count`.
fn dataset(load: Load, min_count: u32, samples: &str) -> (Job, Dataset) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("samples.csv"), samples).unwrap();
    let text = JOB.replace("min_count = 1", &format!("min_count = {min_count}"));
    let job = Job::from_toml(&text, Path::new("job.toml")).unwrap();
    let dataset = load(&job, Some(directory.path()), &mut |_| ()).unwrap();
    (job, dataset)
}

/// A blob that knows every item.
fn blob() -> Vec<u8> {
    let (job, dataset) = dataset(load, 1, &samples(""));
    let trained = train(&dataset, &job.model, &job.training, &mut |_| ()).unwrap();
    blob::write(&trained.weights, &ExportOptions::default()).unwrap()
}

fn evaluation(blob: &[u8], load: Load, min_count: u32) -> Evaluation {
    let (_, dataset) = dataset(load, min_count, &samples(""));
    evaluate(blob, &dataset, &dataset.test).unwrap()
}

#[test]
fn metrics_of_a_blob_do_not_depend_on_the_job_s_min_count() {
    let blob = blob();
    let evaluations = [1, 4].map(|min_count| evaluation(&blob, load_every_id, min_count));
    assert_eq!(evaluations[0].scores, evaluations[1].scores);
    assert_eq!(evaluations[0].metrics, evaluations[1].metrics);
    // With the job's own vocabulary they do: the data can tell the two apart.
    let trained = [1, 4].map(|min_count| evaluation(&blob, load, min_count));
    assert_eq!(trained[0].scores, evaluations[0].scores);
    assert_ne!(trained[1].metrics, evaluations[0].metrics);
}

#[test]
fn ids_of_another_kind_than_the_blob_s_are_refused() {
    let (_, dataset) = dataset(load_every_id, 1, &samples("i"));
    let error = evaluate(&blob(), &dataset, &dataset.test).unwrap_err();
    assert!(matches!(error, EvaluationError::IdsDiffer { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "the ids of field `item` are integers in the model but texts in the data; \
         correct the data, or train and evaluate with the same `ids` of the field's table"
    );
}

#[test]
fn white_space_around_ids_changes_nothing() {
    let text = samples("");
    let (header, rows) = text.split_once('\n').unwrap();
    // u1,0,5,3 becomes ` u1`, `0`, `5 ` and `3`.
    let space =
        |row: &str| row.replace(",u", ", u").rsplit_once(',').map(|(head, tail)| format!("{head} ,{tail}\n"));
    let spaced: String = rows.lines().filter_map(space).collect();
    assert!(spaced.contains(", u3,0,") && spaced.contains("5 ,"), "{spaced}");
    let (_, spaced) = dataset(load, 1, &format!("{header}\n{spaced}"));
    assert_eq!(spaced, dataset(load, 1, &text).1);
}
