//! The rounds of a peer under one load, taken together.

use std::collections::BTreeMap;

use rollctl::load::Class;

use crate::raw::{LoadKind, Peers, Round};

/// All rounds of one peer under one kind of load.
pub(super) struct Figures<'a> {
    pub(super) peer: &'a str,
    rounds: Vec<&'a Round>,
}

/// The median over the rounds, the least and the most.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let last = values.len().saturating_sub(1);
        Self { median: at(values.len() / 2), least: at(0), most: at(last) }
    }

    /// With so many digits behind the point, and with the spread where there is one.
    pub(super) fn told(&self, digits: usize) -> String {
        let [median, least, most] =
            [self.median, self.least, self.most].map(|it| format!("{it:.digits$}"));
        match least == most {
            true => median,
            false => format!("{median} ({least}–{most})"),
        }
    }
}

impl<'a> Figures<'a> {
    /// Those of each peer, in the order in which they were measured.
    pub(super) fn all(peers: &'a Peers, load: LoadKind) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for round in peers.rounds.iter().filter(|round| round.load == load) {
            match all.iter_mut().find(|it| it.peer == round.peer) {
                Some(figures) => figures.rounds.push(round),
                None => all.push(Self { peer: &round.peer, rounds: vec![round] }),
            }
        }
        all
    }

    pub(super) fn spread(&self, value: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(|round| value(round)))
    }

    pub(super) fn version(&self) -> &str {
        self.rounds.first().map_or("", |round| &round.version)
    }

    /// The first round, which is drawn.
    pub(super) fn first(&self) -> Option<&'a Round> {
        self.rounds.first().copied()
    }

    pub(super) fn requests(&self) -> u64 {
        self.sum(|round| round.styles.values().map(|it| it.requests).sum())
    }

    pub(super) fn lost(&self) -> u64 {
        self.sum(|round| round.styles.values().map(|it| it.lost).sum())
    }

    pub(super) fn lost_per_million(&self) -> f64 {
        self.lost() as f64 * 1e6 / self.requests().max(1) as f64
    }

    /// By style and class, those of which there were any, per million requests of the style.
    pub(super) fn losses(&self) -> Vec<(String, Class, u64, f64)> {
        let mut asked: BTreeMap<&str, u64> = BTreeMap::new();
        let mut lost: BTreeMap<(&str, Class), u64> = BTreeMap::new();
        for (style, window) in self.rounds.iter().flat_map(|round| &round.styles) {
            *asked.entry(style).or_default() += window.requests;
            for (class, count) in &window.lost_by_kind {
                *lost.entry((style, *class)).or_default() += count;
            }
        }
        let told = |((style, class), count): ((&str, Class), u64)| {
            let share = count as f64 * 1e6 / asked[style].max(1) as f64;
            (style.to_owned(), class, count, share)
        };
        lost.into_iter().map(told).collect()
    }

    pub(super) fn rolls(&self) -> Spread {
        Spread::of(self.rounds.iter().flat_map(|round| round.rolls.iter().copied()))
    }

    pub(super) fn count_of_rolls(&self) -> usize {
        self.rounds.iter().map(|round| round.rolls.len()).sum()
    }

    /// New connections of the clients that keep theirs, a roll.
    pub(super) fn reconnects(&self) -> f64 {
        let reconnects = self.sum(|round| round.styles.values().map(|it| it.reconnects).sum());
        reconnects as f64 / self.count_of_rolls().max(1) as f64
    }

    pub(super) fn trouble(&self) -> impl Iterator<Item = &'a str> {
        self.rounds.iter().flat_map(|round| round.trouble.iter().map(String::as_str))
    }

    fn sum(&self, value: impl Fn(&Round) -> u64) -> u64 {
        self.rounds.iter().map(|round| value(round)).sum()
    }
}
