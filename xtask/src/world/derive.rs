//! Rules that compute further fields of a fact from its row.

use anyhow::{Context, Result, bail};

use super::english::{Lexicon, capitalise, number_word, third_person, uncapitalise};
use super::template::{Fields, is_plural, unmarked};

/// Applies the rule called `name` to `fields`.
///
/// # Errors
///
/// Fails on an unknown rule, or when the row lacks a field that the rule needs.
pub fn derive(name: &str, fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
    match name {
        "plural" => plural(fields, lexicon),
        "past" => past(fields, lexicon),
        "first_letter" => first_letter(fields),
        "units" => units(fields),
        "arithmetic" => arithmetic(fields),
        "agreement" => agreement(fields),
        "passive" => passive(fields),
        "question" => question(fields, lexicon),
        "negation" => negation(fields, lexicon),
        "sentence_past" => sentence_past(fields, lexicon),
        "unpunctuate" => unpunctuate(fields),
        "pronoun" => pronoun(fields),
        "misspell" => misspell(fields),
        _ => bail!("unknown rule {name:?}"),
    }
}

fn get<'a>(fields: &'a Fields, name: &str) -> Result<&'a str> {
    fields.get(name).map(String::as_str).with_context(|| format!("no field {name:?}"))
}

fn set(fields: &mut Fields, name: &str, value: impl Into<String>) {
    fields.insert(name.to_owned(), value.into());
}

fn plural(fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
    let value = lexicon.plural(get(fields, "noun")?);
    set(fields, "plural", value);
    Ok(())
}

fn past(fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
    let verb = get(fields, "verb")?;
    let (past, third) = (lexicon.past(verb), third_person(verb));
    set(fields, "past", past);
    set(fields, "third", third);
    Ok(())
}

fn first_letter(fields: &mut Fields) -> Result<()> {
    let word = get(fields, "word")?;
    let letter = word.chars().next().context("empty word")?;
    let upper = letter.to_uppercase().to_string();
    set(fields, "letter", letter.to_string());
    set(fields, "upper", upper);
    Ok(())
}

/// From `n`, `big`, `bigs`, `smalls` and `factor` to the two amounts, in
/// digits (`left`, `right`) and with the first number in words (`words`).
fn units(fields: &mut Fields) -> Result<()> {
    let number: u32 = get(fields, "n")?.parse()?;
    let factor: u32 = get(fields, "factor")?.parse()?;
    let unit = get(fields, if number == 1 { "big" } else { "bigs" })?.to_owned();
    let smalls = get(fields, "smalls")?.to_owned();
    let total = number * factor;
    let (be, verb_s) = if number == 1 { ("is", "s") } else { ("are", "") };
    set(fields, "left", format!("{number} {unit}"));
    set(fields, "words", format!("{} {unit}", number_word(number)));
    set(fields, "right", format!("{total} {smalls}"));
    set(fields, "unit", unit);
    set(fields, "total", total.to_string());
    set(fields, "be", be);
    set(fields, "verb_s", verb_s);
    Ok(())
}

/// From `x`, `op` and `y` to the result, in digits and in words.
fn arithmetic(fields: &mut Fields) -> Result<()> {
    let x: u32 = get(fields, "x")?.parse()?;
    let y: u32 = get(fields, "y")?.parse()?;
    let op = get(fields, "op")?.to_owned();
    let (result, sign) = match op.as_str() {
        "plus" => (x + y, "+"),
        "minus" => (x.checked_sub(y).context("negative result")?, "-"),
        "times" => (x * y, "*"),
        _ => bail!("unknown operation {op:?}"),
    };
    set(fields, "sum", format!("{x} {op} {y}"));
    set(fields, "signs", format!("{x} {sign} {y}"));
    set(fields, "words", format!("{} {op} {}", number_word(x), number_word(y)));
    set(fields, "result", result.to_string());
    set(fields, "result_word", number_word(result));
    Ok(())
}

fn sentence(parts: &[&str], end: char) -> String {
    let text = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    format!("{}{end}", capitalise(&text))
}

/// The present form of `verb` that agrees with a plural or singular subject.
fn present(verb: &str, plural: bool) -> String {
    match (verb.strip_prefix("be "), plural) {
        (Some(tail), true) => format!("are {tail}"),
        (_, true) => verb.to_owned(),
        (_, false) => third_person(verb),
    }
}

