//! Who a name leads to: the pods of a workload, a Service, the pods behind it. And how many there are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Endpoints;
use crate::objects::{Kind, Name, Pod, Service, Str, Workload};
use crate::time::Time;

impl Endpoints {
    /// How many objects of each kind are known at `at`.
    pub fn objects(&self, at: Time) -> impl Iterator<Item = (Kind, usize)> {
        [
            (Kind::Pod, self.pods.by_name.iter_at(at).count()),
            (Kind::Service, self.services.by_name.iter_at(at).count()),
            (Kind::EndpointSlice, self.services.slices.iter_at(at).count()),
            (Kind::Node, self.nodes.by_name.iter_at(at).count()),
        ]
        .into_iter()
    }

    /// The Service of that name at `at`.
    #[must_use]
    pub fn service(&self, name: &Name, at: Time) -> Option<&Arc<Service>> {
        self.services.at(name, at)
    }

    /// The Service before which a load balancer with this address is a proxy (`ipMode: Proxy`): what is sent there leaves the cluster
    /// untranslated, and what arrives at the pods is another connection.
    #[must_use]
    pub fn behind_proxy(&self, ip: IpAddr, at: Time) -> Option<&Arc<Service>> {
        self.services.behind_proxy(ip, at)
    }

    /// The pods of a namespace at `at`, completed ones too, in no order.
    pub fn pods_in(&self, namespace: &str, at: Time) -> impl Iterator<Item = &Arc<Pod>> {
        let names = self.pods.names_in(namespace).iter();
        names.filter_map(move |name| self.pods.at(name, at))
    }

    /// The names of a namespace's Services at `at`. Looks at every Service.
    pub fn services_in(&self, namespace: &str, at: Time) -> impl Iterator<Item = &Name> {
        let all = self.services.by_name.iter_at(at).map(|(name, _)| name);
        all.filter(move |name| *name.namespace == *namespace)
    }

    /// The pods of a workload at `at`, completed ones too, in no order.
    pub fn pods_of<'a>(
        &'a self,
        namespace: &Str,
        workload: &'a Workload,
        at: Time,
    ) -> impl Iterator<Item = &'a Arc<Pod>> + use<'a> {
        self.pods.of_workload(namespace, workload, at)
    }

    /// The pods behind a Service, ready or not, by name: those that its slices name; where it has no slices, those that its
    /// selector matches and that have not ended.
    #[must_use]
    pub fn pods_behind(&self, service: &Service, at: Time) -> Vec<Arc<Pod>> {
        let slices = self.services.slices_of(&service.name, at);
        let mut pods = BTreeMap::new();
        for endpoint in slices.iter().flat_map(|slice| &slice.endpoints) {
            let named = endpoint.pod.as_ref().and_then(|name| self.pods.at(name, at));
            let pod = named.or_else(|| endpoint.addresses.first().and_then(|ip| self.owning(*ip, at)));
            pods.extend(pod.map(|pod| (pod.name.clone(), pod.clone())));
        }
        if slices.is_empty() {
            let members = self.services.members(service, &self.pods, at);
            pods.extend(
                members
                    .filter(|pod| !pod.phase.is_over())
                    .map(|pod| (pod.name.clone(), pod.clone())),
            );
        }
        pods.into_values().collect()
    }
}
