//! One schedule: a group, a policy and a world, walked to its end.

use std::time::Duration;

use fastrand::Rng;
use rollctl::roll::{Action, Event, Member, Moment, OnFailure, Outcome, Plan, Policy, Share, Turn};

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
    let mut world = World::of(&plan, rng, &bystanders);
    let mut watch = Watch::new(&plan, &world);
    let mut heart = Heart::new(&plan, bug);
    let mut actions = Vec::new();
    let mut ended: Option<Outcome> = None;
    for _ in 0..MOST_EVENTS {
        let Some(event) = next_event(&mut world, &heart) else { continue };
        if aloud {
            println!("{:>9.3} {event:?}", world.now.0.as_secs_f64());
        }
        watch.hears(&event);
        let todo = heart.handle(event, world.told_time());
        for action in todo {
            if aloud {
                println!("{:>9.3}    => {action:?}", world.now.0.as_secs_f64());
            }
            assert!(ended.is_none(), "an action after the end: {action:?}");
            watch.sees(&action, &world);
            world.perform(&action);
            if let Action::Finish(outcome) = &action {
                ended = Some(outcome.clone());
            }
            actions.push((world.now, action));
        }
        watch.looks_at(&world);
        if let Some(outcome) = ended {
            watch.judges(&outcome, &world);
            return Told { reason: outcome.reason.word(), actions };
        }
    }
    panic!("the roll does not end");
}

/// What happens first: something in the world, or the moment the heart waits for.
fn next_event(world: &mut World, heart: &Heart) -> Option<Event> {
    let wake = heart.wake_at().expect("a roll that is not over waits for some moment");
    let wake = world.when_it_is(wake);
    match world.next_at() {
        Some(at) if at <= wake => world.step(),
        _ => {
            world.now = world.now.max(wake);
            Some(Event::Tick)
        }
    }
}

fn drawn_plan(rng: &mut Rng) -> Option<(Plan, Vec<bool>)> {
    let pause = |rng: &mut Rng| Duration::from_millis([0, 0, rng.u64(0..3_000)][rng.usize(..3)]);
    let (stop_pause, observe) = (pause(rng), pause(rng));
    let (before_stop, after_start) = (rng.u32(..4) == 0, rng.u32(..4) == 0);
    let health_timeout = (rng.u32(..4) == 0).then(|| Duration::from_secs(rng.u64(15..60)));
    let members = (0..rng.usize(1..=6)).map(|i| Member {
        unit: format!("worker@{i}.service"),
        up: rng.u32(..8) > 0,
        turn: Turn {
            timeout: Duration::from_secs(rng.u64(20..60)),
            stop_pause,
            observe,
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
