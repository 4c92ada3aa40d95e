//! Rules that compute further fields of a fact from its row.

use anyhow::{Context, Result, bail};

use super::english::{Lexicon, capitalise, third_person, uncapitalise};
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
        "agreement" => agreement(fields),
        "passive" => passive(fields),
        "question" => question(fields, lexicon),
        "negation" => negation(fields, lexicon),
        "sentence_past" => sentence_past(fields, lexicon),
        "unpunctuate" => unpunctuate(fields),
        "pronoun" => pronoun(fields),
        "reading" => reading(fields, lexicon),
        "joining" => joining(fields),
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
    Ok((unmarked(get(fields, "subject")?).to_owned(), get(fields, "aux")?.to_owned(), get(fields, "rest")?.to_owned()))
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
    let (subject, rest) = (unmarked(get(fields, "subject")?), get(fields, "rest")?);
    let long = sentence(&[subject, rest], '.');
    let short = sentence(&[get(fields, "pronoun")?, rest], '.');
    set(fields, "long", long);
    set(fields, "short", short);
    Ok(())
}

/// A text about where someone puts something, a question about it (`where`,
/// `who` or `what`) and the reply.
fn reading(fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
    let (who, verb, thing) = (get(fields, "who")?, get(fields, "verb")?, get(fields, "thing")?);
    let place = format!("{} {}", get(fields, "prep")?, get(fields, "place")?);
    let past = lexicon.past(verb);
    let text = sentence(&[who, &past, thing, &place], '.');
    let (question, reply) = match get(fields, "about")? {
        "where" => (sentence(&["where is", thing], '?'), sentence(&[thing, "is", &place], '.')),
        "who" => (sentence(&["who", &past, thing, &place], '?'), text.clone()),
        "what" => (sentence(&["what did", who, verb, &place], '?'), text.clone()),
        about => bail!("cannot ask about {about:?}"),
    };
    set(fields, "asked", format!("{text} {question}"));
    set(fields, "text", text);
    set(fields, "question", question);
    set(fields, "reply", reply);
    Ok(())
}

/// Two sentences as a pair and as one sentence.
fn joining(fields: &mut Fields) -> Result<()> {
    let (first, conj, second) = (get(fields, "first")?, get(fields, "conj")?, get(fields, "second")?);
    let comma = if ["so", "but"].contains(&conj) { "," } else { "" };
    let joined = format!("{first}{comma} {conj} {second}.");
    let pair = format!("{first}. {}.", capitalise(second));
    set(fields, "joined", joined);
    set(fields, "pair", pair);
    Ok(())
}
