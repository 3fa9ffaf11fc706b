//! Train and test by epoch, means over the seeds: a table, and a picture as SVG.

use super::run::{CurvePoint, Measured, Run};
use super::table::measured;
use crate::markdown;
use crate::metrics::Figure;
use serde::Serialize;
use std::fmt::{self, Write as _};

/// A metric by epoch.
type Line = Vec<Figure>;

/// One variant's curves.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// For people.
    pub variant: String,
    /// AUC on the training split.
    pub train_auc: Line,
    /// AUC on the test split.
    pub test_auc: Line,
    /// Log loss on the training split.
    pub train_log_loss: Line,
    /// Log loss on the test split.
    pub test_log_loss: Line,
}

/// All variants; displays as Markdown.
#[derive(Clone, Debug, Serialize)]
pub struct Curves(pub Vec<Curve>);

impl Curves {
    /// Of runs by variant and seed, without the variants of which a run failed. An epoch that not every seed reached is left
    /// out.
    #[must_use]
    pub fn new(runs: &[Run]) -> Self {
        let variants = runs.chunk_by(|a, b| a.variant == b.variant);
        let curve = |runs: &[Run]| Some(curve(&runs[0].variant, &measured(runs)?));
        Self(variants.filter_map(curve).collect())
    }

    /// Two panels, training and test, with one line for each variant and its standard errors.
    #[must_use]
    pub fn svg(&self) -> String {
        let (width, height) = (PANEL.width * 2.0 + self.legend_width(), PANEL.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
        );
        let panel = |lines: Vec<&Line>, title: &str, left: f64| Panel::new(lines, title, left).svg();
        svg += &panel(self.0.iter().map(|curve| &curve.train_auc).collect(), "training AUC", 0.0);
        svg += &panel(self.0.iter().map(|curve| &curve.test_auc).collect(), "test AUC", PANEL.width);
        for (index, curve) in self.0.iter().enumerate() {
            let (x, y) = (PANEL.width * 2.0 + 8.0, 48.0 + 20.0 * index as f64);
            let _ = writeln!(
                svg,
                "<path d=\"M{x} {y}h20\" stroke=\"{}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{}</text>",
                colour(index),
                x + 26.0,
                y + 4.0,
                escaped(&curve.variant)
            );
        }
        svg + "</svg>\n"
    }

    /// Room for the longest name, and the line before it.
    fn legend_width(&self) -> f64 {
        let longest = self.0.iter().map(|curve| curve.variant.chars().count()).max().unwrap_or(0);
        42.0 + LETTER * longest as f64
    }
}

fn curve(variant: &str, runs: &[&Measured]) -> Curve {
    let epochs = runs.iter().map(|run| run.curve.len()).min().unwrap_or(0);
    let line = |of: fn(&CurvePoint) -> f64| {
        let at = |epoch: usize| Figure::of(&runs.iter().map(|run| of(&run.curve[epoch])).collect::<Vec<_>>());
        (0..epochs).map(at).collect()
    };
    Curve {
        variant: variant.to_owned(),
        train_auc: line(|point| point.train.auc.unwrap_or(f64::NAN)),
        test_auc: line(|point| point.test.auc.unwrap_or(f64::NAN)),
        train_log_loss: line(|point| point.train.log_loss),
        test_log_loss: line(|point| point.test.log_loss),
    }
}

/// Of a letter of the legend, at most: fonts differ.
const LETTER: f64 = 7.5;

struct Size {
    width: f64,
    height: f64,
}

const PANEL: Size = Size { width: 360.0, height: 320.0 };

/// Distances of the axes from the panel's edges: left, top, right, bottom.
const MARGINS: [f64; 4] = [56.0, 36.0, 14.0, 44.0];

/// Told apart by the colour-blind too (Okabe and Ito).
fn colour(index: usize) -> &'static str {
    const COLOURS: [&str; 8] =
        ["#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7", "#999999"];
    COLOURS[index % COLOURS.len()]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Lines over epochs, in a frame with both scales.
struct Panel<'a> {
    lines: Vec<&'a Line>,
    title: &'a str,
    left: f64,
    epochs: usize,
    /// Between two marks of the vertical scale, which begins and ends at multiples of it.
    step: f64,
    low: f64,
    high: f64,
}

impl<'a> Panel<'a> {
    fn new(lines: Vec<&'a Line>, title: &'a str, left: f64) -> Self {
        let epochs = lines.iter().map(|line| line.len()).max().unwrap_or(0);
        let points = || lines.iter().flat_map(|line| line.iter()).filter(|point| point.mean.is_finite());
        let low = points().map(|point| ends(point)[0]).fold(f64::INFINITY, f64::min);
        let high = points().map(|point| ends(point)[1]).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
        let step = mark_step((high - low) / 6.0);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { lines, title, left, epochs, step, low, high }
    }

