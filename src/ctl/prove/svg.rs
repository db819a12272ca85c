//! The timeline of a proof as a picture: latencies above, losses below, the roll shaded in both.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Proof;
use super::figures::millis;
use crate::ctl::report::listed;
use crate::load::Step;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const SIZE: (u32, u32) = (1000, 520);
/// How much of the height is the latencies'.
const LATENCIES: i32 = 340;
const SMALL: (&str, i32) = ("sans-serif", 15);
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
        let mut text = String::new();
        Drawing::of(self).draw(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }
}

/// All times are in seconds from the start of the load.
struct Drawing {
    title: String,
    /// The middle of each step.
    steps: Vec<(f64, Step)>,
    step: f64,
    end: f64,
    roll: Range<f64>,
}

impl Drawing {
    fn of(proof: &Proof) -> Self {
        let timeline = proof.report.timeline.as_ref();
        let step = timeline.map_or(0.0, |it| it.step.as_secs_f64());
        let steps = timeline.map_or(&[][..], |it| &it.steps).iter();
        let middle = |(at, it): (usize, &Step)| ((at as f64 + 0.5) * step, *it);
        let steps: Vec<(f64, Step)> = steps.enumerate().map(middle).collect();
        let phases = proof.report.phases.iter().find(|phase| phase.name == "during");
        let begun = phases.map_or(0.0, |phase| phase.begun.as_secs_f64());
        let roll = begun..begun + proof.took.as_secs_f64();
        let end = (steps.len() as f64 * step).max(roll.end);
        Self { title: title(proof), steps, step, end, roll }
    }

    fn draw(&self, to: &mut String) -> Result {
        let root = SVGBackend::with_string(to, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let inner = root.titled(&self.title, ("sans-serif", 22))?;
        let (above, below) = inner.split_vertically(LATENCIES);
        self.draw_latencies(&above)?;
        self.draw_losses(&below)?;
        root.present()?;
        Ok(())
    }

    fn draw_latencies(&self, area: &Area<'_>) -> Result {
        let highest = self.steps.iter().map(|(_, step)| millis(step.max)).fold(1.0, f64::max);
        // With room for the legend.
        let height = highest * 1.25;
        let mut chart = frame(area).build_cartesian_2d(0.0..self.end, 0.0..height)?;
        chart.draw_series([self.shade(height)])?;
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT).label_style(SMALL).y_desc("latency, ms").draw()?;
        type Latency = fn(&Step) -> f64;
        let lines: [(&str, RGBColor, Latency); 2] =
            [("max", MAX, |step| millis(step.max)), ("p99", P99, |step| millis(step.p99))];
        for (name, color, latency) in lines {
            // Where nothing was answered there is no latency.
            let answered = self.steps.iter().filter(|(_, step)| step.ok > 0);
            let points = answered.map(|(at, step)| (*at, latency(step)));
            chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?.label(name).legend(
                move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)),
            );
        }
        let position = SeriesLabelPosition::UpperRight;
        let mut labels = chart.configure_series_labels();
        labels.label_font(SMALL).position(position).background_style(WHITE.mix(0.8)).draw()?;
        Ok(())
    }

    fn draw_losses(&self, area: &Area<'_>) -> Result {
        let most = self.steps.iter().map(|(_, step)| step.lost).max().unwrap_or(0).max(1) as f64;
        let mut chart = frame(area).build_cartesian_2d(0.0..self.end, 0.0..most)?;
        chart.draw_series([self.shade(most)])?;
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .label_style(SMALL)
            .y_labels(3)
            .y_label_formatter(&|y| format!("{y:.0}"));
        mesh.y_desc("lost").x_desc("seconds; the roll is shaded").draw()?;
        let lossy = self.steps.iter().filter(|(_, step)| step.lost > 0);
        chart.draw_series(lossy.map(|(at, step)| {
            let half = self.step / 2.0;
            let corners = [(at - half, 0.0), (at + half, step.lost as f64)];
            Rectangle::new(corners, LOST.filled())
        }))?;
        Ok(())
    }

    fn shade(&self, height: f64) -> Rectangle<(f64, f64)> {
        Rectangle::new([(self.roll.start, 0.0), (self.roll.end, height)], ROLL.filled())
    }
}

fn frame<'a, 'b>(area: &'b Area<'a>) -> ChartBuilder<'b, 'b, SVGBackend<'a>>
where
    'a: 'b,
{
    let mut chart = ChartBuilder::on(area);
    chart.margin(10).x_label_area_size(36).y_label_area_size(60);
    chart
}

fn title(proof: &Proof) -> String {
    let (lost, requests) = (proof.report.lost(), proof.report.total().requests());
    let took = proof.took.as_secs_f64();
    let roll = format!("rollctl prove {}: the roll took {took:.2} s", listed(&proof.groups));
    format!("{roll}, {lost} of {requests} requests lost")
}
