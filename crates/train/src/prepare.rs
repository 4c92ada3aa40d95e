//! From data to what a trainer needs.

use std::{ops::Range, sync::OnceLock};

use gptune_data::{
    BadEntry, Collator, Corpus, CorpusOptions, DataError, Encoder, Example, Lengths, Loader, Part, Records, Sequence,
    Sequences, Split, Template, Tokenizer, TooLong,
};

use crate::{DataConfig, TrainError};

/// The data of a run.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // there is one of a run
pub enum Source {
    /// One set of data, which is split.
    Whole(Records),
    /// Data of their own for the parts.
    Parts {
        /// To train on.
        train: Records,
        /// To answer.
        test: Option<Records>,
        /// To watch the loss on.
        val: Option<Records>,
    },
}

/// What becomes of data for a model: how its texts become ids, and how many of them it takes.
#[derive(Debug, Clone)]
pub struct ModelInput<'a> {
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// How conversations become texts.
    pub template: &'a Template,
    /// The token that fills up batches, if the model's configuration names one.
    pub padding: Option<u32>,
    /// Longest sequence that the model takes.
    pub context: usize,
    /// How records are read. Where only prompts matter, the model answers them: how long an answer is does not matter.
    pub reading: CorpusOptions,
}

/// An entry that was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// The file or name of its data.
    pub origin: String,
    /// The entry, its place in the file, and why.
    pub entry: BadEntry,
}

/// What is worth knowing about data; nothing here stops a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// Longest example in tokens.
    pub longest: usize,
    /// Training examples of which the cut to the longest allowed length leaves no token of the response.
    pub without_response: usize,
    /// Test and validation examples that ask what an example of the training part asks, by their places in the data.
    pub leaks: Vec<usize>,
    /// Whether the data are pairs of a better and a worse answer.
    pub preferences: bool,
}

/// Data that are encoded, checked and split.
#[derive(Debug)]
pub struct Prepared {
    /// The file or name of the data, for messages.
    pub origin: String,
    /// What is worth knowing about them.
    pub preflight: Preflight,
    /// Entries that were left out, as the configuration allows.
    pub left_out: Vec<LeftOut>,
    /// One, or one for each part.
    corpora: Vec<Corpus>,
    train: Chosen,
    test: Chosen,
    val: Chosen,
    /// All of them: of parts that are data of their own made when somebody asks for it.
    all: OnceLock<(Option<Sequences>, Vec<u32>)>,
    template: Template,
    collator: Collator,
    config: DataConfig,
    /// Whether the parts are data of their own.
    own_parts: bool,
}

/// The sequences of a part: in which corpus, and where in it.
#[derive(Debug)]
struct Chosen {
    corpus: usize,
    places: Vec<u32>,
}

