//! The head's input: where each field goes, and the buffers that carry it there and its gradient back.

use std::ops::Range;

use rayon::prelude::*;

use super::attention::{AttentionBuffers, Gather, Queries};
use super::blocks::resize;
use super::embedding::Embedding;
use super::error::NetworkError;
use super::fields::{Place, gather, source};
use super::pooling::Pooling;
use super::real::Real;
use super::segments::Segments;
use crate::data::dataset::Samples;
use crate::schema::{Field, FieldKind, Schema, SequenceSpec};

/// The samples of a mini-batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// All samples; their columns fit the network's schema, up to sequences that a network without pooling ignores.
    pub samples: &'a Samples,
    /// Those that the batch holds; B of them.
    pub indices: &'a [u32],
}

/// Columns of the head's input: `[profile, context, pooled of each sequence, candidate (, product of each sequence)]`.
#[derive(Clone, Debug)]
pub struct Layout {
    profile: usize,
    context: usize,
    candidate: usize,
    sequences: Vec<SequenceLayout>,
    /// Whether there are products.
    pub(super) product: bool,
    width: usize,
}

/// Columns of one sequence's.
#[derive(Clone, Debug)]
struct SequenceLayout {
    /// D of the key.
    width: usize,
    /// Its first part, which the candidate has too.
    paired: usize,
    /// First column of the interest vector.
    pooled: usize,
    /// First column of `pooled * candidate`, if the head reads that.
    product: Option<usize>,
}

impl Layout {
    /// Lays out the head's input.
    ///
    /// # Errors
    /// If nothing would be read, a sequence has no fields, or its pairs do not fit.
    pub fn new(schema: &Schema, product: bool) -> Result<Self, NetworkError> {
        let context = schema.total_width(&schema.profile);
        let mut column = context + schema.total_width(&schema.context);
        let mut sequences = Vec::new();
        for sequence in &schema.sequences {
            check_pairs(schema, sequence)?;
            let (width, paired) = (schema.key_width(sequence), schema.paired_width(sequence));
            sequences.push(SequenceLayout { width, paired, pooled: column, product: None });
            column += width;
        }
        let candidate = column;
        column += schema.total_width(&schema.candidate);
        if product {
            for sequence in &mut sequences {
                sequence.product = Some(column);
                column += sequence.paired;
            }
        }
        if column == 0 {
            return Err(NetworkError::NoInputs);
        }
        Ok(Self { profile: 0, context, candidate, sequences, product, width: column })
    }

    /// Columns in all.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }
}

fn check_pairs(schema: &Schema, sequence: &SequenceSpec) -> Result<(), NetworkError> {
    if sequence.fields.is_empty() {
        return Err(NetworkError::EmptySequence { sequence: sequence.name.clone() });
    }
    let mut unpaired_seen = false;
    for behaviour in &sequence.fields {
        let Some(pair) = behaviour.pair else {
            unpaired_seen = true;
            continue;
        };
        let (sequence, field) = (sequence.name.clone(), behaviour.field.name.clone());
        if unpaired_seen {
            return Err(NetworkError::PairedAfterUnpaired { sequence, field });
        }
        let width = schema.width(&behaviour.field);
        let candidate = schema.candidate.get(pair);
        let pair_width = candidate.map_or(0, |candidate| schema.width(candidate));
        if width != pair_width {
            let pair =
                candidate.map_or_else(|| format!("number {pair}"), |field| format!("`{}`", field.name));
            return Err(NetworkError::PairWidth { sequence, field, width, pair, pair_width });
        }
    }
    Ok(())
}

/// The schema that is left when histories are ignored: no sequences, and no table that they alone used.
#[must_use]
pub fn without_sequences(schema: &Schema) -> Schema {
    let mut schema = Schema { sequences: Vec::new(), ..schema.clone() };
    let mut new_index = vec![None; schema.tables.len()];
    let mut kept = Vec::new();
    let fields = schema.profile.iter_mut().chain(&mut schema.context).chain(&mut schema.candidate);
    for field in fields {
        if let FieldKind::Categorical { table } = &mut field.kind {
            *table = *new_index[*table].get_or_insert_with(|| {
                kept.push(*table);
                kept.len() - 1
            });
        }
    }
    let mut tables: Vec<_> = schema.tables.into_iter().map(Some).collect();
    schema.tables = kept.iter().filter_map(|&table| tables[table].take()).collect();
    schema
}

/// What a batch's inputs are looked up by.
#[derive(Clone, Copy)]
pub struct Lookup<'a, T> {
    /// Where they go.
    pub layout: &'a Layout,
    /// What the columns mean.
    pub schema: &'a Schema,
    /// Of the schema.
    pub tables: &'a [Embedding<T>],
    /// Whose.
    pub batch: Batch<'a>,
}

