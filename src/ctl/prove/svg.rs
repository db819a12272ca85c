//! Timelines as pictures: latencies above, losses below, the rolls shaded in both.

use std::error::Error;
use std::ops::Range;
use std::time::Duration;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Proof;
use super::figures::millis;
use super::look::Look;
use crate::load::{Step, Timeline};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const ROLL: RGBColor = RGBColor(225, 235, 250);
const P99: RGBColor = RGBColor(30, 90, 180);
const MAX: RGBColor = RGBColor(230, 140, 30);
const LOST: RGBColor = RGBColor(200, 30, 30);

impl Proof {
    /// Its timeline as SVG.
    ///
    /// # Errors
    ///
    /// What the plotting library could not draw.
    pub fn svg(&self) -> std::result::Result<String, String> {
        let none = Timeline { step: Duration::ZERO, steps: Vec::new() };
        let timeline = self.report.timeline.as_ref().unwrap_or(&none);
        let phases = self.report.phases.iter().find(|phase| phase.name == "during");
        let begun = phases.map_or(0.0, |phase| phase.begun.as_secs_f64());
        let roll = begun..begun + self.took.as_secs_f64();
        Picture::of(&title(self), timeline, vec![roll]).svg()
    }
}

/// The timeline of a load during which something was rolled; times are in seconds from its start.
#[derive(Clone, Debug)]
pub struct Picture {
    title: String,
    /// The middle of each step.
    steps: Vec<(f64, Step)>,
    step: f64,
    shown: Range<f64>,
    rolls: Vec<Range<f64>>,
}

impl Picture {
    /// All of a timeline, with the times of the rolls.
    pub fn of(title: &str, timeline: &Timeline, rolls: Vec<Range<f64>>) -> Self {
        let step = timeline.step.as_secs_f64();
        let middle = |(at, it): (usize, &Step)| ((at as f64 + 0.5) * step, *it);
        let steps: Vec<(f64, Step)> = timeline.steps.iter().enumerate().map(middle).collect();
        let last = rolls.iter().map(|roll| roll.end).fold(0.0, f64::max);
        let shown = 0.0..(steps.len() as f64 * step).max(last);
        Self { title: title.to_owned(), steps, step, shown, rolls }
    }

    /// Shows this part of it only.
    pub fn from_to(mut self, shown: Range<f64>) -> Self {
        self.steps.retain(|(at, _)| shown.contains(at));
        self.shown = shown;
        self
    }

    /// Counts the seconds from this time.
    pub fn since(mut self, zero: f64) -> Self {
        let moved = |times: &Range<f64>| times.start - zero..times.end - zero;
        self.steps.iter_mut().for_each(|(at, _)| *at -= zero);
        self.shown = moved(&self.shown);
        self.rolls = self.rolls.iter().map(moved).collect();
        self
    }

    /// The picture as SVG.
    ///
    /// # Errors
    ///
    /// What the plotting library could not draw.
    pub fn svg(&self) -> std::result::Result<String, String> {
        drawn(std::slice::from_ref(self), 1, &Look::alone(self.highest()))
    }

    /// Several pictures on one sheet, in so many columns, all with the same scale of latencies.
    ///
    /// # Errors
    ///
    /// What the plotting library could not draw.
    pub fn sheet(pictures: &[Self], columns: usize) -> std::result::Result<String, String> {
        let highest = pictures.iter().map(Self::highest).fold(1.0, f64::max);
        drawn(pictures, columns, &Look::one_of_many(highest))
    }

    /// The longest latency in it, in milliseconds.
    fn highest(&self) -> f64 {
        self.steps.iter().map(|(_, step)| millis(step.max)).fold(1.0, f64::max)
    }

    fn draw(&self, area: &Area<'_>, look: &Look) -> Result {
        let inner = area.titled(&self.title, ("sans-serif", look.title))?;
        let (above, below) = inner.split_vertically(look.latencies);
        self.draw_latencies(&above, look)?;
        self.draw_losses(&below, look)
    }