impl Prepared {
    /// Reads, encodes and checks data as `config` asks for it; `progress` is called with the number of records after each
    /// few. Entries that cannot be read are refused, unless `config.skip_bad`, with whatever else cannot be used, so that
    /// one reading finds all that is wrong. Sequences are cut to `config.max_length`, which the caller has limited to the
    /// model's context. A prompt that reaches the context is refused, and with masked instructions one that reaches
    /// `config.max_length` and would leave a sequence without a target.
    ///
    /// # Errors
    ///
    /// Every fault of the data that must stop a run; all bad entries of a file at once.
    pub fn new(
        source: Source,
        target: &ModelInput<'_>,
        config: &DataConfig,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        let encoder = config.encoder(target.tokenizer, target.template);
        let (parts, own_parts) = match source {
            Source::Whole(records) => (vec![Some(records)], false),
            Source::Parts { train, test, val } => (vec![Some(train), test, val], true),
        };
        let (mut corpora, mut left_out, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        let mut chosen = [const { Chosen { corpus: 0, places: Vec::new() } }; 3];
        for (part, records) in parts.into_iter().enumerate() {
            let Some(records) = records else { continue };
            let corpus = Corpus::new(records, target.reading.clone(), &encoder, &progress)?;
            match fitting(&corpus, target, &encoder, config, &mut left_out) {
                Ok(fit) => {
                    if own_parts {
                        chosen[part] = Chosen { corpus: corpora.len(), places: fit.all() };
                    } else {
                        chosen = divided(&fit, config).map(|places| Chosen { corpus: 0, places });
                    }
                    corpora.push(corpus);
                }
                Err(fault @ DataError::Entries { .. }) if own_parts => faults.push(fault),
                Err(fault) => return Err(fault.into()),
            }
        }
        if !faults.is_empty() {
            return Err(DataError::Files(faults).into());
        }
        let origins: Vec<&str> = corpora.iter().map(|corpus| corpus.origin.as_str()).collect();
        let origin = origins.join(", ");
        let [mut train, test, val] = chosen;
        if config.train_limit > 0 {
            train.places.truncate(config.train_limit);
        }
        let preflight = preflight(&corpora, &train, [&test, &val], config.max_length);
        let nothing = preflight.without_response > 0 && preflight.without_response == train.places.len();
        if nothing && !target.reading.prompts_only {
            return Err(DataError::NothingToLearn { origin, max_length: config.max_length }.into());
        }
        let (collator, template) = (collator_of(target, config), target.template.clone());
        let config = config.clone();
        Ok(Self {
            origin,
            preflight,
            left_out,
            corpora,
            train,
            test,
            val,
            all: OnceLock::new(),
            template,
            collator,
            config,
            own_parts,
        })
    }

    /// What a part is made of.
    fn chosen(&self, part: Part) -> Vec<&Chosen> {
        match part {
            Part::Train => vec![&self.train],
            Part::Test => vec![&self.test],
            Part::Val => vec![&self.val],
            Part::All => vec![&self.train, &self.test, &self.val],
        }
    }

    /// How many examples a part has.
    #[must_use]
    pub fn count(&self, part: Part) -> usize {
        self.chosen(part).iter().map(|chosen| chosen.places.len()).sum()
    }

    /// Examples of a part, from its first on and at most `limit`, which are read again: they are not in memory.
    ///
    /// # Errors
    ///
    /// If the data are not what they were.
    pub fn examples(&self, part: Part, limit: usize, tokenizer: &Tokenizer) -> Result<Vec<Example>, DataError> {
        let mut examples = Vec::new();
        for chosen in self.chosen(part) {
            examples.extend(self.examples_of(chosen, limit - examples.len(), tokenizer)?);
        }
        Ok(examples)
    }

    fn examples_of(&self, chosen: &Chosen, limit: usize, tokenizer: &Tokenizer) -> Result<Vec<Example>, DataError> {
        let Chosen { corpus, places } = chosen;
        let Some(corpus) = self.corpora.get(*corpus) else { return Ok(Vec::new()) };
        let mut wanted: Vec<(usize, usize)> =
            places.iter().take(limit).enumerate().map(|(order, &place)| (place as usize, order)).collect();
        wanted.sort_unstable();
        let in_order: Vec<usize> = wanted.iter().map(|(place, _)| *place).collect();
        let encoder = self.config.encoder(tokenizer, &self.template);
        let mut found: Vec<(usize, Example)> =
            wanted.into_iter().map(|(_, order)| order).zip(corpus.examples(&in_order, &encoder)?).collect();
        found.sort_unstable_by_key(|(order, _)| *order);
        Ok(found.into_iter().map(|(_, example)| example).collect())
    }

    /// Whether one of the first training examples teaches the token that ends texts, which are as many as it takes to know.
    #[must_use]
    pub fn teaches_to_stop(&self, end_of_text: u32) -> bool {
        const LOOKED_AT: usize = 1000;
        let sequences = &self.corpora[self.train.corpus].sequences;
        self.train.places.iter().take(LOOKED_AT).any(|&place| {
            let kept = self.collator.collate([sequences.get(place as usize)]);
            kept.sequences[0].targets().contains(&i64::from(end_of_text))
        })
    }

    /// What they were prepared by.
    #[must_use]
    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// How conversations became texts.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The data as they were read: one corpus, or one for each part.
    #[must_use]
    pub fn corpora(&self) -> &[Corpus] {
        &self.corpora
    }

    /// A loader over a part.
    ///
    /// # Errors
    ///
    /// [`DataError::PartTooSmall`] if the part has no batch.
    pub fn loader(&self, part: Part) -> Result<Loader<'_>, DataError> {
        let total = self.count(Part::All);
        let (sequences, places) = match &self.chosen(part)[..] {
            [Chosen { corpus, places }] => (&self.corpora[*corpus].sequences, places),
            _ => self.all(),
        };
        Loader::new(part, sequences, places, self.config.batch_size, self.collator, total)
    }

