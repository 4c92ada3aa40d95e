//! As much of YAML as descriptions of data sets are written in: mappings and sequences by indentation, text plain and in
//! quotes, and lists in brackets. Everything else is refused, so that nothing is taken for something else.

/// How deep values may lie in each other.
const DEPTH: usize = 32;

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Text(String),
    List(Vec<Node>),
    /// Keys and values, with the lines that they are in.
    Map(Vec<(String, usize, Node)>),
}

/// The line, and what is wrong in it.
pub(super) type Fault = (usize, String);

/// A line that is neither empty nor a comment.
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// The value of a key of the outermost mapping. `first` is the number of the first line.
pub(super) fn value_of(key: &str, text: &str, first: usize) -> Result<Option<Node>, Fault> {
    let lines: Vec<Line> = text.lines().enumerate().filter_map(|(at, line)| Line::of(first + at, line)).collect();
    let is_item = |line: &Line| line.text == "-" || line.text.starts_with("- ");
    let begins = |line: &Line| line.indent == 0 && !is_item(line);
    let mut found = None;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins(line)) {
        let quoted = [format!("\"{key}\""), format!("'{key}'")];
        if line.text.starts_with('{') || quoted.iter().any(|quoted| line.text.starts_with(quoted.as_str())) {
            return Err((line.number, "this way to write a mapping is not read".to_owned()));
        }
        if !line.text.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':')) {
            continue;
        }
        if found.is_some() {
            return Err((line.number, format!("'{key}' is there twice")));
        }
        let end = lines[at + 1..].iter().position(begins).map_or(lines.len(), |more| at + 1 + more);
        // The outermost mapping begins where a line is not indented, and a tab would look so.
        if let Some(line) = lines[at..lines.len().min(end + 1)].iter().find(|line| line.text.starts_with('\t')) {
            return Err((line.number, "it is indented with a tab".to_owned()));
        }
        let mut reader = Reader { lines: &lines[at..end], indent: Vec::new(), at: 0 };
        let Node::Map(mut entries) = reader.mapping(0, 0)? else { continue };
        if reader.next().is_some() {
            return Err(reader.fault("it belongs to nothing"));
        }
        found = entries.pop().map(|(_, _, value)| value);
    }
    Ok(found)
}

impl<'a> Line<'a> {
    fn of(number: usize, line: &'a str) -> Option<Self> {
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        let text = without_comment(text).trim_end();
        (!text.is_empty()).then_some(Self { number, indent, text })
    }
}

