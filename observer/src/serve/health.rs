//! Whether the agent is alive and ready, and why not. Pure: it is told what the loop says, and when.
//!
//! Alive: the loop goes round and reads the table of unfinished handshakes, the times that it tells are right, and attempts are
//! served. Ready: it is attached, every kind of object was listed once, and it is not about to end.

use std::time::Duration;

use tokio::time::Instant;

use crate::agent::{CLOCK_OFF, Output};

/// The loop looks at itself every second, and sweeps at least four times in that. So long it may be silent: a busy node, a reader
/// that holds it for a moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of the loop.
#[derive(Clone, Debug)]
pub struct Health {
    /// When it last told its figures; at first, when it was started.
    told: Instant,
    /// How long before that it had last swept.
    sweep_age: Duration,
    /// How far its times were from the time of day.
    clock_off: Duration,
    attached: bool,
    synced: bool,
    stopping: bool,
    not_serving: bool,
}

impl Health {
    /// Of a loop that is started `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            told: now,
            sweep_age: Duration::ZERO,
            clock_off: Duration::ZERO,
            attached: false,
            synced: false,
            stopping: false,
            not_serving: false,
        }
    }

    /// Attempts can be served no more: only a restart helps.
    pub fn not_serving(&mut self) {
        self.not_serving = true;
    }

    /// Takes in what the loop says.
    pub fn take(&mut self, output: &Output, now: Instant) {
        match output {
            Output::Figures(figures) => {
                self.told = now;
                self.sweep_age = figures.at.since(figures.swept);
                self.clock_off = figures.clock_off;
                // Manifests are complete before the loop starts.
                self.synced |= figures.api.as_ref().is_none_or(|api| api.synced);
            }
            Output::Coverage(_) => self.attached = true,
            Output::Counters(_) => self.stopping = true,
            _ => {}
        }
    }

    /// Why it is not alive, if it is not.
    #[must_use]
    pub fn dead(&self, now: Instant) -> Option<String> {
        let silent = now - self.told;
        if self.stopping {
            None
        } else if self.not_serving {
            Some("attempts are not served: the log says why".to_owned())
        } else if self.clock_off >= CLOCK_OFF {
            let off = self.clock_off.as_secs();
            Some(format!(
                "the node's clock was set by {off} s since the start: only a restart tells the time right"
            ))
        } else if silent > PATIENCE {
            Some(format!("the loop has said nothing for {} s", silent.as_secs()))
        } else if self.sweep_age > PATIENCE {
            let age = self.sweep_age.as_secs();
            Some(format!("the table of handshakes was not read for {age} s"))
        } else {
            None
        }
    }

    /// Why it is not ready, every reason; none if it is.
    #[must_use]
    pub fn unready(&self, now: Instant) -> Vec<String> {
        let reasons = [
            self.stopping.then(|| "it is stopping".to_owned()),
            (!self.attached).then(|| "it is not attached to the pods' interfaces yet".to_owned()),
            (!self.synced).then(|| "the first list of the cluster's objects is not complete yet".to_owned()),
            self.dead(now),
        ];
        reasons.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Figures, NodeCoverage};
    use crate::cluster;
    use crate::coverage::PodCoverage;
    use crate::probe::coverage::Coverage;
    use crate::time::Time;

    fn figures(swept_before: Duration) -> Output {
        let at = Time(1_000_000_000_000);
        Output::Figures(Box::new(Figures {
            at,
            swept: at - swept_before,
            ..Figures::default()
        }))
    }

    fn with_api(synced: bool) -> Output {
        Output::Figures(Box::new(Figures {
            api: Some(cluster::Health {
                synced,
                ..cluster::Health::default()
            }),
            ..Figures::default()
        }))
    }

    fn coverage() -> Output {
        Output::Coverage(Box::new(NodeCoverage {
            interfaces: Coverage::default(),
            pods: PodCoverage::default(),
        }))
    }

    #[test]
    fn a_loop_that_goes_round_is_alive() {
        let start = Instant::now();
        let mut health = Health::new(start);
        let seconds = |count| start + Duration::from_secs(count);
        assert_eq!(health.dead(seconds(9)), None);
        assert!(health.dead(seconds(11)).is_some(), "it never said anything");
        health.take(&figures(Duration::from_millis(200)), seconds(12));
        assert_eq!(health.dead(seconds(13)), None);
        assert!(health.dead(seconds(30)).is_some_and(|why| why.contains("18 s")));
        health.take(&figures(Duration::from_secs(60)), seconds(31));
        assert!(
            health.dead(seconds(31)).is_some_and(|why| why.contains("60 s")),
            "it does not sweep"
        );
        let mut set = health.clone();
        let clock_off = Duration::from_secs(3600);
        let figures = Figures {
            clock_off,
            ..Figures::default()
        };
        set.take(&Output::Figures(Box::new(figures)), seconds(31));
        assert!(set.dead(seconds(31)).is_some_and(|why| why.contains("set by 3600 s")));
        let mut serving = health.clone();
        serving.not_serving();
        assert!(serving.dead(seconds(31)).is_some_and(|why| why.contains("not served")));
        health.take(&Output::Counters(Default::default()), seconds(31));
        assert_eq!(
            health.dead(seconds(90)),
            None,
            "it ends, and must not be killed for that"
        );
    }

    #[test]
    fn it_is_ready_when_it_is_attached_and_knows_the_cluster() {
        let start = Instant::now();
        let mut health = Health::new(start);
        assert_eq!(health.unready(start).len(), 2);
        health.take(&coverage(), start);
        health.take(&with_api(false), start);
        assert!(health.unready(start)[0].contains("objects"));
        health.take(&with_api(true), start);
        assert_eq!(health.unready(start), Vec::<String>::new());
        health.take(&with_api(false), start);
        assert_eq!(
            health.unready(start),
            Vec::<String>::new(),
            "once is enough: the API may go away"
        );
        let mut health = Health::new(start);
        health.take(&coverage(), start);
        health.take(&figures(Duration::ZERO), start);
        assert_eq!(health.unready(start), Vec::<String>::new());
        assert_eq!(
            health.unready(start + Duration::from_secs(11)).len(),
            1,
            "not if it hangs"
        );
        health.take(&Output::Counters(Default::default()), start);
        assert!(health.unready(start)[0].contains("stopping"));
    }
}