fn agreement(fields: &mut Fields) -> Result<()> {
    let (subject, verb) = (get(fields, "subject")?, get(fields, "verb")?);
    let (plural, noun) = (is_plural(subject), unmarked(subject));
    let right = sentence(&[noun, &present(verb, plural)], '.');
    let wrong = sentence(&[noun, &present(verb, !plural)], '.');
    set(fields, "right", right);
    set(fields, "wrong", wrong);
    Ok(())
}

fn passive(fields: &mut Fields) -> Result<()> {
    let agent = get(fields, "agent")?;
    let object = get(fields, "object")?;
    let (noun, thing) = (unmarked(agent), unmarked(object));
    let present_tense = get(fields, "tense")? == "present";
    let verb =
        if present_tense { present(get(fields, "verb")?, is_plural(agent)) } else { get(fields, "past")?.to_owned() };
    let be = match (present_tense, is_plural(object)) {
        (true, false) => "is",
        (true, true) => "are",
        (false, false) => "was",
        (false, true) => "were",
    };
    let active = sentence(&[noun, &verb, thing], '.');
    let participle = get(fields, "participle")?;
    let passive = sentence(&[thing, be, participle, "by", noun], '.');
    set(fields, "active", active);
    set(fields, "passive", passive);
    Ok(())
}

/// The statement for a subject, an auxiliary and the rest. The auxiliaries
/// "do", "does" and "did" are only seen in questions and negations.
fn statement(subject: &str, aux: &str, rest: &str, lexicon: &Lexicon) -> String {
    match aux {
        "do" => sentence(&[subject, rest], '.'),
        "does" => sentence(&[subject, &third_person(rest)], '.'),
        "did" => sentence(&[subject, &lexicon.past(rest)], '.'),
        _ => sentence(&[subject, aux, rest], '.'),
    }
}

fn question(fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
    let (subject, aux, rest) = clause(fields)?;
    set(fields, "statement", statement(&subject, &aux, &rest, lexicon));
    set(fields, "question", sentence(&[&aux, &subject, &rest], '?'));
    Ok(())
}

fn negation(fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
    let (subject, aux, rest) = clause(fields)?;
    let negated = if aux == "can" { "cannot".to_owned() } else { format!("{aux} not") };
    set(fields, "statement", statement(&subject, &aux, &rest, lexicon));
    set(fields, "negated", sentence(&[&subject, &negated, &rest], '.'));
    Ok(())
}

fn clause(fields: &Fields) -> Result<(String, String, String)> {
    Ok((get(fields, "subject")?.to_owned(), get(fields, "aux")?.to_owned(), get(fields, "rest")?.to_owned()))
}

fn sentence_past(fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
    let (subject, verb) = (get(fields, "subject")?, get(fields, "verb")?);
    let (plural, noun) = (is_plural(subject), unmarked(subject));
    let now = sentence(&[noun, &present(verb, plural)], '.');
    let then = sentence(&[noun, &lexicon.past(verb)], '.');
    set(fields, "present", now);
    set(fields, "past", then);
    Ok(())
}

fn unpunctuate(fields: &mut Fields) -> Result<()> {
    let right = format!("{} {}", get(fields, "head")?, get(fields, "tail")?);
    let wrong = uncapitalise(right.trim_end_matches(['.', '?', '!']));
    set(fields, "right", right);
    set(fields, "wrong", wrong);
    Ok(())
}

fn pronoun(fields: &mut Fields) -> Result<()> {
    let (subject, rest) = (get(fields, "subject")?, get(fields, "rest")?);
    let long = sentence(&[subject, rest], '.');
    let short = sentence(&[get(fields, "pronoun")?, rest], '.');
    set(fields, "long", long);
    set(fields, "short", short);
    Ok(())
}

/// Puts the wrong and the right spelling into the row's sentence.
fn misspell(fields: &mut Fields) -> Result<()> {
    let frame = get(fields, "frame")?;
    let wrong = capitalise(&frame.replace('~', get(fields, "wrong")?));
    let right = capitalise(&frame.replace('~', get(fields, "right")?));
    set(fields, "wrong_sentence", wrong);
    set(fields, "right_sentence", right);
    Ok(())
}