struct Reader<'a> {
    lines: &'a [Line<'a>],
    /// What stands before the items that begin in the current line.
    indent: Vec<(usize, &'a str)>,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Indentation and text of what comes next.
    fn next(&self) -> Option<(usize, &'a str)> {
        self.indent.last().copied().or_else(|| self.lines.get(self.at).map(|line| (line.indent, line.text)))
    }

    fn fault(&self, problem: &str) -> Fault {
        let last = self.lines.get(self.at).or(self.lines.last());
        (last.map_or(1, |line| line.number), problem.to_owned())
    }

    fn advance(&mut self) {
        self.indent.clear();
        self.at += 1;
    }

    /// A value that begins in a line of its own, or after a dash.
    fn block(&mut self, indent: usize, depth: usize) -> Result<Node, Fault> {
        if depth > DEPTH {
            return Err(self.fault("values lie too deep in each other"));
        }
        match self.next() {
            Some((_, text)) if item(text).is_some() => self.sequence(indent, depth),
            Some((_, text)) if entry(text).is_some() => self.mapping(indent, depth),
            Some((_, text)) => {
                let value = scalar(text).ok_or_else(|| self.fault("this way to write a value is not read"))?;
                self.advance();
                self.ends(indent)?;
                Ok(value)
            }
            None => Ok(Node::Null),
        }
    }

    fn sequence(&mut self, indent: usize, depth: usize) -> Result<Node, Fault> {
        let mut items = Vec::new();
        while let Some((_, text)) = self.next().filter(|(own, text)| *own == indent && item(text).is_some()) {
            let rest = item(text).unwrap_or_default();
            if rest.is_empty() {
                self.advance();
                items.push(self.inner(indent, depth)?);
            } else {
                let inner = indent + (text.len() - rest.len());
                self.indent.push((inner, rest));
                items.push(self.block(inner, depth + 1)?);
            }
        }
        self.ends(indent)?;
        Ok(Node::List(items))
    }

    fn mapping(&mut self, indent: usize, depth: usize) -> Result<Node, Fault> {
        let mut entries: Vec<(String, usize, Node)> = Vec::new();
        while let Some((_, text)) = self.next().filter(|(own, text)| *own == indent && item(text).is_none()) {
            let (key, rest) = entry(text).ok_or_else(|| self.fault("a key and a colon are missing"))?;
            let Some(Node::Text(key)) = scalar(key) else { return Err(self.fault("this is no key")) };
            if entries.iter().any(|(known, ..)| *known == key) {
                return Err(self.fault(&format!("'{key}' is there twice")));
            }
            let line = self.lines.get(self.at).map_or(1, |line| line.number);
            let value = if rest.is_empty() {
                self.advance();
                match self.next() {
                    // The items of a sequence may stand under their key.
                    Some((own, text)) if own == indent && item(text).is_some() => self.sequence(indent, depth + 1)?,
                    _ => self.inner(indent, depth)?,
                }
            } else {
                let value = scalar(rest).ok_or_else(|| self.fault("this way to write a value is not read"))?;
                self.advance();
                self.ends(indent)?;
                value
            };
            entries.push((key, line, value));
        }
        self.ends(indent)?;
        Ok(Node::Map(entries))
    }

    /// What is indented further than its key or dash.
    fn inner(&mut self, indent: usize, depth: usize) -> Result<Node, Fault> {
        match self.next() {
            Some((inner, _)) if inner > indent => self.block(inner, depth + 1),
            _ => Ok(Node::Null),
        }
    }

    /// Refuses a line that is indented further than what ends here.
    fn ends(&self, indent: usize) -> Result<(), Fault> {
        match self.next() {
            Some((inner, _)) if inner > indent => {
                Err(self.fault("it is indented without need, or text of several lines"))
            }
            _ => Ok(()),
        }
    }
}

/// What follows after the dash of an item.
fn item(text: &str) -> Option<&str> {
    if text == "-" { Some("") } else { text.strip_prefix("- ").map(str::trim_start) }
}

/// The key and the value of an entry.
fn entry(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c));
    let from = quote.and_then(|quote| text[1..].find(quote)).map_or(0, |end| end + 2);
    let colon = text[from..].match_indices(':').map(|(at, _)| from + at);
    let colon = colon.into_iter().find(|&at| text[at + 1..].is_empty() || text[at + 1..].starts_with(' '))?;
    (!text.starts_with(['[', '{'])).then(|| (text[..colon].trim_end(), text[colon + 1..].trim_start()))
}

/// Text, or a list of it, that is within a line.
fn scalar(text: &str) -> Option<Node> {
    if let Some(inner) = text.strip_prefix('[') {
        let items = split(inner.strip_suffix(']')?)?.into_iter();
        return items
            .map(|item| scalar(item).filter(|node| !matches!(node, Node::List(_))))
            .collect::<Option<_>>()
            .map(Node::List);
    }
    if let Some(inner) = text.strip_prefix('"') {
        let mut characters = inner.strip_suffix('"')?.chars();
        let mut value = String::new();
        while let Some(c) = characters.next() {
            value.push(match c {
                '\\' => match characters.next()? {
                    c @ ('"' | '\\' | '/') => c,
                    'n' => '\n',
                    't' => '\t',
                    _ => return None,
                },
                '"' => return None,
                c => c,
            });
        }
        return Some(Node::Text(value));
    }
    if let Some(inner) = text.strip_prefix('\'') {
        let parts: Vec<&str> = inner.strip_suffix('\'')?.split("''").collect();
        return (!parts.iter().any(|part| part.contains('\''))).then(|| Node::Text(parts.join("'")));
    }
    // What else YAML gives a meaning of its own.
    let is_odd =
        text.starts_with(['{', '&', '*', '!', '|', '>', '%', '@', '`', '?', ',', ']', '}', '#']) && text != "?";
    if is_odd || text.contains(": ") || text.ends_with(':') || text.starts_with("- ") || text == "-" {
        return None;
    }
    Some(if ["", "~", "null", "Null", "NULL"].contains(&text) { Node::Null } else { Node::Text(text.to_owned()) })
}

