//! The loss curve.

use std::fmt::Write;

use gptune_run::Event;

use crate::{
    axis::{Axis, interpolated, label, range, ticks},
    facts::Facts,
};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 616.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 346.0;

/// Training and validation loss over epochs, with tokens seen on a second axis on top, as the book
/// draws it.
#[derive(Debug, Clone, PartialEq)]
pub struct LossPlot {
    /// Epochs that were trained, the last one perhaps in part.
    epochs: f64,
    /// Tokens seen at each point, if the points are evaluations.
    tokens_seen: Vec<f64>,
    series: Vec<Series>,
}

#[derive(Debug, Clone, PartialEq)]
struct Series {
    name: &'static str,
    colour: &'static str,
    /// SVG's dash array; none is a solid line.
    dashes: Option<&'static str>,
    losses: Vec<f64>,
}

const BLUE: &str = "#1f77b4";
const ORANGE: &str = "#e8710a";

impl LossPlot {
    /// The plot of a run's evaluations or, if it made none, of its batch losses; none if there is
    /// nothing to draw.
    #[must_use]
    pub fn from_events(events: &[Event]) -> Option<Self> {
        let facts = Facts::from_events(events);
        let steps_per_epoch = facts.start.map_or(1, |start| start.steps_per_epoch.max(1));
        let epochs = facts.batches.len() as f64 / steps_per_epoch as f64;
        let tokens_seen = facts.evaluations.iter().map(|evaluation| evaluation.tokens_seen as f64).collect();
        let train: Vec<f64> = facts.evaluations.iter().map(|evaluation| evaluation.losses.train).collect();
        let val = facts.evaluations.iter().map(|evaluation| evaluation.losses.val).collect();
        let line = |name, colour, dashes, losses| Series { name, colour, dashes, losses };
        let series = if train.is_empty() {
            vec![line("Training loss of each batch", BLUE, None, facts.batches)]
        } else {
            vec![line("Training loss", BLUE, None, train), line("Validation loss", ORANGE, Some("9 3.5 1.5 3.5"), val)]
        };
        (!series[0].losses.is_empty()).then_some(Self { epochs, tokens_seen, series })
    }

    /// Draws the plot as a self-contained SVG of 640 × 400.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let x = Axis { data: (0.0, self.epochs), pixels: (LEFT + 14.0, RIGHT - 14.0) };
        let y =
            Axis { data: range(self.series.iter().flat_map(|series| &series.losses).copied()), pixels: (BOTTOM, TOP) };

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"Ubuntu, Helvetica, Arial, sans-serif\" font-size=\"13\" \
             fill=\"#222\">\n<title>Loss over epochs</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
        );
        self.draw_axes(&mut svg, x, y);
        for series in &self.series {
            let points = series.losses.iter().enumerate().filter(|(_, loss)| loss.is_finite());
            let points: Vec<String> = points
                .map(|(index, &loss)| {
                    format!("{:.1},{:.1}", x.at(self.epoch_of(index, series.losses.len())), y.at(loss))
                })
                .collect();
            let dashes = series.dashes.map(|dashes| format!(" stroke-dasharray=\"{dashes}\"")).unwrap_or_default();
            put(
                &mut svg,
                format_args!(
                    "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"{dashes} points=\"{}\"/>\n",
                    series.colour,
                    points.join(" ")
                ),
            );
        }
        self.draw_legend(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    /// Points are spread evenly from 0 to the trained epochs, as `torch.linspace` does in the book.
    fn epoch_of(&self, index: usize, points: usize) -> f64 {
        if points < 2 { 0.0 } else { self.epochs * index as f64 / (points - 1) as f64 }
    }

    /// The epoch at which this many tokens were seen, by interpolation between evaluations.
    fn epoch_of_tokens(&self, tokens: f64) -> Option<f64> {
        let points = self.tokens_seen.len();
        let known = self.tokens_seen.iter().enumerate().map(|(index, &seen)| (seen, self.epoch_of(index, points)));
        interpolated(known, tokens)
    }

    fn draw_axes(&self, svg: &mut String, x: Axis, y: Axis) {
        let (middle_x, middle_y) = (f64::midpoint(LEFT, RIGHT), f64::midpoint(TOP, BOTTOM));
        for tick in ticks(y.data, 7, 0.0) {
            let at = y.at(tick);
            put(svg, format_args!("<path stroke=\"#e4e4e4\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>\n"));
            text(svg, LEFT - 9.0, at + 4.5, "end", &label(tick));
        }
        // Whole epochs, as long as there is more than one of them to show.
        for tick in ticks(x.data, 6, if self.epochs >= 2.0 { 1.0 } else { 0.0 }) {
            let at = x.at(tick);
            put(svg, format_args!("<path stroke=\"#444\" d=\"M{at:.1} {BOTTOM}v5\"/>\n"));
            text(svg, at, BOTTOM + 20.0, "middle", &label(tick));
        }
        text(svg, middle_x, BOTTOM + 42.0, "middle", "Epochs");
        put(
            svg,
            format_args!(
                "<text text-anchor=\"middle\" transform=\"translate(18 {middle_y}) rotate(-90)\">Loss</text>\n"
            ),
        );
        if let [first, .., last] = self.tokens_seen[..] {
            for tick in ticks((first, last), 7, 1.0) {
                if let Some(epoch) = self.epoch_of_tokens(tick) {
                    let at = x.at(epoch);
                    put(svg, format_args!("<path stroke=\"#444\" d=\"M{at:.1} {TOP}v-5\"/>\n"));
                    text(svg, at, TOP - 10.0, "middle", &label(tick));
                }
            }
            text(svg, middle_x, TOP - 33.0, "middle", "Tokens seen");
        }
        put(
            svg,
            format_args!(
                "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#444\"/>\n",
                RIGHT - LEFT,
                BOTTOM - TOP
            ),
        );
    }

    fn draw_legend(&self, svg: &mut String) {
        // About seven pixels a letter.
        let letters = self.series.iter().map(|series| series.name.len()).max().unwrap_or(0) as f64;
        let width = 56.0 + 7.0 * letters;
        let height = 12.0 + 20.0 * self.series.len() as f64;
        let (left, top) = (RIGHT - width - 10.0, TOP + 10.0);
        put(
            svg,
            format_args!(
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"3\" fill=\"#fff\" fill-opacity=\"0.85\" stroke=\"#ccc\"/>\n"
            ),
        );
        let mut line = top + 16.0;
        for Series { name, colour, dashes, .. } in &self.series {
            let dashes = dashes.map(|dashes| format!(" stroke-dasharray=\"{dashes}\"")).unwrap_or_default();
            put(
                svg,
                format_args!(
                    "<path stroke=\"{colour}\" stroke-width=\"1.8\"{dashes} d=\"M{} {line}h30\"/>\n",
                    left + 10.0
                ),
            );
            text(svg, left + 48.0, line + 4.5, "start", name);
            line += 20.0;
        }
    }
}

