//! One schedule: a group, a policy and a world, walked to its end.

use std::time::Duration;

use fastrand::Rng;
use rollctl::roll::{Action, Event, Member, Moment, OnFailure, Outcome, Plan, Policy, Share, Turn};

use super::aftermath;
use super::bugs::{Bug, Heart};
use super::invariants::Watch;
use super::world::World;

/// So many events are enough for any roll of these small groups; more means it never ends.
const MOST_EVENTS: usize = 50_000;

/// How a schedule ended, and everything that was done on the way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) reason: &'static str,
    pub(crate) actions: Vec<(Moment, Action)>,
}

pub(crate) fn schedule(seed: u64, bug: Option<Bug>, aloud: bool) -> Told {
    let mut rng = Rng::with_seed(seed);
    let (plan, bystanders) = loop {
        if let Some(drawn) = drawn_plan(&mut rng) {
            break drawn;
        }
    };
    // One in four is killed, at any event.
    let killed_at = if rng.u32(..4) == 0 { rng.usize(..300) } else { MOST_EVENTS };
    let mut world = World::of(&plan, rng, &bystanders);
    let mut walk = Walk::begin(plan, &world, bug, aloud);
    if let Some(outcome) = walk.on(&mut world, killed_at) {
        return Told { reason: outcome.reason.word(), actions: walk.actions };
    }
    assert!(killed_at < MOST_EVENTS, "the roll does not end");
    aftermath::of(walk, world, aloud)
}

/// A roll on its way through a world.
pub(crate) struct Walk {
    pub(crate) plan: Plan,
    pub(crate) watch: Watch,
    pub(crate) actions: Vec<(Moment, Action)>,
    heart: Heart,
    /// The driver's: the heart was told that its log is broken.
    log_has_failed: bool,
    aloud: bool,
}

impl Walk {
    pub(crate) fn begin(plan: Plan, world: &World, bug: Option<Bug>, aloud: bool) -> Self {
        let (watch, heart) = (Watch::new(&plan, world), Heart::new(&plan, bug));
        Self { plan, watch, actions: Vec::new(), heart, log_has_failed: false, aloud }
    }

    /// Goes on for so many events; its outcome, if it has ended by then.
    pub(crate) fn on(&mut self, world: &mut World, events: usize) -> Option<Outcome> {
        let mut at_once = None;
        for _ in 0..events {
            let next = at_once.take().or_else(|| next_event(world, &self.heart));
            let Some(event) = next else { continue };
            if self.aloud {
                println!("{:>9.3} {event:?}", world.now.0.as_secs_f64());
            }
            self.watch.hears(&event);
            let todo = self.heart.handle(event, world.told_time());
            let (todo, failed) = self.write_down(todo, world);
            at_once = failed;
            if let Some(outcome) = self.perform(todo, world) {
                return Some(outcome);
            }
        }
        None
    }

    /// What the driver does when the disk is full.
    fn write_down(&mut self, todo: Vec<Action>, world: &World) -> (Vec<Action>, Option<Event>) {
        let is_told = todo.iter().any(|action| matches!(action, Action::Record(_)));
        if !is_told || !world.log_fails || self.log_has_failed {
            return (todo, None);
        }
        self.log_has_failed = true;
        self.watch.loses_the_log();
        let (back, rest): (Vec<_>, Vec<_>) = todo.into_iter().partition(Action::is_held_back);
        (rest, Some(Event::of_failed_log("the disk is full".to_owned(), &back)))
    }

    fn perform(&mut self, todo: Vec<Action>, world: &mut World) -> Option<Outcome> {
        let mut ended: Option<Outcome> = None;
        for action in todo {
            if self.aloud {
                println!("{:>9.3}    => {action:?}", world.now.0.as_secs_f64());
            }
            assert!(ended.is_none(), "an action after the end: {action:?}");
            self.watch.sees(&action, world);
            world.perform(&action);
            if let Action::Finish(outcome) = &action {
                ended = Some(outcome.clone());
            }
            self.actions.push((world.now, action));
        }
        self.watch.looks_at(world);
        if let Some(outcome) = &ended {
            self.watch.judges(outcome, world);
        }
        ended
    }
}

/// What happens first: something in the world, or the moment the heart waits for.
fn next_event(world: &mut World, heart: &Heart) -> Option<Event> {
    let wake = heart.wake_at().map(|wake| world.when_it_is(wake));
    match (world.next_at(), wake) {
        (Some(at), Some(wake)) if at <= wake => world.step(),
        // It is paused, and nothing is in hand.
        (Some(_), None) => world.step(),
        (_, Some(wake)) => {
            world.now = world.now.max(wake);
            Some(Event::Tick)
        }
        (None, None) => panic!("a roll that is neither over nor paused waits for some moment"),
    }
}

fn drawn_plan(rng: &mut Rng) -> Option<(Plan, Vec<bool>)> {
    let pause = |rng: &mut Rng| Duration::from_millis([0, 0, rng.u64(0..3_000)][rng.usize(..3)]);
    let (stop_pause, observe) = (pause(rng), pause(rng));
    let has_dependents = rng.u32(..8) == 0;
    let (before_stop, after_start) = (rng.u32(..4) == 0, rng.u32(..4) == 0);
    let health_timeout = (rng.u32(..4) == 0).then(|| Duration::from_secs(rng.u64(15..60)));
    let members = (0..rng.usize(1..=6)).map(|i| Member {
        unit: format!("worker@{i}.service"),
        up: rng.u32(..8) > 0,
        turn: Turn {
            timeout: Duration::from_secs(rng.u64(20..60)),
            stop_pause,
            observe,
            has_dependents,
            before_stop,
            after_start,
            health_timeout,
            ..Turn::default()
        },
    });
    let members: Vec<Member> = members.collect();
    let bystanders: Vec<bool> = (0..rng.usize(..3)).map(|_| rng.u32(..8) > 0).collect();
    let names = (0..bystanders.len()).map(|i| format!("worker@b{i}.service")).collect();
    let batches = ["1,25%,100%", "2", "50%", "1,2"][rng.usize(..4)].parse().ok();
    let batches = batches.filter(|_| rng.u32(..3) == 0);
    let policy = Policy {
        max_unavailable: (batches.is_none() || rng.bool()).then(|| match rng.bool() {
            true => Share::Number(rng.usize(1..4)),
            false => Share::Percent(rng.usize(1..100)),
        }),
        batches,
        pause: pause(rng),
        on_failure: [OnFailure::Stop, OnFailure::Stop, OnFailure::Continue][rng.usize(..3)],
        before_roll: rng.u32(..4) == 0,
        after_roll: rng.u32(..4) == 0,
        hook_timeout: Duration::from_secs(rng.u64(1..40)),
        is_attended: rng.u32(..3) == 0,
    };
    Some((Plan::new(members, names, policy).ok()?, bystanders))
}
