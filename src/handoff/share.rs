//! How many connections a newcomer asks of each sibling, and how many one of them lets go.

use super::Hello;

/// What to ask of each of `siblings`, so that it and they come to have the mean of all: of those
/// that have more, in proportion to how much more.
pub fn shares(own: &Hello, siblings: &[Hello]) -> Vec<u16> {
    let counts = siblings.iter().map(|sibling| u64::from(sibling.connections));
    let have = u64::from(own.connections);
    let mean = (have + counts.clone().sum::<u64>()) / (siblings.len() as u64 + 1);
    let missing = mean.saturating_sub(have).min(own.room.into());
    let above = counts.map(|count| count.saturating_sub(mean));
    let all = above.clone().sum::<u64>().max(1);
    // Each gets what the sum so far has gained when it is rounded down: so nothing is lost by that.
    let sums = above.scan(0, |sum, above| {
        *sum += above;
        Some(missing * *sum / all)
    });
    let mut before = 0;
    let share = |sum| u16::try_from(sum - std::mem::replace(&mut before, sum)).unwrap_or(u16::MAX);
    sums.map(share).collect()
}

/// How many of `own` connections go to one that asks for so many: never more than make the two
/// equal, whatever it asks for, so that none goes to and fro.
pub fn may_go(own: u32, asker: &Hello, wanted: u16) -> u32 {
    let half = own.saturating_sub(asker.connections) / 2;
    half.min(asker.room).min(wanted.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(connections: u32) -> Hello {
        Hello { group: 1, connections, room: 10_000 }
    }

    fn asked(own: u32, others: &[u32]) -> Vec<u16> {
        shares(&with(own), &others.iter().copied().map(with).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_of_a_roll_gets_its_quarter() {
        assert_eq!(asked(0, &[43, 43, 42]), [11, 11, 10]);
        assert_eq!(asked(0, &[100, 0, 0]), [25, 0, 0]);
        assert_eq!(asked(3, &[4, 3]), [0, 0]);
        assert_eq!(asked(9, &[4, 3]), [0, 0]);
        assert_eq!(asked(0, &[]), [0; 0]);
    }

    #[test]
    fn nobody_is_asked_for_more_than_there_is_room_for() {
        let own = Hello { room: 7, ..with(0) };
        assert_eq!(shares(&own, &[with(30), with(30)]), [3, 4]);
        assert_eq!(may_go(30, &own, 20), 7);
    }

    #[test]
    fn whatever_is_asked_for_no_more_goes_than_makes_two_equal() {
        assert_eq!(may_go(30, &with(9), u16::MAX), 10);
        assert_eq!(may_go(30, &with(31), u16::MAX), 0);
    }

    proptest! {
        #[test]
        fn it_gets_what_it_lacks_of_the_mean_and_no_sibling_falls_below(
            own in 0..500_u32, others in prop::collection::vec(0..500_u32, 1..9),
        ) {
            let asked = asked(own, &others);
            let mean = (own + others.iter().sum::<u32>()) / (others.len() as u32 + 1);
            let sum: u32 = asked.iter().copied().map(u32::from).sum();
            prop_assert_eq!(sum, mean.saturating_sub(own));
            for (wanted, has) in asked.into_iter().zip(others) {
                prop_assert!(u32::from(wanted) <= has.saturating_sub(mean));
                prop_assert_eq!(may_go(has, &with(own), wanted), u32::from(wanted));
            }
        }
    }
}
