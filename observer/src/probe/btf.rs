//! A small reader of the kernel's own type information (BTF, Documentation/bpf/btf.rst): where members lie in structs, the names
//! of enumerators, and what a tracepoint is called with.
//!
//! It reads only what the loader asks for, and takes nothing for granted: a blob that is truncated or inconsistent gives an
//! error, never a panic and never a wrong offset. A wrong offset would not be rejected by the verifier.

use std::collections::HashMap;
use std::path::Path;

/// Where the running kernel shows its types.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
const HEADER_LEN: usize = 24;
/// Typedefs and qualifiers that may stand before a type, and unnamed structs inside unnamed structs. Real ones have a handful.
const MAX_DEPTH: u32 = 32;

/// Why the kernel's types cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file cannot be read.
    #[error("cannot read the kernel's type information at {path}: {why}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        why: std::io::Error,
    },
    /// Not BTF, or cut off.
    #[error("the kernel's type information is damaged: {0}")]
    Damaged(&'static str),
    /// The kernel has no such type.
    #[error("this kernel has no {kind} named {name}")]
    NoType {
        /// Struct, enum or typedef.
        kind: &'static str,
        /// The name looked for.
        name: String,
    },
    /// The struct has no such member.
    #[error("this kernel's struct {of} has no member {path}")]
    NoMember {
        /// The struct.
        of: String,
        /// The member.
        path: String,
    },
    /// A bit field has no byte offset.
    #[error("member {path} of struct {of} is a bit field")]
    BitField {
        /// The struct.
        of: String,
        /// The member.
        path: String,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Typedef,
    /// const, volatile, restrict and type tags: the type behind them is what counts.
    Qualifier,
    FuncProto,
    Enum64,
    Other,
}

/// A type's fixed part.
#[derive(Clone, Copy, Debug)]
struct Type {
    name: u32,
    kind: Kind,
    /// How many members, enumerators or parameters follow.
    len: usize,
    /// Members say bit field sizes.
    flag: bool,
    /// Size in bytes, or the type referred to.
    size_or_type: u32,
    /// Where the variable part begins.
    rest: usize,
}

/// Where a member lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    /// Bytes from the beginning of the struct.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
}

/// The types of a kernel.
pub struct Btf {
    data: Vec<u8>,
    /// Offset in `data` of each type; type ids begin with 1.
    types: Vec<u32>,
    strings: std::ops::Range<usize>,
}

impl Btf {
    /// The running kernel's types.
    ///
    /// # Errors
    ///
    /// [`BtfError::Read`] where the kernel shows none (`CONFIG_DEBUG_INFO_BTF`), [`BtfError::Damaged`] if they cannot be read.
    pub fn of_running_kernel() -> Result<Self, BtfError> {
        Self::read(Path::new(VMLINUX))
    }

    /// Types from a file.
    ///
    /// # Errors
    ///
    /// As [`Btf::of_running_kernel`].
    pub fn read(path: &Path) -> Result<Self, BtfError> {
        let data = std::fs::read(path).map_err(|why| BtfError::Read {
            path: path.display().to_string(),
            why,
        })?;
        Self::parse(data)
    }

    /// Types from bytes.
    ///
    /// # Errors
    ///
    /// [`BtfError::Damaged`].
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let header = data.get(..HEADER_LEN).ok_or(BtfError::Damaged("no header"))?;
        if u16::from_ne_bytes([header[0], header[1]]) != MAGIC {
            return Err(BtfError::Damaged("wrong magic number"));
        }
        let field = |at| word(&data, at).map(|value| value as usize);
        let start = field(4)?;
        let section = |offset: usize, len: usize, what| {
            let from = start.checked_add(offset).ok_or(BtfError::Damaged(what))?;
            let to = from.checked_add(len).ok_or(BtfError::Damaged(what))?;
            (to <= data.len()).then_some(from..to).ok_or(BtfError::Damaged(what))
        };
        let types_at = section(field(8)?, field(12)?, "the types end behind the file")?;
        let strings = section(field(16)?, field(20)?, "the names end behind the file")?;