impl<T: Real> Lookup<'_, T> {
    /// Writes the keys of some entries of a sequence's pool, `[n, D]`.
    fn keys(self, sequence: usize, at: &[u32], keys: &mut [T]) {
        let Self { layout, schema, tables, batch } = self;
        let fields = &schema.sequences[sequence].fields;
        let columns = &batch.samples.histories[sequence].pool;
        let stride = layout.sequences[sequence].width;
        let places = places(schema, fields.iter().map(|behaviour| &behaviour.field), stride, 0);
        for ((behaviour, column), place) in fields.iter().zip(columns).zip(places) {
            gather(&behaviour.field, column, at, tables, keys, place);
        }
    }
}

/// Reused between steps.
#[derive(Clone, Debug, Default)]
pub struct InputBuffers<T> {
    /// The head's input: `[B, width]`.
    head: Vec<T>,
    /// dL / d head.
    head_gradient: Vec<T>,
    sequences: Vec<SequenceBuffers<T>>,
}

#[derive(Clone, Debug, Default)]
struct SequenceBuffers<T> {
    segments: Segments,
    /// `[P, D]`; the keys themselves are looked up, and kept, where they are wanted.
    keys_gradient: Vec<T>,
    /// The candidate's part of `[q, k]`: `[B, D]`, zero where unpaired.
    query: Vec<T>,
    query_gradient: Vec<T>,
    /// `[B, D]`.
    pooled: Vec<T>,
    pooled_gradient: Vec<T>,
    attention: AttentionBuffers<T>,
}

impl<T: Real> InputBuffers<T> {
    /// The head's input: `[B, width]`.
    #[must_use]
    pub fn head(&self) -> &[T] {
        &self.head
    }

    /// Looks up every field of a batch; keys are left to [`Self::pool`].
    pub fn gather(&mut self, lookup: Lookup<'_, T>) {
        let Lookup { layout, schema, tables, batch } = lookup;
        let samples = batch.samples;
        let n = batch.indices.len();
        resize(&mut self.head, n * layout.width);
        for (fields, columns, first) in [
            (&schema.profile, &samples.profile, layout.profile),
            (&schema.context, &samples.context, layout.context),
            (&schema.candidate, &samples.candidate, layout.candidate),
        ] {
            let places = places(schema, fields, layout.width, first);
            for ((field, column), place) in fields.iter().zip(columns).zip(places) {
                gather(field, column, batch.indices, tables, &mut self.head, place);
            }
        }
        self.sequences.resize_with(schema.sequences.len(), SequenceBuffers::default);
        for (index, own) in self.sequences.iter_mut().enumerate() {
            let (spec, width) = (&schema.sequences[index], layout.sequences[index].width);
            let histories = &samples.histories[index];
            own.segments.fill(batch.indices.iter().map(|&sample| histories.spans[sample as usize]));
            resize(&mut own.pooled, n * width);
            resize(&mut own.query, n * width);
            for (pair, place) in paired_places(schema, spec, width) {
                let (field, column) = (&schema.candidate[pair], &samples.candidate[pair]);
                gather(field, column, batch.indices, tables, &mut own.query, place);
            }
        }
    }

    /// Lets `pool` compute a sequence's interest vectors from its queries, and from its keys, which it looks up when it wants them.
    pub fn pool(
        &mut self,
        sequence: usize,
        lookup: Lookup<'_, T>,
        pool: impl FnOnce(Queries<'_, T>, &Gather<'_, T>, &mut [T], &mut AttentionBuffers<T>),
    ) {
        let SequenceBuffers { segments, query, pooled, attention, .. } = &mut self.sequences[sequence];
        let gather =
            |rows: Range<usize>, keys: &mut [T]| lookup.keys(sequence, &segments.entries()[rows], keys);
        pool(Queries { values: query, segments }, &gather, pooled, attention);
    }

    /// Copies the interest vectors, and their products with the candidate, into the head's input.
    pub fn write_pooled(&mut self, layout: &Layout) {
        for (own, sequence) in self.sequences.iter().zip(&layout.sequences) {
            let d = sequence.width;
            let rows = own.pooled.chunks_exact(d).zip(own.query.chunks_exact(d));
            for (row, (pooled, query)) in self.head.chunks_exact_mut(layout.width).zip(rows) {
                row[sequence.pooled..sequence.pooled + d].copy_from_slice(pooled);
                if let Some(first) = sequence.product {
                    let products = row[first..first + sequence.paired].iter_mut();
                    for ((product, &v), &q) in products.zip(pooled).zip(query) {
                        *product = v * q;
                    }
                }
            }
        }
    }

