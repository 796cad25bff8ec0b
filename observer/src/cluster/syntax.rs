//! The small grammars that the API server checks fields by (`k8s.io/apimachinery/pkg/util/validation`).
//!
//! Each message says what is wrong and what to write instead.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use crate::objects::Protocol;

fn is_lower_alnum(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Begins and ends with `edge`, with `edge` or one of `inner` between.
fn shaped(text: &str, edge: fn(u8) -> bool, inner: &[u8]) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|c| edge(*c))
        && bytes.last().is_some_and(|c| edge(*c))
        && bytes.iter().all(|c| edge(*c) || inner.contains(c))
}

/// An RFC 1123 label: names of namespaces and of Services.
pub(super) fn dns_label(text: &str) -> Result<(), String> {
    if text.len() <= 63 && shaped(text, is_lower_alnum, b"-") {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no valid name: use at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"
    ))
}

/// An RFC 1123 subdomain: the names of most objects.
pub(super) fn dns_subdomain(text: &str) -> Result<(), String> {
    if text.len() <= 253 && text.split('.').all(|part| shaped(part, is_lower_alnum, b"-")) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no valid name: use at most 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"
    ))
}

/// A label's key: a name of at most 63 characters, with an optional DNS prefix before a slash.
pub(super) fn label_key(text: &str) -> Result<(), String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let alnum: fn(u8) -> bool = |c| c.is_ascii_alphanumeric();
    if name.len() <= 63 && shaped(name, alnum, b"-_.") && prefix.is_none_or(|prefix| dns_subdomain(prefix).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no valid label key: use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, after an optional DNS name and '/'"
    ))
}

/// A label's value: empty, or at most 63 characters.
pub(super) fn label_value(text: &str) -> Result<(), String> {
    let alnum: fn(u8) -> bool = |c| c.is_ascii_alphanumeric();
    if text.is_empty() || (text.len() <= 63 && shaped(text, alnum, b"-_.")) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no valid label value: use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, or nothing"
    ))
}

/// A domain name, or `*.` and one.
pub(super) fn domain_name(text: &str) -> Result<(), String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name);
    let alnum: fn(u8) -> bool = |c| c.is_ascii_alphanumeric();
    if name.contains('.') && name.split('.').all(|label| shaped(label, alnum, b"-_")) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no domain name: use a name such as kubernetes.io, or *.kubernetes.io for all names below it"
    ))
}

/// A port's name (IANA_SVC_NAME, RFC 6335 section 5.1).
pub(super) fn port_name(text: &str) -> Result<(), String> {
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        return Err(format!(
            "{text:?} in quotes is a port's name, and a name needs a letter: remove the quotes if the number is meant"
        ));
    }
    let bytes = text.as_bytes();
    if text.len() <= 15
        && shaped(text, is_lower_alnum, b"-")
        && !bytes.windows(2).any(|pair| pair == b"--")
        && bytes.iter().any(u8::is_ascii_lowercase)
    {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no valid port name: use at most 15 lower-case letters, digits and single '-' between them, with at least one letter"
    ))
}

/// A port's number.
pub(super) fn port(number: i32) -> Result<u16, String> {
    u16::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{number} is no port: use a number from 1 to 65535"))
}

/// A protocol; TCP where none is given.
pub(super) fn protocol(text: Option<&str>) -> Result<Protocol, String> {
    match text {
        None | Some("TCP") => Ok(Protocol::Tcp),
        Some("UDP") => Ok(Protocol::Udp),
        Some("SCTP") => Ok(Protocol::Sctp),
        Some(other) => Err(format!("{other:?} is no protocol: use TCP, UDP or SCTP")),
    }
}

/// Something that is read in an older way, which the API server takes with a warning, and newer ones refuse.
pub(super) struct Lenient<T> {
    pub(super) value: T,
    pub(super) warning: Option<String>,
}

/// Four decimal numbers with leading zeros, as Go read them before 1.17.
fn zero_padded(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then_some(Ipv4Addr::from(octets))
}

/// An address.
pub(super) fn ip(text: &str) -> Result<Lenient<IpAddr>, String> {
    if let Ok(given) = text.parse::<IpAddr>() {
        let value = given.to_canonical();
        return Ok(Lenient {
            warning: (value != given)
                .then(|| format!("{text:?} is an IPv4 address in IPv6 form, read as {value}: write {value}")),
            value,
        });
    }
    if let Some(value) = zero_padded(text) {
        return Ok(Lenient {
            warning: Some(format!("{text:?} has leading zeros, read as {value}: write {value}")),
            value: value.into(),
        });
    }
    Err(format!("{text:?} is no IP address"))
}

/// An address block. Bits behind the prefix are masked.
pub(super) fn cidr(text: &str) -> Result<Lenient<IpNetwork>, String> {
    let wrong = || format!("{text:?} is no address block: use an address, '/' and a prefix length, such as 10.0.0.0/8");
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    if prefix.is_empty() || !prefix.bytes().all(|c| c.is_ascii_digit()) {
        return Err(wrong());
    }
    let prefix = prefix.parse::<u8>().map_err(|_| wrong())?;
    let address = match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
            return Err(format!(
                "{text:?} is an IPv4 block in IPv6 form: write it as an IPv4 block"
            ));
        }
        Ok(address) => address,
        Err(_) => zero_padded(address).ok_or_else(wrong)?.into(),
    };
    let given = IpNetwork::new(address, prefix).map_err(|_| wrong())?;
    let value = IpNetwork::new(given.network(), prefix).map_err(|_| wrong())?;
    Ok(Lenient {
        warning: (value.to_string() != text)
            .then(|| format!("{text:?} is read as {value}; newer API servers refuse it: write {value}"))
            .filter(|_| value != given || address.is_ipv4()),
        value,
    })
}