/// The items of a list in brackets.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut items, mut from, mut quote) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '[' | '{' | ']' | '}') => return None,
            (None, ',') => {
                items.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    let last = text[from..].trim();
    if !last.is_empty() {
        items.push(last);
    }
    (quote.is_none() && items.iter().all(|item| !item.is_empty())).then_some(items)
}

/// A line without the comment at its end.
fn without_comment(text: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in text.char_indices() {
        match (quote, c) {
            // A quotation mark within a word is one of its characters.
            (None, '"' | '\'') if [' ', '[', ','].contains(&before) => quote = Some(c),
            (Some(open), c) if open == c && before != '\\' => quote = None,
            (None, '#') if before == ' ' => return &text[..at],
            _ => {}
        }
        before = c;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    /// A value as JSON would have it, without the quotation marks.
    fn shown(node: &Node) -> String {
        match node {
            Node::Null => "null".to_owned(),
            Node::Text(text) => text.clone(),
            Node::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
            Node::Map(entries) => {
                let entries = entries.iter().map(|(key, _, value)| format!("{key}:{}", shown(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn what_descriptions_use_is_read() {
        for (yaml, expected) in [
            ("x: 1\nk: a b  # why\ny: 2", "a b"),
            ("k:\n- a\n- 'it''s'\n-   \"q\\\"\\n\"\ny: [", "[a,it's,q\"\n]"),
            (
                "k:\n  - a: 1\n    b:\n    - x\n    - y#z\n  -\n    a: http://x\n    c: [p, \"q,r\", 's']\n",
                "[{a:1,b:[x,y#z]},{a:http://x,c:[p,q,r,s]}]",
            ),
            ("k:\n  - - a\n    - b\n  - c", "[[a,b],c]"),
            ("k:\n\n  # nothing\n  \"a b\": ~\n  c:\n", "{a b:null,c:null}"),
            ("k: []", "[]"),
            ("k:", "null"),
            ("k: data/train-*", "data/train-*"),
        ] {
            assert_eq!(shown(&value_of("k", yaml, 1).unwrap().unwrap()), expected, "{yaml}");
        }
        assert_eq!(value_of("k", "kk: 1\nx:\n  k: 2", 1), Ok(None));
        let map = value_of("k", "\nk:\n  a: 1\n  b: 2", 5).unwrap().unwrap();
        assert_eq!(map, Node::Map(vec![("a".to_owned(), 7, text("1")), ("b".to_owned(), 8, text("2"))]));
    }

    #[test]
    fn whatever_else_yaml_has_is_refused_at_its_line() {
        for (yaml, line) in [
            ("k: &a b", 1),
            ("k: *a", 1),
            ("k: |\n  text", 1),
            ("k: {a: 1}", 1),
            ("k: a: b", 1),
            ("k: \"a", 1),
            ("k: 'a'b'", 1),
            ("k: [a, [b]]", 1),
            ("k: [a,\n  b]", 1),
            ("k: a\n  b", 2),
            ("k:\n  - a\n   - b", 3),
            ("k:\n  - a: 1\n   b: 2", 3),
            ("k:\n  a: 1\n  a: 2", 3),
            ("k:\n  a: 1\n  b", 3),
            ("k:\n\ta: 1", 2),
            ("k:\n  a: 1\n\tb: 1", 3),
            ("k: 1\nk: 2", 2),
            ("\"k\": 1", 1),
            ("{k: 1}", 1),
            ("k: a\n- b", 2),
            ("k: \"\\x41\"", 1),
        ] {
            assert_eq!(value_of("k", yaml, 1).map_err(|(line, _)| line), Err(line), "{yaml}");
        }
        let deep = format!("k:\n{}a", "- ".repeat(100_000));
        assert!(value_of("k", &deep, 1).unwrap_err().1.contains("too deep"));
    }
}