    /// The sequences of all parts, and the places of theirs among them.
    fn all(&self) -> (&Sequences, &Vec<u32>) {
        let (joined, places) = self.all.get_or_init(|| {
            let parts = self.chosen(Part::All);
            if !self.own_parts {
                return (None, parts.into_iter().flat_map(|part| &part.places).copied().collect());
            }
            let of = |part: &Chosen| -> Vec<Sequence> {
                part.places.iter().map(|&place| self.corpora[part.corpus].sequences.get(place as usize)).collect()
            };
            let joined: Sequences = parts.into_iter().flat_map(of).collect::<Vec<_>>().iter().collect();
            let places = joined.places();
            (Some(joined), places)
        });
        (joined.as_ref().unwrap_or_else(|| &self.corpora[0].sequences), places)
    }

    /// The same for training, with what to do about a part that is too small by the settings that made it.
    pub(crate) fn training_loader(&self, part: Part) -> Result<Loader<'_>, DataError> {
        let fault = match self.loader(part) {
            Ok(loader) => return Ok(loader),
            Err(fault) => fault,
        };
        let DataError::PartTooSmall { part, examples, total, needed, .. } = fault else { return Err(fault) };
        let DataConfig { split, train_limit, .. } = self.config;
        let remedy = match (part, self.own_parts) {
            ("val", true) => "give it with --val-data, or go without evaluations with --no-eval".to_owned(),
            ("val", false) => {
                format!("give it a share of the {split} in --split, add data, or go without evaluations with --no-eval")
            }
            (_, own) => {
                let limit = if train_limit > 0 { ", raise --train-limit" } else { "" };
                let split = if own { String::new() } else { format!(", give it more of the {split} in --split") };
                format!("add data, lower --batch-size{limit}{split}")
            }
        };
        Err(DataError::PartTooSmall { part, examples, total, needed, remedy })
    }
}

fn collator_of(target: &ModelInput<'_>, config: &DataConfig) -> Collator {
    let encoder = config.encoder(target.tokenizer, target.template);
    Collator::new(&encoder, target.padding, config.max_length, config.mask_instructions)
}

/// Which records of some data can be used.
struct Fit {
    /// For each record its sequence, or [`Fit::NONE`].
    sequences: Vec<u32>,
}

impl Fit {
    const NONE: u32 = u32::MAX;

    fn all(self) -> Vec<u32> {
        self.sequences.into_iter().filter(|&sequence| sequence != Self::NONE).collect()
    }
}

/// A sequence that cannot be used, and why.
struct Unfit {
    place: usize,
    problem: String,
    too_long: bool,
}

/// Refuses or leaves out what cannot be used.
fn fitting(
    corpus: &Corpus,
    target: &ModelInput<'_>,
    encoder: &Encoder<'_>,
    config: &DataConfig,
    left_out: &mut Vec<LeftOut>,
) -> Result<Fit, DataError> {
    let unfit = unfit(corpus, target, config);
    let may_leave_out = |too_long| if too_long { config.too_long == TooLong::Skip } else { config.skip_bad };
    let total = corpus.records();
    let places: Vec<usize> = unfit.iter().map(|one| one.place).collect();
    let examples = corpus.examples(&places, encoder)?;
    let entries = unfit.iter().zip(&examples);
    let entries = entries.map(|(one, example)| (BadEntry::new(example, one.problem.clone()), one.too_long));
    // All that cannot be used, with whether it may be left out.
    let unreadable = corpus.bad.iter().map(|entry| (entry.clone(), false));
    let mut bad: Vec<(BadEntry, bool)> = unreadable.chain(entries).collect();
    bad.sort_by_key(|(entry, _)| entry.place.nth);
    let refused = bad.iter().any(|&(_, too_long)| !may_leave_out(too_long));
    if refused || bad.len() == total {
        // Nothing is left, or there are some that have to stay.
        bad.retain(|&(_, too_long)| !refused || !may_leave_out(too_long));
        let some = |kind: bool| bad.iter().any(|&(_, too_long)| too_long == kind);
        let remedy = match (some(true), some(false)) {
            (true, true) => "--too-long skip and --skip-bad",
            (true, false) => "--too-long skip",
            (false, _) => "--skip-bad",
        };
        let bad = bad.into_iter().map(|(entry, _)| entry).collect();
        return Err(DataError::Entries { origin: corpus.origin.clone(), bad, total, remedy: Some(remedy) });
    }
    left_out.extend(bad.into_iter().map(|(entry, _)| LeftOut { origin: corpus.origin.clone(), entry }));
    let mut places = places.into_iter().peekable();
    let mut sequences = vec![Fit::NONE; total];
    for (place, number) in corpus.numbers().enumerate() {
        if places.next_if_eq(&place).is_none() {
            sequences[number] = u32::try_from(place).unwrap_or(Fit::NONE);
        }
    }
    Ok(Fit { sequences })
}

