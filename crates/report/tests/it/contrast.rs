//! Every text can be read on its ground: WCAG's contrast of 4.5 to 1 (level AA), in both schemes.

const STYLE: &str = concat!(
    include_str!("../../src/html/style.css"),
    include_str!("../../src/html/comparison/style.css"),
    include_str!("../../src/html/inspection/style.css")
);

const TEXTS: &[&str] = &["ink", "muted", "train", "val", "right", "wrong", "left-off"];
const RUNS: &[&str] = &["run-0", "run-1", "run-2", "run-3", "run-4", "run-5"];

/// The value of a colour that the style names: the first one is of the light scheme, the second one of the dark.
fn colour(name: &str, scheme: usize) -> [f64; 3] {
    let declaration = format!("--{name}: #");
    let hex = STYLE.split(&declaration).nth(1 + scheme).unwrap_or_else(|| panic!("{name} in scheme {scheme}"));
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0)
}

/// <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>
fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] =
        colour.map(|share| if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[test]
fn texts_stand_out_from_their_ground() {
    for scheme in [0, 1] {
        for ground in ["page", "surface", "warning", "learnt"] {
            for text in [TEXTS, RUNS].concat() {
                if ["warning", "learnt"].contains(&ground) && text != "ink" {
                    continue;
                }
                let [one, other] = [text, ground].map(|name| luminance(colour(name, scheme)) + 0.05);
                let contrast = one.max(other) / one.min(other);
                assert!(contrast >= 4.5, "{text} on {ground} in scheme {scheme}: {contrast:.2}");
            }
        }
        // Lines that mean something need 3 to 1.
        for (line, ground) in [("strong-line", "surface"), ("learnt-line", "learnt")] {
            let [one, other] = [line, ground].map(|name| luminance(colour(name, scheme)) + 0.05);
            assert!(one.max(other) / one.min(other) >= 3.0, "{line} on {ground} in scheme {scheme}");
        }
    }
}