    /// Lets `backward` turn the head's input into its gradient.
    pub fn backward_head(&mut self, backward: impl FnOnce(&[T], &mut [T])) {
        resize(&mut self.head_gradient, self.head.len());
        backward(&self.head, &mut self.head_gradient);
    }

    /// The transpose of [`Self::write_pooled`]: starts the gradients of the interest vectors and of the queries.
    pub fn read_pooled_gradient(&mut self, layout: &Layout) {
        for (own, sequence) in self.sequences.iter_mut().zip(&layout.sequences) {
            let d = sequence.width;
            resize(&mut own.pooled_gradient, own.pooled.len());
            resize(&mut own.query_gradient, own.query.len());
            own.query_gradient.fill(T::zero());
            let values = own.pooled.chunks_exact(d).zip(own.query.chunks_exact(d));
            let gradients =
                own.pooled_gradient.chunks_exact_mut(d).zip(own.query_gradient.chunks_exact_mut(d));
            let rows = self.head_gradient.chunks_exact(layout.width).zip(values).zip(gradients);
            for ((row, (pooled, query)), (pooled_gradient, query_gradient)) in rows {
                pooled_gradient.copy_from_slice(&row[sequence.pooled..sequence.pooled + d]);
                if let Some(first) = sequence.product {
                    for j in 0..sequence.paired {
                        let gradient = row[first + j];
                        pooled_gradient[j] += gradient * query[j];
                        query_gradient[j] += gradient * pooled[j];
                    }
                }
            }
        }
    }

    /// From the gradient of a sequence's interest vectors to those of its keys and queries, and of its pooling.
    pub fn pool_backward(&mut self, sequence: usize, pooling: &mut Pooling<T>) {
        let own = &mut self.sequences[sequence];
        let segments = &own.segments;
        resize(&mut own.keys_gradient, segments.rows() * pooling.width);
        pooling.backward(
            Queries { values: &own.query, segments },
            &own.pooled_gradient,
            &mut own.keys_gradient,
            &mut own.query_gradient,
            &mut own.attention,
        );
    }

    /// The transpose of [`Self::gather`] and of the looking up of keys: sets every table's gradient.
    pub fn scatter(&self, layout: &Layout, schema: &Schema, tables: &mut [Embedding<T>], batch: Batch<'_>) {
        let samples = batch.samples;
        let mut found = Vec::new();
        for (fields, columns, first) in [
            (&schema.profile, &samples.profile, layout.profile),
            (&schema.context, &samples.context, layout.context),
            (&schema.candidate, &samples.candidate, layout.candidate),
        ] {
            let places = places(schema, fields, layout.width, first);
            for ((field, column), place) in fields.iter().zip(columns).zip(places) {
                found.extend(source(field, column, batch.indices, &self.head_gradient, place));
            }
        }
        for (index, own) in self.sequences.iter().enumerate() {
            let spec = &schema.sequences[index];
            let fields = spec.fields.iter().map(|behaviour| &behaviour.field);
            let places = places(schema, fields.clone(), layout.sequences[index].width, 0);
            for ((field, column), place) in fields.zip(&samples.histories[index].pool).zip(places) {
                found.extend(source(field, column, own.segments.entries(), &own.keys_gradient, place));
            }
            for (pair, place) in paired_places(schema, spec, layout.sequences[index].width) {
                let (field, column) = (&schema.candidate[pair], &samples.candidate[pair]);
                found.extend(source(field, column, batch.indices, &own.query_gradient, place));
            }
        }
        let mut sources = vec![Vec::new(); tables.len()];
        for (table, source) in found {
            sources[table].push(source);
        }
        tables.par_iter_mut().zip(&sources).for_each(|(table, sources)| table.gradient.set(sources));
    }
}

/// Fields side by side in rows of `stride` numbers, from column `first` on.
fn places<'a>(
    schema: &Schema,
    fields: impl IntoIterator<Item = &'a Field>,
    stride: usize,
    first: usize,
) -> impl Iterator<Item = Place> {
    let mut column = first;
    fields.into_iter().map(move |field| {
        let place = Place { stride, column };
        column += schema.width(field);
        place
    })
}

/// For each pair of a sequence its candidate field, and where that goes in rows of q.
fn paired_places(
    schema: &Schema,
    sequence: &SequenceSpec,
    stride: usize,
) -> impl Iterator<Item = (usize, Place)> {
    let pairs = sequence.fields.iter().map_while(|behaviour| behaviour.pair);
    let fields = sequence.fields.iter().map(|behaviour| &behaviour.field);
    pairs.zip(places(schema, fields, stride, 0))
}