/// Finds the sequences that cannot be trained on: prompts without room for an answer, texts without anything to learn,
/// and unless they may be cut, whatever is too long.
fn unfit(corpus: &Corpus, target: &ModelInput<'_>, config: &DataConfig) -> Vec<Unfit> {
    let prompts_only = target.reading.prompts_only;
    let lengths = Lengths {
        max_length: config.max_length,
        context: target.context,
        mask_instructions: config.mask_instructions,
        prompts_only,
    };
    // An end of text in the prompt is the last that is trained, and with a response that is empty there is no other.
    let collator = collator_of(target, config);
    let may_be_silent = config.mask_instructions && !prompts_only && collator.first_end_only;
    let sequences = &corpus.sequences;
    let of = |place: usize| {
        let inputs = sequences.length(place).saturating_sub(1);
        let cut = || lengths.cut(inputs).filter(|_| config.too_long != TooLong::Cut);
        let too_long = lengths.fault(sequences.prompt_length(place)).or_else(cut).map(|problem| (problem, true));
        let silent = || {
            let is_silent = may_be_silent && collator.collate([sequences.get(place)]).target_tokens() == 0;
            let problem = "its prompt holds the end of text, and nothing after it would be trained on";
            is_silent.then(|| (problem.to_owned(), false))
        };
        let (problem, too_long) = too_long.or_else(silent)?;
        Some(Unfit { place, problem, too_long })
    };
    (0..sequences.len()).filter_map(of).collect()
}

/// Divides data into their parts, as places of sequences. Which part an entry is in does not depend on whether others
/// were left out: nothing that was trained on may become a test because something else is read, or is not.
fn divided(fit: &Fit, config: &DataConfig) -> [Vec<u32>; 3] {
    let total = fit.sequences.len();
    let split = Split::with(total, config.split);
    let order = Split::order(total, config.split_seed);
    let part = |part: Range<usize>| {
        let numbers = part.map(|number| order.as_ref().map_or(number, |order| order[number]));
        numbers.map(|number| fit.sequences[number]).filter(|&sequence| sequence != Fit::NONE).collect()
    };
    [split.train, split.test, split.val].map(part)
}

/// Looks at examples that can be trained on.
fn preflight(corpora: &[Corpus], train: &Chosen, held_out: [&Chosen; 2], max_length: usize) -> Preflight {
    let question = |part: &Chosen, place: u32| corpora[part.corpus].question(place as usize);
    let mut trained: Vec<u64> = train.places.iter().map(|&place| question(train, place)).collect();
    trained.sort_unstable();
    let leaks = held_out.into_iter().flat_map(|part| {
        let repeated: Vec<u32> = part
            .places
            .iter()
            .copied()
            .filter(|&place| trained.binary_search(&question(part, place)).is_ok())
            .collect();
        numbers_of(corpora.get(part.corpus), repeated)
    });
    let sequences = |part: &Chosen| &corpora[part.corpus].sequences;
    let lengths = [train, held_out[0], held_out[1]].into_iter().flat_map(|part| {
        part.places.iter().map(move |&place| sequences(part).length(place as usize).saturating_sub(1))
    });
    let prompts = train.places.iter().map(|&place| sequences(train).prompt_length(place as usize));
    Preflight {
        longest: lengths.max().unwrap_or(0),
        // The last target kept is at position `max_length`.
        without_response: prompts.filter(|&prompt| prompt > max_length).count(),
        leaks: leaks.collect(),
        preferences: corpora.iter().all(|corpus| corpus.preferences),
    }
}

/// The places in the data of some sequences.
fn numbers_of(corpus: Option<&Corpus>, mut places: Vec<u32>) -> Vec<usize> {
    let Some(corpus) = corpus.filter(|_| !places.is_empty()) else { return Vec::new() };
    places.sort_unstable();
    let mut places = places.into_iter().map(|place| place as usize).peekable();
    let numbers = corpus.numbers().enumerate();
    numbers.filter(|(place, _)| places.next_if_eq(place).is_some()).map(|(_, number)| number).collect()
}

#[cfg(test)]
mod tests {
    use gptune_data::Part;

