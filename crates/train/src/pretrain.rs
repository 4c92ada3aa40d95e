//! Training a model from scratch on plain text (chapter 5 of the book).

use std::sync::atomic::{AtomicBool, Ordering};

use burn::{module::Module, tensor::Device};
use gptune_data::{Batch, DataError, END_OF_TEXT, END_OF_TEXT_ID, Order, OrderStream, Sequence, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::{Checkpoint, Event, Sink};

use crate::{
    AdamW, CompactVocabulary, Keeper, Optimizer, Outcome, Packing, Rates, TrainError, TrainState,
    epochs::{self, Around},
    objective::{Cadence, Evaluated, Objective},
    step::{Stepping, supervised},
};

/// How to pretrain.
#[derive(Debug, Clone, PartialEq)]
pub struct PretrainConfig {
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// Highest learning rate; it rises linearly and falls along a cosine to a tenth.
    pub lr: f64,
    /// Steps over which it rises.
    pub warmup: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Seed of the weights and of the order of blocks.
    pub seed: u32,
    /// Steps between evaluations.
    pub eval_every: usize,
    /// Store the state of the run now and then, to go on with if it is broken off.
    pub checkpoint: bool,
    /// Steps between stored states, beside those at the end of each pass over the text; 0 is none.
    pub checkpoint_every: usize,
    /// Minutes between stored states; 0 is none.
    pub checkpoint_minutes: f64,
}

impl Default for PretrainConfig {
    fn default() -> Self {
        Self {
            batch_size: 8,
            steps: 1000,
            lr: 2e-3,
            warmup: 50,
            weight_decay: 0.1,
            seed: 123,
            eval_every: 100,
            checkpoint: true,
            checkpoint_every: 0,
            checkpoint_minutes: 10.0,
        }
    }
}

impl PretrainConfig {
    fn validate(&self) -> Result<(), TrainError> {
        let fault = |key, problem: &str| Err(TrainError::Setting { key, problem: problem.to_owned() });
        match self {
            Self { batch_size: 0, .. } => fault("batch_size", "it has to be at least 1"),
            Self { steps: 0, .. } => fault("steps", "it has to be at least 1"),
            Self { eval_every: 0, .. } => fault("eval_every", "it has to be at least 1"),
            Self { lr, .. } if !lr.is_finite() || *lr <= 0.0 => fault("lr", "it has to be above 0"),
            _ => Ok(()),
        }
    }

    /// The learning rate of a step, counting from 0.
    #[must_use]
    pub fn learning_rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let progress = (step - self.warmup) as f64 / (self.steps - self.warmup).max(1) as f64;
        let cosine = f64::midpoint(1.0, (std::f64::consts::PI * progress).cos());
        self.lr * (0.1 + 0.9 * cosine)
    }
}

/// Blocks that evaluations measure at most: more would take longer than the training between them.
const MOST_HELD_OUT: usize = 200;

/// Text as one stream of tokens, cut into blocks of equal length. The last fiftieth is held
/// out, and at most 200 blocks.
#[derive(Debug, Clone)]
pub struct TextBlocks {
    tokens: Vec<u32>,
    block_size: usize,
    train: usize,
    held_out: usize,
    vocabulary: Option<CompactVocabulary>,
}

impl TextBlocks {
    /// Encodes documents, which blank lines or `<|endoftext|>` separate, with an end-of-text token after each.
    ///
    /// # Errors
    ///
    /// [`DataError::TextTooShort`] if there are fewer than two blocks of text.
    pub fn new(origin: &str, text: &str, block_size: usize, tokenizer: &Tokenizer) -> Result<Self, DataError> {
        let mut tokens = Vec::new();
        for document in documents(text) {
            tokens.extend(tokenizer.encode(&document)?);
            tokens.push(END_OF_TEXT_ID);
        }
        // A block's targets reach one token into the next.
        let blocks = tokens.len().saturating_sub(1) / block_size.max(1);
        if blocks < 2 {
            return Err(DataError::TextTooShort { origin: origin.to_owned(), tokens: tokens.len(), block_size });
        }
        let held_out = (blocks / 50).clamp(1, MOST_HELD_OUT);
        Ok(Self { tokens, block_size, train: blocks - held_out, held_out, vocabulary: None })
    }

