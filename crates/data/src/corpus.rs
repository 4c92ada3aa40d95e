//! All examples of some data as token ids: read, encoded and stored as they come, however many there are.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use gptune_files::NewFolder;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    BadEntry, DataError, Encoder, Example, Record, Records, Sequence, Sequences, Shape,
    example::{of_no_shape, shape_of},
    message::{digest, texts},
    sequence::SequencesWriter,
    stored::{Array, Growing},
};

/// How records become sequences.
#[derive(Debug, Clone, Default)]
pub struct CorpusOptions {
    /// Which keys hold what; none for what the first record of each file shows.
    pub shape: Option<Shape>,
    /// Take records without a wanted answer: questions.
    pub questions: bool,
    /// Only what is asked matters; answers may hold whatever they like.
    pub prompts_only: bool,
    /// Keep what was encoded in this folder, and take it from there when the same is asked for again.
    pub cache: Option<PathBuf>,
}

/// The examples of some data as sequences.
///
/// The examples themselves are not in memory; [`Corpus::examples`] reads some of them again.
#[derive(Debug)]
pub struct Corpus {
    /// The data as they were named, for messages.
    pub origin: String,
    /// Those that can be read, in the order of the data.
    pub sequences: Sequences,
    /// Those that cannot, in the same order.
    pub bad: Vec<BadEntry>,
    /// The values of the key `kind`, or of `category` where there is none, and how often each occurs, if they are few.
    pub kinds: BTreeMap<String, usize>,
    /// Whether all records are pairs of a better and a worse answer, for preference tuning.
    pub preferences: bool,
    /// The folder that the sequences lie in, and whether they were there already.
    pub cached: Option<(PathBuf, bool)>,
    /// A digest of what each asks.
    questions: Array<u64>,
    shapes: FileShapes,
    records: Records,
    options: CorpusOptions,
}

/// What of a corpus is in no array, as `corpus.json` in its folder.
#[derive(Serialize, Deserialize)]
struct Rest {
    bad: Vec<BadEntry>,
    shapes: FileShapes,
    preferences: bool,
    kinds: BTreeMap<String, usize>,
    sequences: usize,
}

const REST: &str = "corpus.json";
const QUESTIONS: &str = "questions";

impl Corpus {
    /// Reads and encodes all records; `progress` is called with the number of records after each few of them.
    ///
    /// Records that cannot be read or encoded are put into [`Corpus::bad`], whatever is to become of them. Without a
    /// cache the ids of all are in memory, with one they lie in its files.
    ///
    /// # Errors
    ///
    /// If the data cannot be read at all, hold no record, or none of a known shape, or if the cache cannot be written.
    pub fn new(
        records: Records,
        options: CorpusOptions,
        encoder: &Encoder<'_>,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Self, DataError> {
        let vocab_size = encoder.tokenizer.vocab_size();
        let Some(cache) = &options.cache else {
            let mut read = records.again();
            let (rest, sequences, questions) = encode(&mut read, &options, encoder, None, &progress)?;
            return Ok(Self::of(records, options, rest, sequences, questions, None));
        };
        let folder = cache.join(key(&records, &options, encoder)?);
        let fault = |source| DataError::Write { path: folder.clone(), source };
        let is_old = folder.is_dir();
        if is_old && !folder.join(REST).is_file() {
            return Err(DataError::TokenCache { path: folder, problem: format!("it has no {REST}") });
        }
        if !is_old {
            std::fs::create_dir_all(cache).map_err(|source| DataError::Write { path: cache.clone(), source })?;
            let new = NewFolder::create(&folder).map_err(fault)?;
            let (rest, ..) = encode(&mut records.again(), &options, encoder, Some(new.path()), &progress)?;
            let text = serde_json::to_vec(&rest).map_err(|error| fault(error.into()))?;
            gptune_files::write(&new.path().join(REST), &text).map_err(fault)?;
            // Another process may have made the same meanwhile.
            if let Err(source) = new.commit()
                && !folder.join(REST).is_file()
            {
                return Err(fault(source));
            }
        }
        let damaged = |source: io::Error| DataError::TokenCache { path: folder.clone(), problem: source.to_string() };
        let read = || {
            let rest: Rest = serde_json::from_slice(&std::fs::read(folder.join(REST))?)?;
            let sequences = Sequences::map(&folder, vocab_size)?;
            let questions: Array<u64> = Array::map(&folder.join(QUESTIONS))?;
            if [sequences.len(), questions.len()] != [rest.sequences; 2] {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its files do not belong together"));
            }
            Ok((rest, sequences, questions))
        };
        let (rest, sequences, questions) = read().map_err(damaged)?;
        Ok(Self::of(records, options, rest, sequences, questions, Some((folder, is_old))))
    }

    fn of(
        records: Records,
        options: CorpusOptions,
        Rest { bad, shapes, preferences, kinds, .. }: Rest,
        sequences: Sequences,
        questions: Array<u64>,
        cached: Option<(PathBuf, bool)>,
    ) -> Self {
        let origin = records.origin().to_owned();
        Self { origin, sequences, bad, kinds, preferences, cached, questions, shapes, records, options }
    }