    use super::*;

    fn prepared(
        text: &str,
        tokenizer: &Tokenizer,
        template: &Template,
        context: usize,
        config: &DataConfig,
    ) -> Result<Prepared, TrainError> {
        let target = ModelInput { tokenizer, template, padding: None, context, reading: CorpusOptions::default() };
        let records = Records::of_bytes("x", text.as_bytes().to_vec().into());
        Prepared::new(Source::Whole(records), &target, config, |_| ())
    }

    /// The places of the entries in each part, as the file has them.
    fn parts(text: &str, config: &DataConfig) -> [Vec<usize>; 3] {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let data = prepared(text, &tokenizer, &Template::default(), 128, config).unwrap();
        [Part::Train, Part::Test, Part::Val].map(|part| {
            let examples = data.examples(part, usize::MAX, &tokenizer).unwrap();
            assert_eq!(examples.len(), data.count(part));
            examples.iter().map(|one| one.place.index).collect()
        })
    }

    #[test]
    fn nothing_changes_its_part_because_others_are_left_out() {
        let entry = |index: usize, instruction: &str| match index {
            3 | 17 | 38 => r#"{"instruction": "a"}"#.to_owned(),
            _ => format!(r#"{{"instruction": "{instruction}", "output": "b"}}"#),
        };
        let text = |long: &[usize]| {
            let length = |index| if long.contains(&index) { 120 } else { 3 };
            let entries: Vec<String> = (0..40).map(|index| entry(index, &"word ".repeat(length(index)))).collect();
            format!("[{}]", entries.join(","))
        };
        for split_seed in [0, 7] {
            let too_long = TooLong::Skip;
            let config = DataConfig { skip_bad: true, too_long, split_seed, max_length: 100, ..DataConfig::default() };
            let all = parts(&text(&[]), &config);
            assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 37);
            let long = [1, 20, 36, 39];
            let fewer = all.map(|part| part.into_iter().filter(|index| !long.contains(index)).collect::<Vec<_>>());
            assert_eq!(parts(&text(&long), &config), fewer, "{split_seed}");
        }
    }

    #[test]
    fn parts_of_their_own_are_one_whole_too() {
        let records = |words: &[&str]| {
            let entries: Vec<String> =
                words.iter().map(|word| format!(r#"{{"instruction": "{word}", "output": "b"}}"#)).collect();
            Records::of_bytes("x", format!("[{}]", entries.join(",")).into_bytes().into())
        };
        let (tokenizer, template) = (Tokenizer::gpt2().unwrap(), Template::default());
        let reading = CorpusOptions::default();
        let target = ModelInput { tokenizer: &tokenizer, template: &template, padding: None, context: 128, reading };
        let config = DataConfig { batch_size: 2, ..DataConfig::default() };
        let (train, val) = (records(&["a", "b", "c"]), Some(records(&["d", "e"])));
        let data = Prepared::new(Source::Parts { train, test: None, val }, &target, &config, |_| ()).unwrap();
        assert_eq!([Part::Train, Part::Test, Part::Val, Part::All].map(|part| data.count(part)), [3, 0, 2, 5]);
        let words = |limit| {
            let examples = data.examples(Part::All, limit, &tokenizer).unwrap();
            examples.iter().map(|example| example.instruction().to_owned()).collect::<String>()
        };
        assert_eq!((words(usize::MAX), words(4), words(2)), ("abcde".into(), "abcd".into(), "ab".into()));
        let order = &mut gptune_data::OrderStream::new(gptune_data::Order::Torch, 1);
        let rows: Vec<usize> = data.loader(Part::All).unwrap().iter(order).map(|batch| batch.sequences.len()).collect();
        assert_eq!(rows, [2, 2, 1]);
        assert!(data.loader(Part::Test).is_err());
    }

    #[test]
    fn an_end_of_text_in_a_prompt_without_response_is_refused() {
        let text = r#"[{"instruction": "a<|endoftext|>b", "output": ""}, {"instruction": "a", "output": "b"}]"#;
        let tokenizer = Tokenizer::gpt2().unwrap();
        let template = "alpaca".parse().unwrap();
        let config = DataConfig { special_tokens: true, mask_instructions: true, ..DataConfig::default() };
        let error = prepared(text, &tokenizer, &template, 1024, &config).unwrap_err().to_string();
        assert!(error.contains("entry 0: its prompt holds the end of text"), "{error}");
    }
}