    fn draw_latencies(&self, area: &Area<'_>, look: &Look) -> Result {
        let small = ("sans-serif", look.text);
        let heights = look.heights();
        let mut chart =
            frame(area, look).build_cartesian_2d(self.shown.clone(), heights.clone())?;
        chart.draw_series(self.shades(&heights))?;
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT).label_style(small).y_desc("latency, ms");
        let label = |height: &f64| look.label(*height);
        mesh.x_labels(look.labels).y_labels(look.labels).y_label_formatter(&label).draw()?;
        type Latency = fn(&Step) -> f64;
        let lines: [(&str, RGBColor, Latency); 2] =
            [("max", MAX, |step| millis(step.max)), ("p99", P99, |step| millis(step.p99))];
        for (name, color, latency) in lines.into_iter().take(1 + usize::from(look.has_p99)) {
            // Where nothing was answered there is no latency.
            let answered = self.steps.iter().filter(|(_, step)| step.ok > 0);
            let points = answered.map(|(at, step)| (*at, look.height(latency(step))));
            chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?.label(name).legend(
                move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)),
            );
        }
        if look.has_p99 {
            let position = SeriesLabelPosition::UpperRight;
            let mut labels = chart.configure_series_labels();
            labels.label_font(small).position(position).background_style(WHITE.mix(0.8)).draw()?;
        }
        Ok(())
    }

    fn draw_losses(&self, area: &Area<'_>, look: &Look) -> Result {
        let most = self.steps.iter().map(|(_, step)| step.lost).max().unwrap_or(0).max(1) as f64;
        let mut chart = frame(area, look).build_cartesian_2d(self.shown.clone(), 0.0..most)?;
        chart.draw_series(self.shades(&(0.0..most)))?;
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .label_style(("sans-serif", look.text))
            .x_labels(look.labels)
            // Whole requests only.
            .y_labels((most as usize).min(2) + 1)
            .y_label_formatter(&|y| format!("{y:.0}"));
        mesh.y_desc("lost").x_desc(look.below).draw()?;
        let lossy = self.steps.iter().filter(|(_, step)| step.lost > 0);
        chart.draw_series(lossy.map(|(at, step)| {
            let half = self.step / 2.0;
            let corners = [(at - half, 0.0), (at + half, step.lost as f64)];
            Rectangle::new(corners, LOST.filled())
        }))?;
        Ok(())
    }

    fn shades(&self, heights: &Range<f64>) -> impl Iterator<Item = Rectangle<(f64, f64)>> {
        let (low, high) = (heights.start, heights.end);
        let shade = move |roll: &Range<f64>| [(roll.start, low), (roll.end, high)];
        self.rolls.iter().map(move |roll| Rectangle::new(shade(roll), ROLL.filled()))
    }
}

fn drawn(pictures: &[Picture], columns: usize, look: &Look) -> std::result::Result<String, String> {
    let mut text = String::new();
    draw_all(pictures, columns, look, &mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

fn draw_all(pictures: &[Picture], columns: usize, look: &Look, to: &mut String) -> Result {
    let rows = pictures.len().div_ceil(columns).max(1);
    let size = (look.size.0 * u32::try_from(columns)?, look.size.1 * u32::try_from(rows)?);
    let root = SVGBackend::with_string(to, size).into_drawing_area();
    root.fill(&WHITE)?;
    for (picture, area) in pictures.iter().zip(root.split_evenly((rows, columns))) {
        picture.draw(&area, look)?;
    }
    root.present()?;
    Ok(())
}

fn frame<'a, 'b>(area: &'b Area<'a>, look: &Look) -> ChartBuilder<'b, 'b, SVGBackend<'a>>
where
    'a: 'b,
{
    let mut chart = ChartBuilder::on(area);
    chart.margin(look.margin).x_label_area_size(look.under).y_label_area_size(look.beside);
    chart
}

fn title(proof: &Proof) -> String {
    format!("rollctl prove {}", proof.sentence())
}