    fn shape_of(&self, file: Option<&Arc<str>>) -> Shape {
        let known = self.shapes.iter().find(|(of, _)| of.as_ref() == file).map(|(_, shape)| shape);
        known.or(self.options.shape.as_ref()).cloned().unwrap_or_default()
    }

    /// Which keys were read, of each file.
    pub fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.shapes.iter().map(|(_, shape)| shape)
    }

    /// Records in all, those that cannot be used among them.
    #[must_use]
    pub fn records(&self) -> usize {
        self.sequences.len() + self.bad.len()
    }

    /// A digest of what a sequence's example asks: equal for equal questions.
    #[must_use]
    pub fn question(&self, sequence: usize) -> u64 {
        self.questions[sequence]
    }

    /// The place of each sequence's record among all records, in order.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        let mut bad = self.bad.iter().map(|entry| entry.place.nth).peekable();
        let mut number = 0;
        std::iter::repeat_with(move || {
            while bad.next_if_eq(&number).is_some() {
                number += 1;
            }
            number += 1;
            number - 1
        })
        .take(self.sequences.len())
    }

    /// Reads the examples of some sequences again, which have to be in order.
    ///
    /// # Errors
    ///
    /// [`DataError::Changed`] if the data are not what they were.
    pub fn examples(&self, sequences: &[usize], encoder: &Encoder<'_>) -> Result<Vec<Example>, DataError> {
        let Some(&last) = sequences.last() else { return Ok(Vec::new()) };
        let mut wanted = Vec::with_capacity(sequences.len());
        let mut places = sequences.iter().copied().peekable();
        for (sequence, number) in self.numbers().take(last + 1).enumerate() {
            if places.next_if_eq(&sequence).is_some() {
                wanted.push((number, sequence));
            }
        }
        let numbers = wanted.iter().map(|(number, _)| *number).collect();
        let changed = || DataError::Changed { origin: self.origin.clone() };
        let mut examples = Vec::with_capacity(wanted.len());
        let mut wanted = wanted.into_iter().peekable();
        let mut records = self.records.again_for(numbers);
        while wanted.peek().is_some() {
            let Some(chunk) = records.next_chunk()? else { return Err(changed()) };
            for record in chunk {
                let Some((_, sequence)) = wanted.next_if(|(number, _)| *number == record.place.nth) else { continue };
                let shape = self.shape_of(record.place.file.as_ref());
                let example = Example::of(record, &shape, self.options.questions).map_err(|_| changed())?;
                if one(&example, &self.options, encoder).ok().as_ref() != Some(&self.sequences.get(sequence)) {
                    return Err(changed());
                }
                examples.push(example);
            }
        }
        Ok(examples)
    }
}

/// The shapes of the records of files.
type FileShapes = Vec<(Option<Arc<str>>, Shape)>;

/// The shape of the records of each file.
#[derive(Debug)]
pub(crate) struct Shapes {
    given: Option<Shape>,
    questions: bool,
    current: Option<(Option<Arc<str>>, Arc<Shape>)>,
    /// Those that were found.
    pub found: FileShapes,
}

impl Shapes {
    pub fn new(options: &CorpusOptions) -> Self {
        Self { given: options.shape.clone(), questions: options.questions, current: None, found: Vec::new() }
    }

    /// Records of a stream, each with the shape of its file, which the first record that has one decides.
    pub fn each(&mut self, records: Vec<Record>) -> Vec<(Record, Arc<Shape>)> {
        let mut shaped = Vec::with_capacity(records.len());
        let mut records = records.into_iter().peekable();
        while let Some(first) = records.next() {
            let file = first.place.file.clone();
            let mut of_file = vec![first];
            while let Some(record) = records.next_if(|record| record.place.file == file) {
                of_file.push(record);
            }
            let known = self.current.as_ref().filter(|(of, _)| *of == file).map(|(_, shape)| shape.clone());
            let shape = known.unwrap_or_else(|| {
                let found = self.given.clone().or_else(|| shape_of(&of_file, self.questions));
                let shape = Arc::new(found.clone().unwrap_or_default());
                if let Some(found) = found {
                    let file_of_shape = file.clone();
                    self.current = Some((file, shape.clone()));
                    self.found.push((file_of_shape, found));
                }
                shape
            });
            shaped.extend(of_file.into_iter().map(|record| (record, shape.clone())));
        }
        shaped
    }
}

/// Values of the key `kind` that are counted: more are no kinds.
const MOST_KINDS: usize = 100;

fn kind(entry: &Map<String, Value>) -> Option<String> {
    let text = |value: &Value| gptune_json::text(value.as_str()?).ok().map(str::to_owned);
    ["kind", "category"].iter().find_map(|key| entry.get(*key).and_then(text))
}

