//! Writes the samples of a job as the trainer sees them, for a comparison with other programs on the same samples and features:
//!
//! `cargo run --release -p din-export --example coded_samples -- JOB.toml OUT.safetensors`
//!
//! `labels` and `users`, an entry for each sample; `train`, `valid`, `test`: indices into them; `profile.NAME`, `context.NAME`,
//! `candidate.NAME`: a row of the field's table for each sample (row 0 is every id that the training split does not have), or a
//! number before its normaliser; `SEQUENCE.NAME`: the behaviours of all histories in one pool, and `SEQUENCE.spans`, for each
//! sample the begin and the end of its history, oldest first. The metadata holds `rows.TABLE`, and `table.NAME` for each field.

use din_export::data;
use din_export::data::dataset::FieldColumn;
use din_export::job::Job;
use din_export::schema::{Field, FieldKind, Schema};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [job, out] = &arguments[..] else {
        return Err("expected two arguments: a job file, and the file to write".into());
    };
    let job = Job::load(Path::new(job))?;
    let dataset = data::load(&job, None, &mut |step| eprintln!("{step}"))?;
    let samples = &dataset.samples;
    let mut columns = vec![
        ("labels".to_owned(), FieldColumn::Numbers(samples.labels.clone())),
        ("users".to_owned(), FieldColumn::Rows(samples.users.clone())),
    ];
    for (name, indices) in [("train", &dataset.train), ("valid", &dataset.valid), ("test", &dataset.test)] {
        columns.push((name.to_owned(), FieldColumn::Rows(indices.clone())));
    }
    let schema = &dataset.schema;
    let groups = [
        ("profile", &schema.profile, &samples.profile),
        ("context", &schema.context, &samples.context),
        ("candidate", &schema.candidate, &samples.candidate),
    ];
    let mut metadata = HashMap::new();
    for table in &schema.tables {
        metadata.insert(format!("rows.{}", table.name), table.vocabulary.rows().to_string());
    }
    for (group, fields, values) in groups {
        for (field, column) in fields.iter().zip(values) {
            let name = format!("{group}.{}", field.name);
            note_table(schema, field, &name, &mut metadata);
            columns.push((name, column.clone()));
        }
    }
    for (sequence, histories) in schema.sequences.iter().zip(&samples.histories) {
        let spans = histories.spans.iter().flat_map(|&(start, end)| [start, end]).collect();
        columns.push((format!("{}.spans", sequence.name), FieldColumn::Rows(spans)));
        for (behaviour, column) in sequence.fields.iter().zip(&histories.pool) {
            let name = format!("{}.{}", sequence.name, behaviour.field.name);
            note_table(schema, &behaviour.field, &name, &mut metadata);
            columns.push((name, column.clone()));
        }
    }
    let views = columns.iter().map(|(name, column)| {
        let (kind, bytes) = match column {
            FieldColumn::Rows(rows) => (Dtype::U32, bytemuck::cast_slice(rows)),
            FieldColumn::Numbers(numbers) => (Dtype::F32, bytemuck::cast_slice(numbers)),
        };
        Ok((name, TensorView::new(kind, vec![column.len()], bytes)?))
    });
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize_to_file(views, Some(metadata), Path::new(out))?;
    Ok(())
}

/// Which table a field's rows are of.
fn note_table(schema: &Schema, field: &Field, name: &str, metadata: &mut HashMap<String, String>) {
    if let FieldKind::Categorical { table } = field.kind {
        metadata.insert(format!("table.{name}"), schema.tables[table].name.clone());
    }
}
