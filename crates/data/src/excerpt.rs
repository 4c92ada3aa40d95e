//! Some records of a stream as they are trained on, without reading further.

use std::ops::Range;

use crate::{
    BadEntry, CorpusOptions, DataError, Encoder, Place, Records, Sequence,
    corpus::{Shapes, sequence_of},
    example::of_no_shape,
};

/// Some records in a row, each as the sequence that [`Corpus`](crate::Corpus) has of it, or as what is wrong with it.
#[derive(Debug)]
pub struct Excerpt {
    /// The records that were asked for, as far as there are so many.
    pub entries: Vec<(Place, Result<Sequence, BadEntry>)>,
    /// Records up to the last of them; all, if there are no further.
    pub read: usize,
}

impl Excerpt {
    /// Reads a stream from its start up to the end of `range`, whose records are encoded; a few thousand records, or
    /// some megabytes, are in memory at a time, and as much may have been read beyond the end.
    ///
    /// # Errors
    ///
    /// If the data cannot be read so far, hold no record, or of those that were asked for none of a known shape.
    pub fn new(
        records: &Records,
        range: Range<usize>,
        options: &CorpusOptions,
        encoder: &Encoder<'_>,
    ) -> Result<Self, DataError> {
        let mut records = records.again();
        let mut shapes = Shapes::new(options);
        let (mut entries, mut read) = (Vec::new(), 0);
        while read < range.end
            && let Some(chunk) = records.next_chunk()?
        {
            for (record, shape) in shapes.each(chunk) {
                if read == range.end {
                    break;
                }
                if range.contains(&read) {
                    let place = record.place.clone();
                    entries.push((place, sequence_of(record, &shape, options, encoder).map(|(sequence, _)| sequence)));
                }
                read += 1;
            }
        }
        let origin = || records.origin().to_owned();
        if read == 0 {
            return Err(DataError::Empty { origin: origin() });
        }
        if shapes.found.is_empty() {
            let bad: Vec<BadEntry> = entries.iter().filter_map(|(_, entry)| entry.as_ref().err().cloned()).collect();
            if let Some(problem) = of_no_shape(&bad, entries.len()) {
                return Err(DataError::OtherShape { origin: origin(), problem });
            }
        }
        Ok(Self { entries, read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Corpus, Template, Tokenizer};

    #[test]
    fn an_excerpt_has_the_sequences_of_the_corpus_and_the_problems() {
        let text =
            "{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\":5}\n{\"instruction\":\"c\",\"output\":\"d\"}\n";
        let records = Records::of_bytes("x.jsonl", text.as_bytes().into());
        let (tokenizer, template) = (Tokenizer::gpt2().unwrap(), Template::default());
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
        let options = CorpusOptions::default();
        let corpus = Corpus::new(records.again(), options.clone(), &encoder, |_| ()).unwrap();
        let excerpt = |range| Excerpt::new(&records, range, &options, &encoder).unwrap();
        let Excerpt { entries, read } = excerpt(1..9);
        assert_eq!((entries.len(), read), (2, 3));
        let problem = entries[0].1.as_ref().unwrap_err();
        assert_eq!((problem, entries[0].0.to_string()), (&corpus.bad[0], "entry 1 (line 2)".to_owned()));
        assert_eq!(*entries[1].1.as_ref().unwrap(), corpus.sequences.get(1));
        assert_eq!((excerpt(0..1).read, excerpt(5..6).read, excerpt(5..6).entries.len()), (1, 3, 0));
    }

    #[test]
    fn nothing_behind_the_end_is_looked_at() {
        // Past the first chunk the stream is broken, which only who reads on finds out.
        let good = "{\"instruction\":\"a\",\"output\":\"b\"}\n".repeat(400_000);
        let text = [good.as_bytes(), b"\xff\xfe\n"].concat();
        let records = Records::of_bytes("x.jsonl", text.into());
        let (tokenizer, template) = (Tokenizer::gpt2().unwrap(), Template::default());
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
        let options = CorpusOptions::default();
        assert_eq!(Excerpt::new(&records, 0..2, &options, &encoder).unwrap().entries.len(), 2);
        assert!(Excerpt::new(&records, 0..400_002, &options, &encoder).is_err());
    }

    #[test]
    fn records_of_no_known_shape_are_said_to_be_so_once() {
        let records = Records::of_bytes("x.json", b"[{\"a\":1},{\"a\":2}]".as_slice().into());
        let (tokenizer, template) = (Tokenizer::gpt2().unwrap(), Template::default());
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
        let error = Excerpt::new(&records, 0..3, &CorpusOptions::default(), &encoder).unwrap_err().to_string();
        assert!(error.contains("none of the 2 entries is of a known shape"), "{error}");
    }
}
