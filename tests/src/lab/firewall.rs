//! The node's nftables: where Services, masquerade, enforcement and the host's own firewall have their chains.

/// A chain of the node that tests add rules to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chain {
    /// What a CNI's policy engine does with forwarded packets.
    Enforce,
    /// The host's firewall for forwarded packets: no CNI had a hand in it.
    Firewall,
    /// What reaches the node's own sockets.
    Input,
    /// What leaves the node's own sockets.
    Output,
    /// Before connection tracking and routing.
    Raw,
}

impl Chain {
    /// The chain's name in the table `inet lab`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Firewall => "firewall",
            Self::Input => "node-input",
            Self::Output => "node-output",
            Self::Raw => "early",
        }
    }
}

/// The mark of connections that are to be masqueraded, as kube-proxy's.
pub(super) const MASQUERADE_MARK: &str = "0x4000";

/// The table with its empty chains. Translation comes first, enforcement sees the backend, as on a real node.
pub(super) fn base() -> String {
    format!(
        "table inet lab {{\n\
           chain early {{ type filter hook prerouting priority raw; }}\n\
           chain services {{ type nat hook prerouting priority dstnat; }}\n\
           chain own-services {{ type nat hook output priority -100; }}\n\
           chain no-endpoints {{ type filter hook forward priority filter - 20; }}\n\
           chain enforce {{ type filter hook forward priority filter; }}\n\
           chain firewall {{ type filter hook forward priority filter + 10; }}\n\
           chain node-input {{ type filter hook input priority filter; }}\n\
           chain node-output {{ type filter hook output priority filter; }}\n\
           chain rewrite-source {{ type nat hook postrouting priority srcnat;\n\
             meta mark & {MASQUERADE_MARK} == {MASQUERADE_MARK} masquerade fully-random\n\
           }}\n\
         }}\n"
    )
}