    fn x(&self, epoch: usize) -> f64 {
        let [left, _, right, _] = MARGINS;
        let share = (epoch as f64 - 1.0) / (self.epochs.max(2) as f64 - 1.0);
        self.left + left + share * (PANEL.width - left - right)
    }

    fn y(&self, value: f64) -> f64 {
        let [_, top, _, bottom] = MARGINS;
        top + (self.high - value) / (self.high - self.low) * (PANEL.height - top - bottom)
    }

    fn svg(&self) -> String {
        let mut svg = String::new();
        let (first, last, low, high) =
            (self.x(1), self.x(self.epochs.max(2)), self.y(self.low), self.y(self.high));
        let _ = writeln!(svg, "<text x=\"{first:.1}\" y=\"22\" font-weight=\"bold\">{}</text>", self.title);
        let marks = ((self.high - self.low) / self.step).round() as usize;
        for mark in 0..=marks {
            let value = self.low + mark as f64 * self.step;
            let y = self.y(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{first:.1} {y:.1}H{last:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.*}</text>",
                first - 6.0,
                y + 4.0,
                decimals(self.step)
            );
        }
        for epoch in 1..=self.epochs {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{epoch}</text>",
                self.x(epoch),
                low + 18.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">epoch</text>\
             <path d=\"M{first:.1} {high:.1}V{low:.1}H{last:.1}\" fill=\"none\" stroke=\"#333333\"/>",
            f64::midpoint(first, last),
            low + 36.0
        );
        for (index, line) in self.lines.iter().enumerate() {
            let (mut path, mut errors) = (String::new(), String::new());
            for (epoch, point) in line.iter().enumerate().filter(|(_, point)| point.mean.is_finite()) {
                let x = self.x(epoch + 1);
                let start = if path.is_empty() { 'M' } else { 'L' };
                let _ = write!(path, "{start}{x:.1} {:.1}", self.y(point.mean));
                let [low, high] = ends(point).map(|end| self.y(end));
                let _ = write!(errors, "M{x:.1} {low:.1}V{high:.1}");
            }
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{0}\" stroke-width=\"2\"/><path d=\"{errors}\" stroke=\"{0}\"/>",
                colour(index)
            );
        }
        svg
    }
}

/// A standard error below and above the mean.
fn ends(point: &Figure) -> [f64; 2] {
    let error = point.error.unwrap_or(0.0);
    [point.mean - error, point.mean + error]
}

/// The round number at or above `least`: 1, 2 or 5 times a power of ten.
fn mark_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// That a mark needs.
fn decimals(step: f64) -> usize {
    (-step.log10().floor()).max(0.0) as usize
}

impl fmt::Display for Curves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs = self.0.iter().map(|curve| curve.test_auc.len()).max().unwrap_or(0);
        write!(f, "| model | AUC of |")?;
        (1..=epochs).try_for_each(|epoch| write!(f, " epoch {epoch} |"))?;
        write!(f, "\n|---|---|")?;
        (1..=epochs).try_for_each(|_| write!(f, "--:|"))?;
        writeln!(f)?;
        for curve in &self.0 {
            let name = markdown::cell(&curve.variant);
            for (name, split, line) in
                [(name.as_str(), "train", &curve.train_auc), ("", "test", &curve.test_auc)]
            {
                write!(f, "| {name} | {split} |")?;
                line.iter().try_for_each(|point| write!(f, " {point} |"))?;
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_hold_every_point_between_them() {
        assert_eq!([0.011, 0.02, 0.021, 0.3, 7.0].map(mark_step), [0.02, 0.02, 0.05, 0.5, 10.0]);
        assert_eq!([0.02, 0.5, 10.0].map(decimals), [2, 1, 0]);
        let point = |mean, error| Figure { mean, error };
        let lines = [vec![point(0.731, Some(0.002)), point(0.742, Some(0.001))], vec![point(0.6853, None)]];
        let panel = Panel::new(lines.iter().collect(), "AUC", 0.0);
        assert!(
            (panel.low - 0.68).abs() < 1e-9 && (panel.high - 0.75).abs() < 1e-9,
            "{} {}",
            panel.low,
            panel.high
        );
        for point in lines.iter().flatten() {
            let [low, high] = ends(point);
            assert!(panel.y(high) >= panel.y(panel.high) && panel.y(low) <= panel.y(panel.low));
        }
        assert_eq!(panel.epochs, 2);
        assert!(panel.x(1) < panel.x(2) && panel.x(2) < PANEL.width);
    }
}