    /// Numbers the tokens of the text, and those of `also`, anew and without gaps. [`Pretraining`] then
    /// trains a model with these tokens alone, which takes a fraction of the time, and gives it the
    /// whole vocabulary in the end.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn with_compact_vocabulary(mut self, also: &[String], tokenizer: &Tokenizer) -> Result<Self, DataError> {
        let mut silent = Vec::new();
        for text in also {
            silent.extend(tokenizer.encode(text)?);
        }
        let vocabulary = CompactVocabulary::new(&self.tokens, &silent);
        for token in &mut self.tokens {
            *token = vocabulary.compact(*token);
        }
        self.vocabulary = Some(vocabulary);
        Ok(self)
    }

    /// Tokens of the compact vocabulary, if the text has one.
    #[must_use]
    pub fn compact_vocabulary(&self) -> Option<&CompactVocabulary> {
        self.vocabulary.as_ref()
    }

    /// Tokens to train on in one pass.
    #[must_use]
    pub fn train_tokens(&self) -> usize {
        self.train * self.block_size
    }

    fn batch(&self, blocks: &[usize]) -> Batch {
        let sequence = |block: &usize| {
            let start = block * self.block_size;
            let ids = self.tokens[start..=start + self.block_size].to_vec();
            Sequence { trained: vec![1..ids.len()], ids }
        };
        Batch { sequences: blocks.iter().map(sequence).collect(), padding: END_OF_TEXT_ID }
    }
}

/// Documents between blank lines (in files of Windows too, and where the lines hold spaces) and the literal
/// `<|endoftext|>`, which other tools write between them.
fn documents(text: &str) -> impl Iterator<Item = String> {
    text.split(END_OF_TEXT).flat_map(|part| {
        let lines: Vec<&str> = part.lines().collect();
        let documents = lines.split(|line| line.trim().is_empty());
        documents
            .map(|lines| lines.join("\n").trim().to_owned())
            .filter(|document| !document.is_empty())
            .collect::<Vec<_>>()
    })
}

/// Trains a model from random weights on plain text.
#[derive(Debug)]
pub struct Pretraining<'a> {
    model_config: &'a Gpt2Config,
    text: &'a TextBlocks,
    config: &'a PretrainConfig,
}

impl<'a> Pretraining<'a> {
    /// A training of a model of these sizes.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if a value makes no run.
    pub fn new(
        model_config: &'a Gpt2Config,
        text: &'a TextBlocks,
        config: &'a PretrainConfig,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        Ok(Self { model_config, text, config })
    }

    /// Runs the loop on a model with random weights on `device`, which has autodiff. Setting `stop` ends it after the step
    /// at hand.
    ///
    /// The model of the outcome has the vocabulary of the model's configuration, also after a compact one. Evaluations
    /// measure the newest batch and the held-out part.
    ///
    /// # Errors
    ///
    /// If the sink or the keeper fails.
    pub fn run(
        &self,
        device: &Device,
        sink: &mut dyn Sink,
        keeper: &mut dyn Keeper,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        device.seed(u64::from(self.config.seed));
        let order = OrderStream::new(Order::Shuffle, self.config.seed);
        let state = TrainState::new(self.model(device), optimizer(), None, order);
        epochs::begin(self, state, &mut Around { sink, keeper, stop })
    }

    /// Goes on from a state that was stored, to the end.
    ///
    /// # Errors
    ///
    /// If the state is not one of such a training, or as [`Pretraining::run`].
    pub fn resume(
        &self,
        checkpoint: &Checkpoint,
        device: &Device,
        sink: &mut dyn Sink,
        keeper: &mut dyn Keeper,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let state = TrainState::restore(checkpoint, self.model(device), optimizer(), Order::Shuffle)?;
        if state.permutation.len() != self.text.train || state.permutation.iter().any(|&at| at >= self.text.train) {
            let blocks = state.permutation.len();
            let problem = format!("its order is one of {blocks} blocks, and there are {}", self.text.train);
            return Err(checkpoint.fault(problem).into());
        }
        epochs::go_on(self, state, &mut Around { sink, keeper, stop })
    }

    /// A model of the text's vocabulary.
    fn model(&self, device: &Device) -> Gpt2 {
        let vocab_size = self.text.vocabulary.as_ref().map_or(self.model_config.vocab_size, CompactVocabulary::len);
        Gpt2::init(&Gpt2Config { vocab_size, ..self.model_config.clone() }, device)
    }
}

fn optimizer() -> Optimizer {
    Optimizer::new(AdamW { betas: [0.9, 0.95], ..AdamW::default() })
}

