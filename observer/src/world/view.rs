//! How current the view of the cluster was: the times in which changes were not heard of.

use std::time::Duration;

use crate::time::Time;

/// What is not heard of for less is no reason to doubt: a dropped connection is back within this, and brings what was missed.
const TOLERATED: Duration = Duration::from_secs(10);

/// When changes were not heard of.
#[derive(Debug, Default)]
pub(super) struct View {
    /// From when until when, in order of time; the last one may last. Grows with each break, cut by [`Self::prune`].
    breaks: Vec<(Time, Option<Time>)>,
}

impl View {
    /// Nothing was heard since `since`. Says the same again while it lasts.
    pub(super) fn lost(&mut self, since: Time) {
        match self.breaks.last_mut() {
            Some((from, None)) => *from = since.min(*from),
            _ => self.breaks.push((since, None)),
        }
    }

    /// Everything until `at` has been heard of again.
    pub(super) fn caught_up(&mut self, at: Time) {
        if let Some((_, until @ None)) = self.breaks.last_mut() {
            *until = Some(at);
        }
    }

    /// How old the view of `at` was, if it was older than is tolerated.
    pub(super) fn age(&self, at: Time) -> Option<Duration> {
        self.breaks
            .iter()
            .filter(|(from, until)| *from <= at && until.is_none_or(|until| at < until))
            .map(|(from, _)| at.since(*from))
            .max()
            .filter(|age| *age >= TOLERATED)
    }

    /// Forgets breaks that ended before `before`.
    pub(super) fn prune(&mut self, before: Time) {
        self.breaks
            .retain(|(_, until)| until.is_none_or(|until| until >= before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_counts_from_the_break_until_it_is_caught_up() {
        let second = |count: u64| Time(count * 1_000_000_000);
        let mut view = View::default();
        assert_eq!(view.age(second(5)), None);
        view.lost(second(100));
        view.lost(second(103));
        assert_eq!(view.age(second(90)), None);
        assert_eq!(view.age(second(105)), None);
        assert_eq!(view.age(second(130)), Some(Duration::from_secs(30)));
        view.caught_up(second(150));
        // An attempt of that time is decided later, and was judged by what is known of that time.
        assert_eq!(view.age(second(149)), Some(Duration::from_secs(49)));
        assert_eq!(view.age(second(150)), None);
        view.lost(second(200));
        view.prune(second(160));
        assert_eq!(view.age(second(149)), None);
        assert_eq!(view.age(second(215)), Some(Duration::from_secs(15)));
    }
}