        let mut types = Vec::new();
        let mut at = types_at.start;
        while at < types_at.end {
            let (kind, len) = shape(word(&data, at + 4)?);
            let rest = rest_len(kind, len)?;
            types.push(u32::try_from(at).map_err(|_| BtfError::Damaged("too large"))?);
            at += 12 + rest;
        }
        if at != types_at.end {
            return Err(BtfError::Damaged("the last type is cut off"));
        }
        types.shrink_to_fit();
        Ok(Self { data, types, strings })
    }

    /// Where a member lies in a struct. `path` has dots for members of members; unnamed structs and unions are no step.
    ///
    /// # Errors
    ///
    /// If there is no such struct or member, or it is a bit field.
    pub fn member(&self, of: &str, path: &str) -> Result<Member, BtfError> {
        let mut structure = self.find(of, &[Kind::Struct, Kind::Union], "struct")?;
        let mut found = Member { offset: 0, size: 0 };
        let mut last = None;
        for name in path.split('.') {
            if let Some(id) = last {
                structure = self.resolve(id)?;
            }
            let (bits, id, bit_field) =
                self.member_in(structure, name, MAX_DEPTH)?
                    .ok_or_else(|| BtfError::NoMember {
                        of: of.to_owned(),
                        path: path.to_owned(),
                    })?;
            if bit_field || bits % 8 != 0 {
                return Err(BtfError::BitField {
                    of: of.to_owned(),
                    path: path.to_owned(),
                });
            }
            found.offset = found
                .offset
                .checked_add(bits / 8)
                .ok_or(BtfError::Damaged("a member lies too far"))?;
            last = Some(id);
        }
        if let Some(id) = last {
            found.size = self.size(id, MAX_DEPTH)?;
        }
        Ok(found)
    }

    /// The enumerators of an enum by value.
    ///
    /// # Errors
    ///
    /// If there is no such enum.
    pub fn enumerators(&self, name: &str) -> Result<HashMap<u32, &str>, BtfError> {
        let found = self.find(name, &[Kind::Enum], "enum")?;
        (0..found.len)
            .map(|nth| {
                let at = found.rest + nth * 8;
                Ok((word(&self.data, at + 4)?, self.name(word(&self.data, at)?)?))
            })
            .collect()
    }

    /// The parameters of a raw tracepoint, each by the name of its type where that has one. The first is the tracepoint's own
    /// data pointer; what a program sees begins with the second.
    ///
    /// # Errors
    ///
    /// If the kernel has no such tracepoint.
    pub fn tracepoint(&self, name: &str) -> Result<Vec<&str>, BtfError> {
        let typedef = self.find(&format!("btf_trace_{name}"), &[Kind::Typedef], "tracepoint type")?;
        let pointer = self.resolve(typedef.size_or_type)?;
        let prototype = match pointer.kind {
            Kind::Ptr => self.resolve(pointer.size_or_type)?,
            _ => return Err(BtfError::Damaged("a tracepoint's type is no pointer")),
        };
        if prototype.kind != Kind::FuncProto {
            return Err(BtfError::Damaged("a tracepoint's type is no function"));
        }
        (0..prototype.len)
            .map(|nth| {
                let id = word(&self.data, prototype.rest + nth * 8 + 4)?;
                if id == 0 {
                    return Ok("");
                }
                self.name(self.resolve(id)?.name)
            })
            .collect()
    }

    fn find(&self, name: &str, kinds: &[Kind], what: &'static str) -> Result<Type, BtfError> {
        for &at in &self.types {
            let found = self.at(at as usize)?;
            if kinds.contains(&found.kind) && self.name(found.name)? == name {
                return Ok(found);
            }
        }
        Err(BtfError::NoType {
            kind: what,
            name: name.to_owned(),
        })
    }

    /// The member's offset in bits, its type, and whether it is a bit field.
    fn member_in(&self, structure: Type, name: &str, depth: u32) -> Result<Option<(u32, u32, bool)>, BtfError> {
        if !matches!(structure.kind, Kind::Struct | Kind::Union) {
            return Ok(None);
        }
        let depth = depth
            .checked_sub(1)
            .ok_or(BtfError::Damaged("structs are nested too deep"))?;
        for nth in 0..structure.len {
            let at = structure.rest + nth * 12;
            let (own, id, raw) = (
                self.name(word(&self.data, at)?)?,
                word(&self.data, at + 4)?,
                word(&self.data, at + 8)?,
            );
            // With the flag set the upper 8 bits are a bit field's width (btf.rst, BTF_KIND_STRUCT).
            let (bits, bit_field) = if structure.flag {
                (raw & 0x00ff_ffff, raw >> 24 != 0)
            } else {
                (raw, false)
            };
            if own == name {
                return Ok(Some((bits, id, bit_field)));
            }
            if own.is_empty()
                && let Some((inner, id, bit_field)) = self.member_in(self.resolve(id)?, name, depth)?
            {
                let bits = bits
                    .checked_add(inner)
                    .ok_or(BtfError::Damaged("a member lies too far"))?;
                return Ok(Some((bits, id, bit_field)));
            }
        }
        Ok(None)
    }

    fn size(&self, id: u32, depth: u32) -> Result<u32, BtfError> {
        let depth = depth
            .checked_sub(1)
            .ok_or(BtfError::Damaged("arrays are nested too deep"))?;
        let found = self.resolve(id)?;
        match found.kind {
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => Ok(found.size_or_type),
            Kind::Ptr => Ok(8),
            Kind::Array => {
                let each = self.size(word(&self.data, found.rest)?, depth)?;
                each.checked_mul(word(&self.data, found.rest + 8)?)
                    .ok_or(BtfError::Damaged("an array is too large"))
            }
            _ => Err(BtfError::Damaged("a member's type has no size")),
        }
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Result<Type, BtfError> {
        for _ in 0..MAX_DEPTH {
            let nth = (id as usize)
                .checked_sub(1)
                .ok_or(BtfError::Damaged("void where a type is needed"))?;
            let at = self.types.get(nth).ok_or(BtfError::Damaged("no such type id"))?;
            let found = self.at(*at as usize)?;
            if !matches!(found.kind, Kind::Typedef | Kind::Qualifier) {
                return Ok(found);
            }
            id = found.size_or_type;
        }
        Err(BtfError::Damaged("a typedef names itself"))
    }

    fn at(&self, at: usize) -> Result<Type, BtfError> {
        let info = word(&self.data, at + 4)?;
        let (kind, len) = shape(info);
        Ok(Type {
            name: word(&self.data, at)?,
            kind: match kind {
                1 => Kind::Int,
                2 => Kind::Ptr,
                3 => Kind::Array,
                4 => Kind::Struct,
                5 => Kind::Union,
                6 => Kind::Enum,
                8 => Kind::Typedef,
                9..=11 | 18 => Kind::Qualifier,
                13 => Kind::FuncProto,
                19 => Kind::Enum64,
                _ => Kind::Other,
            },
            len,
            flag: info >> 31 == 1,
            size_or_type: word(&self.data, at + 8)?,
            rest: at + 12,
        })
    }

    fn name(&self, offset: u32) -> Result<&str, BtfError> {
        let names = &self.data[self.strings.clone()];
        let name = names
            .get(offset as usize..)
            .ok_or(BtfError::Damaged("a name lies behind the names"))?;
        let end = name
            .iter()
            .position(|&byte| byte == 0)
            .ok_or(BtfError::Damaged("a name has no end"))?;
        std::str::from_utf8(&name[..end]).map_err(|_| BtfError::Damaged("a name is not text"))
    }
}

/// Kind and count of a type's `info` word.
fn shape(info: u32) -> (u32, usize) {
    ((info >> 24) & 0x1f, (info & 0xffff) as usize)
}

/// Bytes that follow a type's fixed part.
fn rest_len(kind: u32, len: usize) -> Result<usize, BtfError> {
    Ok(match kind {
        // pointer, forward, typedef, volatile, const, restrict, function, float, type tag
        2 | 7..=12 | 16 | 18 => 0,
        // integer, variable, declaration tag
        1 | 14 | 17 => 4,
        // array
        3 => 12,
        // struct, union, section, 64-bit enum
        4 | 5 | 15 | 19 => len * 12,
        // enum, function prototype
        6 | 13 => len * 8,
        _ => return Err(BtfError::Damaged("a type of an unknown kind")),
    })
}

fn word(data: &[u8], at: usize) -> Result<u32, BtfError> {
    let bytes = data
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .ok_or(BtfError::Damaged("it is cut off"))?;
    Ok(u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests;