impl Objective for Pretraining<'_> {
    fn epochs(&self) -> usize {
        self.config.steps.div_ceil(self.steps_per_epoch())
    }

    fn steps_per_epoch(&self) -> usize {
        (self.text.train / self.config.batch_size).max(1)
    }

    fn steps(&self) -> usize {
        self.config.steps
    }

    fn examples(&self) -> [usize; 2] {
        [self.text.train, self.text.held_out]
    }

    fn stepping(&self) -> Stepping {
        Stepping { max_norm: None, packing: Packing::default() }
    }

    fn rates(&self, step: usize, _name: &str, _dimensions: usize) -> Rates {
        Rates { lr: self.config.learning_rate(step), weight_decay: self.config.weight_decay }
    }

    fn dropout_seed(&self) -> Option<u32> {
        None
    }

    fn cadence(&self) -> Option<Cadence> {
        let PretrainConfig { checkpoint, checkpoint_every, checkpoint_minutes, .. } = *self.config;
        // Nothing long follows the last step.
        let at_the_end = false;
        checkpoint.then_some(Cadence { steps: checkpoint_every, seconds: 60.0 * checkpoint_minutes, at_the_end })
    }

    fn start_epoch(&self, order: &mut OrderStream) -> Vec<usize> {
        order.start_shuffled(&vec![self.text.block_size; self.text.train], self.config.batch_size)
    }

    /// From the end of the order.
    fn batches(&self, permutation: &[usize], step: usize) -> Vec<Batch> {
        let end = permutation.len() - step * self.config.batch_size;
        vec![self.text.batch(&permutation[end.saturating_sub(self.config.batch_size)..end])]
    }

    fn keeps_along(&self) -> bool {
        false
    }

    fn initial_losses(&self, _: &Gpt2, _: &AtomicBool) -> Evaluated {
        Evaluated::Not
    }

    fn losses(&self, step: usize, loss: f64, model: &Gpt2, _: &mut OrderStream, stop: &AtomicBool) -> Evaluated {
        if !step.is_multiple_of(self.config.eval_every) && step + 1 != self.config.steps {
            return Evaluated::Not;
        }
        let held_out = held_out_loss(&model.valid(), self.text, self.config.batch_size, stop);
        held_out.map_or(Evaluated::Stopped, |held_out| Evaluated::Losses(loss, held_out))
    }

    fn sample(&self, _: &Gpt2, _: usize) -> Result<Option<Event>, TrainError> {
        Ok(None)
    }

    fn finished(&self, model: Gpt2) -> Gpt2 {
        match &self.text.vocabulary {
            Some(vocabulary) => vocabulary.expand(model, self.model_config.vocab_size),
            None => model,
        }
    }

    fn final_losses(&self, _: &Gpt2, _: usize, _: &AtomicBool) -> Option<Event> {
        None
    }
}

/// Mean loss over the held-out blocks; none if somebody asked to stop.
fn held_out_loss(model: &Gpt2, text: &TextBlocks, batch_size: usize, stop: &AtomicBool) -> Option<f64> {
    let blocks: Vec<usize> = (text.train..text.train + text.held_out).collect();
    let (mut sum, mut count) = (0.0, 0.0);
    for blocks in blocks.chunks(batch_size) {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let batch = text.batch(blocks);
        if let Some(batch) = supervised(&batch, Packing::default()) {
            let weight = blocks.len() as f64;
            sum += weight * f64::from(model.loss(&batch).into_scalar::<f32>());
            count += weight;
        }
    }
    Some(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rate_rises_and_falls() {
        let config = PretrainConfig { steps: 110, lr: 1.0, warmup: 10, ..PretrainConfig::default() };
        let rates = [0, 9, 10, 60, 110].map(|step| (config.learning_rate(step) * 1000.0).round() / 1000.0);
        assert_eq!(rates, [0.1, 1.0, 1.0, 0.55, 0.1]);
    }

    #[test]
    fn documents_of_every_kind_of_file() {
        let of = |text| documents(text).collect::<Vec<_>>();
        let expected = ["One\ntwo.", "Three."];
        assert_eq!(of("One\ntwo.\n\n\nThree.\n"), expected);
        assert_eq!(of("\r\nOne\r\ntwo.\r\n \t\r\nThree."), expected);
        assert_eq!(of("One\ntwo.<|endoftext|>Three.\n<|endoftext|>\n"), expected);
        assert!(of("\n \n<|endoftext|>").is_empty());
    }

    #[test]
    fn blocks_shift_targets_across_their_border_and_end_documents() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let text = TextBlocks::new("x", "One two three.\n\nFour five six seven.", 4, &tokenizer).unwrap();
        let all: Vec<u32> = [tokenizer.encode("One two three.").unwrap(), vec![END_OF_TEXT_ID]].concat();
        let batch = text.batch(&[0, 1]);
        let batch = batch.rectangle();
        assert_eq!(batch.inputs[..4], all[..4]);
        assert_eq!(batch.targets[3], i64::from(END_OF_TEXT_ID));
        assert_eq!(batch.targets[3], i64::from(batch.inputs[4]));
        assert!(TextBlocks::new("x", "One.", 4, &tokenizer).is_err());
    }
}
