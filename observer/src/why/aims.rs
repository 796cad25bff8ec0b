//! One source and one destination as the questions that are put to the policies: one for every backend, one for every place of a
//! pod without an address, the other address family beside.

use std::net::{IpAddr, SocketAddr};

use super::resolve::{End, Resolving, shown};
use crate::objects::Protocol;
use crate::policy::{Party, Question, Undecidable, Who};
use crate::world::{Entry, places};

/// One source and one destination.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) source: String,
    pub(super) destination: String,
    /// Where it may lead: one, or one for each backend of a Service.
    pub(super) aims: Vec<Aim>,
    /// How many those are.
    pub(super) backends: usize,
    /// Of a Service: where it leads over the other address family, where that is possible too.
    pub(super) other_family: Vec<Aim>,
    /// Why nothing can be judged where it leads nowhere.
    pub(super) nowhere: Undecidable,
}

/// One place where it may lead.
#[derive(Debug)]
pub(super) struct Aim {
    pub(super) name: String,
    /// One, or one for each place where a pod without an address may come to be. Never empty.
    pub(super) questions: Vec<Question>,
    /// The same over the other address family, where both have one.
    pub(super) other_family: Option<Question>,
    /// By which address it comes in, where that may change who the source is.
    pub(super) entry: Option<Entry>,
}

impl Pair {
    /// Everything that is asked about it, over both address families.
    pub(super) fn questions(&self) -> impl Iterator<Item = &Question> {
        self.aims
            .iter()
            .chain(&self.other_family)
            .flat_map(|aim| aim.questions.iter().chain(&aim.other_family))
    }
}

/// Where a destination leads one source.
pub(super) struct Behind {
    pub(super) destination: String,
    pub(super) landings: Vec<Landing>,
    /// Over the other address family, where there is one in common too.
    pub(super) other_family: Vec<Landing>,
    /// Why nothing can be judged, if there are no landings.
    pub(super) nowhere: Undecidable,
}

/// A destination with its port.
pub(super) struct Landing {
    pub(super) end: End,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) dialled: Option<SocketAddr>,
    pub(super) entry: Option<Entry>,
}

impl Resolving<'_> {
    pub(super) fn aim(&mut self, source: &End, landing: &Landing) -> Aim {
        let (to, at) = (&landing.end, self.at);
        let question = |from_address: IpAddr, to_address: IpAddr| Question {
            source: Party {
                address: from_address,
                who: source.who.clone(),
            },
            destination: Party {
                address: to_address,
                who: to.who.clone(),
            },
            port: landing.port,
            protocol: landing.protocol,
            dialled: landing.dialled,
            at,
        };
        let name = shown(&to.name, landing.port, landing.protocol);
        let mut apart = false;
        let (questions, other_family) = if source.addresses.is_empty() || to.addresses.is_empty() {
            let (from, to) = (self.places_of(source, to), self.places_of(to, source));
            let (first_from, first_to) = (from[0], to[0]);
            // Ingress asks for the source's address only, egress for the destination's.
            let sources = from.iter().map(|ip| question(*ip, first_to));
            let destinations = to.iter().skip(1).map(|ip| question(first_from, *ip));
            (sources.chain(destinations).collect(), None)
        } else {
            let mut common = to.addresses.iter().filter_map(|to| {
                let mut from = source.addresses.iter();
                from.find(|from| from.is_ipv4() == to.is_ipv4())
                    .map(|from| (*from, *to))
            });
            // Without a family in common nothing connects, and still each side's policies say something of the other's address.
            let one_family = common.next();
            let (from, to) = one_family.unwrap_or((source.addresses[0], to.addresses[0]));
            let other = common.next().map(|(from, to)| question(from, to));
            apart = one_family.is_none();
            (vec![question(from, to)], other)
        };
        if apart {
            self.notes.push(format!(
                "{} and {} have no address family in common: nothing can connect, whatever the policies say",
                source.name, to.name
            ));
        }
        Aim {
            name,
            questions,
            other_family,
            entry: landing.entry,
        }
    }

    /// Its addresses, never none; without one, a place for every answer that the other side's policies can give.
    fn places_of(&self, end: &End, other: &End) -> Vec<IpAddr> {
        if !end.addresses.is_empty() {
            return end.addresses.clone();
        }
        let blocks = match &other.who {
            Who::Pod(pod) => self.world.policies().blocks_of(&pod.name.namespace, self.at),
            _ => Vec::new(),
        };
        let has = |ipv6: bool| other.addresses.is_empty() || other.addresses.iter().any(|ip| ip.is_ipv6() == ipv6);
        places(&blocks, has(false), has(true))
    }
}