/// Writing to a `String` cannot fail.
fn put(svg: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(arguments);
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, content: &str) {
    put(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg_to_png;

    /// The events of two epochs of 116 steps with an evaluation every five.
    fn run() -> Vec<Event> {
        let mut events = vec![Event::Start {
            epochs: 2,
            steps_per_epoch: 116,
            steps: 232,
            parameters: 1,
            train_examples: 935,
            val_examples: 55,
        }];
        for step in 0..232 {
            let (epoch, loss) = (1 + step / 116, 3.0 / (1.0 + step as f64));
            events.push(Event::Step {
                epoch,
                step,
                loss,
                lr: 5e-5,
                groups: std::collections::BTreeMap::new(),
                tokens: 400,
                padded_tokens: 560,
                seconds: 1.0,
                grad_norm: None,
                loss_scale: None,
                skipped: false,
            });
            if step % 5 == 0 {
                let tokens_seen = 560 * (step + 1);
                events.push(Event::Eval { epoch, step, tokens_seen, train_loss: loss, val_loss: loss + 0.1 });
            }
        }
        events
    }

    fn points(svg: &str) -> Vec<Vec<(f64, f64)>> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let lines = document.descendants().filter(|node| node.has_tag_name("polyline"));
        let pair = |pair: &str| pair.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap();
        lines.map(|line| line.attribute("points").unwrap().split(' ').map(pair).collect()).collect()
    }

    #[test]
    fn two_lines_of_47_points_from_epoch_0_to_2() {
        let svg = LossPlot::from_events(&run()).unwrap().to_svg();
        let lines = points(&svg);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [47, 47]);
        // The x of the first and the last point are those of the ticks 0 and 2.
        let document = roxmltree::Document::parse(&svg).unwrap();
        let tick = |content: &str| {
            let node = document.descendants().find(|node| {
                node.has_tag_name("text")
                    && node.text() == Some(content)
                    && node.attribute("text-anchor") == Some("middle")
            });
            node.unwrap().attribute("x").unwrap().parse::<f64>().unwrap()
        };
        assert!((lines[0][0].0 - tick("0")).abs() < 0.2 && (lines[0][46].0 - tick("2")).abs() < 0.2);
        for wanted in ["Epochs", "Loss", "Tokens seen", "Training loss", "Validation loss", "100k"] {
            assert!(svg.contains(&format!(">{wanted}<")), "{wanted}");
        }
        assert_eq!(svg.matches("stroke-dasharray").count(), 2, "validation's line and its legend entry");
    }

    #[test]
    fn without_evaluations_the_batch_losses_are_drawn() {
        let events: Vec<_> = run().into_iter().filter(|event| !matches!(event, Event::Eval { .. })).collect();
        let svg = LossPlot::from_events(&events).unwrap().to_svg();
        assert_eq!(points(&svg).iter().map(Vec::len).collect::<Vec<_>>(), [232]);
        assert!(!svg.contains("Tokens seen"));
        assert_eq!(LossPlot::from_events(&events[..1]), None);
    }

    #[test]
    fn one_point_and_infinite_losses_make_a_plot() {
        let eval = |train_loss| Event::Eval { epoch: 1, step: 0, tokens_seen: 10, train_loss, val_loss: 1.0 };
        for loss in [1.0, f64::NAN, f64::INFINITY] {
            let svg = LossPlot::from_events(&[eval(loss)]).unwrap().to_svg();
            assert!(roxmltree::Document::parse(&svg).is_ok() && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn the_picture_has_ink_and_letters() {
        let png = svg_to_png(&LossPlot::from_events(&run()).unwrap().to_svg(), 2.0).unwrap();
        let picture = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
        assert_eq!((picture.width(), picture.height()), (1280, 800));
        let dark = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
            let pixels = y.flat_map(|y| x.clone().map(move |x| (x, y)));
            pixels.filter(|&(x, y)| picture.pixel(x, y).is_some_and(|pixel| pixel.red() < 120)).count()
        };
        assert!(dark(600..760, 755..790) > 100, "the label 'Epochs' below the axis");
        assert!(dark(560..800, 20..60) > 200, "the label 'Tokens seen' above it");
    }
}
