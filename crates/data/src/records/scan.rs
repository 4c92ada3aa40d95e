//! The borders of values in JSON, found without parsing it.

/// A place in a text, and how deep in brackets it is. Text that is no JSON has borders somewhere, too; the parser then
/// faults what lies between them.
#[derive(Debug)]
pub(super) struct Scan {
    pub at: usize,
    pub depth: usize,
    in_string: bool,
}

impl Scan {
    /// At a place of a text that is within so many brackets.
    pub fn new(at: usize, depth: usize) -> Self {
        Self { at, depth, in_string: false }
    }

    /// Goes on behind the next comma in a single bracket, or behind the bracket that closes the outermost. Gives its
    /// place; none if the text ends before, and then goes on with a longer one.
    pub fn border(&mut self, text: &[u8]) -> Option<usize> {
        loop {
            if self.in_string {
                let rest = text.get(self.at..)?;
                let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.at = text.len();
                    return None;
                };
                // What is escaped may be beyond the end, and is then not looked at either.
                self.in_string = rest[found] == b'\\';
                self.at += found + if self.in_string { 2 } else { 1 };
                continue;
            }
            let byte = *text.get(self.at)?;
            let at = self.at;
            self.at += 1;
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
                b',' if self.depth == 1 => return Some(at),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_the_same_wherever_the_text_is_cut() {
        let text = br#"[{"a": "x,]\"\\", "b": [1, {"c": "}"}]}, 3,[] ,"\\\"," ]"#;
        let expected = [39, 42, 46, 55];
        let mut scan = Scan::new(0, 0);
        let whole: Vec<usize> = std::iter::from_fn(|| scan.border(text)).collect();
        assert_eq!(whole, expected);
        for cut in 0..text.len() {
            let mut scan = Scan::new(0, 0);
            let mut found: Vec<usize> = std::iter::from_fn(|| scan.border(&text[..cut])).collect();
            found.extend(std::iter::from_fn(|| scan.border(text)));
            assert_eq!(found, expected, "{cut}");
        }
    }
}
