//! One step of training.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::error::TrainingError;
use super::optimizer::Optimizer;
use super::regularization::RowDecay;
use crate::config::model::ModelConfig;
use crate::config::training::TrainingConfig;
use crate::data::dataset::Dataset;
use crate::network::layer::Dropout;
use crate::network::state::NamedPart;
use crate::network::{Batch, Network, TrainingMode, Workspace};

/// Streams of the seed's random numbers; the network's initial weights use stream 0.
pub(super) const SHUFFLE_STREAM: u64 = 1;
const DROPOUT_STREAM: u64 = 2;

/// A network under training: its optimiser, its regulariser, and the buffers of a step.
#[derive(Debug)]
pub struct Trainer {
    network: Network<f32>,
    optimizer: Optimizer,
    decay: RowDecay,
    workspace: Workspace<f32>,
    moving_average: f64,
    dropout: f64,
    dropout_rng: ChaCha8Rng,
}

impl Trainer {
    /// A new network for a dataset.
    ///
    /// # Errors
    /// If a setting is out of range, or schema and configuration describe no network.
    pub fn new(
        dataset: &Dataset,
        model: &ModelConfig,
        config: &TrainingConfig,
    ) -> Result<Self, TrainingError> {
        let network = Network::new(&dataset.schema, model, config.embedding_init, config.seed)?;
        Self::resume(network, dataset, config)
    }

    /// A network that exists already, with a new optimiser. Its tables must be those of the dataset's schema.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn resume(
        network: Network<f32>,
        dataset: &Dataset,
        config: &TrainingConfig,
    ) -> Result<Self, TrainingError> {
        let decay = RowDecay::new(&config.regularization, dataset, network.schema());
        Self::with_decay(network, decay, config)
    }

    /// As [`Self::resume`], with a regulariser that is made already.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn with_decay(
        mut network: Network<f32>,
        decay: RowDecay,
        config: &TrainingConfig,
    ) -> Result<Self, TrainingError> {
        check_settings(config)?;
        let optimizer = Optimizer::new(&config.optimizer, &mut network);
        let mut dropout_rng = ChaCha8Rng::seed_from_u64(config.seed);
        dropout_rng.set_stream(DROPOUT_STREAM);
        Ok(Self {
            network,
            optimizer,
            decay,
            workspace: Workspace::default(),
            moving_average: config.moving_average,
            dropout: config.dropout,
            dropout_rng,
        })
    }

    /// As it is now.
    #[must_use]
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }

    /// The rate of the next step.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.optimizer.rate()
    }

    /// Every number that a step changes, that of the network first, then that of the optimiser.
    pub fn state_mut(&mut self) -> Vec<NamedPart<'_, f32>> {
        let mut parts = self.network.state_mut();
        parts.extend(self.optimizer.state_mut());
        parts
    }

    /// As [`Self::network`], to be restored.
    pub fn network_mut(&mut self) -> &mut Network<f32> {
        &mut self.network
    }

    /// The network alone; optimiser and buffers are freed.
    #[must_use]
    pub fn into_network(self) -> Network<f32> {
        self.network
    }

    /// How many random words dropout has drawn.
    #[must_use]
    pub fn dropout_position(&self) -> u128 {
        self.dropout_rng.get_word_pos()
    }

    /// Continues dropout where [`Self::dropout_position`] said.
    pub fn set_dropout_position(&mut self, position: u128) {
        self.dropout_rng.set_word_pos(position);
    }

    /// One step on a batch; returns the batch's mean loss before it. Nothing is stepped if that is not finite.
    pub fn step(&mut self, batch: Batch<'_>) -> f64 {
        // One hand-over to the thread pool for the whole step, instead of one for each loop of it.
        rayon::scope(|_| {
            let dropout = (self.dropout > 0.0)
                .then_some(Dropout { probability: self.dropout, rng: &mut self.dropout_rng });
            let mut mode = TrainingMode { moving_average: self.moving_average, dropout };
            let loss = self.network.forward_train(batch, &mut mode, &mut self.workspace);
            if loss.is_finite() {
                self.network.backward(batch, &mut self.workspace);
                self.optimizer.step(&mut self.network, &self.decay);
            }
            loss
        })
    }
}

/// Refuses settings outside their ranges.
///
/// # Errors
/// `Setting`, which names the key.
pub fn check_settings(config: &TrainingConfig) -> Result<(), TrainingError> {
    let optimizer = &config.optimizer;
    let positive = |value: f64| value > 0.0 && value.is_finite();
    let non_negative = |value: f64| value >= 0.0 && value.is_finite();
    let share = |value: f64| (0.0..1.0).contains(&value);
    let whole = |value: usize| value as f64;
    let settings = [
        ("epochs", whole(config.epochs), config.epochs > 0, "at least 1"),
        ("batch_size", whole(config.batch_size), config.batch_size > 0, "at least 1"),
        ("max_loss", config.max_loss, non_negative(config.max_loss), "0 or positive"),
        ("dropout", config.dropout, share(config.dropout), "in [0, 1)"),
        ("embedding_init", config.embedding_init, non_negative(config.embedding_init), "0 or positive"),
        ("moving_average", config.moving_average, share(config.moving_average), "in [0, 1)"),
        ("optimizer.learning_rate", optimizer.learning_rate, positive(optimizer.learning_rate), "positive"),
        (
            "optimizer.decay_rate",
            optimizer.decay_rate,
            positive(optimizer.decay_rate) && optimizer.decay_rate <= 1.0,
            "in (0, 1]",
        ),
        ("optimizer.beta1", optimizer.beta1, share(optimizer.beta1), "in [0, 1)"),
        ("optimizer.beta2", optimizer.beta2, share(optimizer.beta2), "in [0, 1)"),
        ("optimizer.epsilon", optimizer.epsilon, positive(optimizer.epsilon), "positive"),
        (
            "optimizer.initial_accumulator",
            optimizer.initial_accumulator,
            non_negative(optimizer.initial_accumulator),
            "0 or positive",
        ),
        ("optimizer.clip_norm", optimizer.clip_norm, non_negative(optimizer.clip_norm), "0 or positive"),
        (
            "optimizer.dense_decay",
            optimizer.dense_decay,
            non_negative(optimizer.dense_decay),
            "0 or positive",
        ),
        (
            "regularization.lambda",
            config.regularization.lambda,
            non_negative(config.regularization.lambda),
            "0 or positive",
        ),
    ];
    match settings.into_iter().find(|(.., valid, _)| !valid) {
        Some((key, found, _, expected)) => Err(TrainingError::Setting { key, found, expected }),
        None => Ok(()),
    }
}
