//! Sentence patterns with named gaps.
//!
//! A gap is `{field}` or `{field|filter|...}`. A value may start with a marker
//! that says how the noun behaves: `+` for a plural ("+scissors") and `-` for a
//! noun that takes no article ("-gold"). Markers are never printed.
//!
//! Filters: `a` (put the right article in front), `is`, `has`, `does` (a word that agrees with the noun), `plural`, `cap`, `low` (no capital unless
//! the first word is a name) and `nodot` (no closing full stop).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::english::{Lexicon, capitalise, uncapitalise_opening};

/// The values that fill a pattern's gaps, by name.
pub type Fields = BTreeMap<String, String>;

/// Fills the gaps of `pattern` from `fields`.
///
/// # Errors
///
/// Fails on an unclosed gap, an unknown field or an unknown filter, so that a
/// slip in a word list stops the build instead of reaching the data.
pub fn fill(pattern: &str, fields: &Fields, lexicon: &Lexicon) -> Result<String> {
    let mut out = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (gap, tail) = after.split_once('}').with_context(|| format!("unclosed gap in {pattern:?}"))?;
        out.push_str(before);
        out.push_str(&gap_text(gap, fields, lexicon).with_context(|| format!("in {pattern:?}"))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// A value without its noun marker.
pub fn unmarked(value: &str) -> &str {
    value.strip_prefix(['+', '-']).unwrap_or(value)
}

/// Whether a value is marked as a plural.
pub fn is_plural(value: &str) -> bool {
    value.starts_with('+')
}

fn gap_text(gap: &str, fields: &Fields, lexicon: &Lexicon) -> Result<String> {
    let mut parts = gap.split('|');
    let name = parts.next().unwrap_or_default();
    let value = fields.get(name).with_context(|| format!("unknown field {name:?}"))?;
    let plain = unmarked(value);
    let agree = |singular: &str, plural: &str| (if is_plural(value) { plural } else { singular }).to_owned();
    let mut text = plain.to_owned();
    for filter in parts {
        text = match filter {
            "a" if value == plain => lexicon.with_article(&text),
            "a" => text,
            "is" => agree("is", "are"),
            "has" => agree("has", "have"),
            "does" => agree("does", "do"),
            "plural" => lexicon.plural(&text),
            "cap" => capitalise(&text),
            "low" => uncapitalise_opening(&text),
            "nodot" => text.trim_end_matches('.').to_owned(),
            _ => bail!("unknown filter {filter:?}"),
        };
    }
    Ok(text)
}