/// Encodes a stream, into a folder or into memory.
fn encode(
    records: &mut Records,
    options: &CorpusOptions,
    encoder: &Encoder<'_>,
    folder: Option<&Path>,
    progress: &(impl Fn(u64) + Sync),
) -> Result<(Rest, Sequences, Array<u64>), DataError> {
    let fault = |source| DataError::Write { path: folder.unwrap_or(Path::new("memory")).to_owned(), source };
    let mut sequences = SequencesWriter::new(encoder.tokenizer.vocab_size(), folder).map_err(fault)?;
    let mut questions = Growing::new(folder, QUESTIONS).map_err(fault)?;
    let mut shapes = Shapes::new(options);
    let mut bad = Vec::new();
    let mut preferences = true;
    let mut kinds = BTreeMap::new();
    while let Some(chunk) = records.next_chunk()? {
        let pair = |entry: &Map<String, Value>| ["chosen", "rejected"].iter().all(|key| entry.contains_key(*key));
        if kinds.len() <= MOST_KINDS {
            for kind in chunk.iter().filter_map(|record| kind(record.entry.as_ref().ok()?)) {
                *kinds.entry(kind).or_default() += 1;
            }
        }
        preferences &= chunk.iter().all(|record| record.entry.as_ref().is_ok_and(pair));
        let encoded: Vec<Result<(Sequence, u64), BadEntry>> = shapes
            .each(chunk)
            .into_par_iter()
            .map(|(record, shape)| {
                let encoded = sequence_of(record, &shape, options, encoder);
                progress(1);
                encoded
            })
            .collect();
        for one in encoded {
            match one {
                Ok((sequence, question)) => {
                    sequences.push(&sequence).map_err(fault)?;
                    questions.extend([question]).map_err(fault)?;
                }
                Err(entry) => bad.push(entry),
            }
        }
    }
    if kinds.len() > MOST_KINDS {
        kinds.clear();
    }
    let (origin, count) = (records.origin().to_owned(), sequences.len());
    if count + bad.len() == 0 {
        return Err(DataError::Empty { origin });
    }
    if let Some(problem) = of_no_shape(&bad, count + bad.len()).filter(|_| shapes.found.is_empty()) {
        return Err(DataError::OtherShape { origin, problem });
    }
    let rest = Rest { bad, shapes: shapes.found, preferences, kinds, sequences: count };
    Ok((rest, sequences.finish().map_err(fault)?, questions.finish().map_err(fault)?))
}

/// The sequence of a record, and a digest of what it asks; or what is wrong with it.
#[allow(clippy::result_large_err)] // as Example::of has it
pub(crate) fn sequence_of(
    record: Record,
    shape: &Shape,
    options: &CorpusOptions,
    encoder: &Encoder<'_>,
) -> Result<(Sequence, u64), BadEntry> {
    let example = Example::of(record, shape, options.questions)?;
    let encoded = literal(&example, shape, options, encoder)
        .map_or_else(|| one(&example, options, encoder).map_err(|error| error.to_string()), Err);
    match encoded {
        Ok(sequence) => Ok((sequence, digest(example.repeatable()).bits())),
        Err(problem) => Err(BadEntry::new(&example, problem)),
    }
}

/// The sequence of an example: the whole of it, or what is asked where there is no answer.
fn one(example: &Example, options: &CorpusOptions, encoder: &Encoder<'_>) -> Result<Sequence, DataError> {
    if options.questions && !example.has_output() {
        return Ok(Sequence { ids: encoder.prompt(example)?, trained: Vec::new() });
    }
    encoder.encode(example)
}

/// What is wrong with text that reads like an added token, unless `encoder` makes it one.
pub(crate) fn literal(
    example: &Example,
    shape: &Shape,
    options: &CorpusOptions,
    encoder: &Encoder<'_>,
) -> Option<String> {
    if encoder.special_tokens {
        return None;
    }
    let messages = if options.prompts_only { example.question() } else { &example.messages };
    texts(messages).find_map(|(place, message, text, is_input)| {
        let token = &encoder.tokenizer.literal_added(text)?.content;
        let what = shape.place_of(place, message.role, is_input);
        Some(format!(
            "{what} contains the literal text '{token}', which would be taken for ordinary letters and not for the token \
             {token}; remove it, or take it for the token with --special-tokens"
        ))
    })
}

/// The name of what is encoded: everything that decides on its ids.
fn key(records: &Records, options: &CorpusOptions, encoder: &Encoder<'_>) -> Result<String, DataError> {
    let shape = serde_json::to_string(&options.shape).unwrap_or_default();
    let (template, names) = (encoder.template.source(), records.names());
    let flags = [options.questions, options.prompts_only, encoder.special_tokens].map(u8::from);
    let parts: [&[u8]; 9] = [
        // Another number for every change of what is stored.
        b"gptune-data corpus 4",
        &records.digest()?,
        names.as_bytes(),
        shape.as_bytes(),
        &flags,
        encoder.template.name().as_bytes(),
        template.as_bytes(),
        &encoder.tokenizer.digest(),
        &[u8::from(cfg!(target_endian = "big"))],
    ];
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Ok(hasher.finalize().iter().take(16).fold(String::new(), |name, byte| format!("{name}{byte:02x}")))
}
