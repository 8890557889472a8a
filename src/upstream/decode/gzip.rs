//! What gzip puts round deflated data (RFC 1952), read byte by byte.

use bytes::{Buf, Bytes};
use flate2::Crc;

use super::Undecodable;

/// The first two bytes of a member.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

const DEFLATE: u8 = 8;
const HAS_CHECKSUM: u8 = 0x02;
const HAS_EXTRA: u8 = 0x04;
const HAS_NAME: u8 = 0x08;
const HAS_COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

/// The head of a member, as far as it has been read.
pub(super) struct Header {
    later: bool,
    flags: u8,
    field: Field,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// The ten bytes every head has, of which so many have been read.
    Fixed(u8),
    ExtraLow,
    ExtraHigh(u8),
    Extra(u16),
    Name,
    Comment,
    ChecksumLow,
    ChecksumHigh,
    Whole,
}

/// How reading a head went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It needs more input.
    More,
    /// It is whole, the deflated data follows.
    Whole,
    /// What follows the last member is none: padding or rubbish.
    Foreign,
}

impl Header {
    /// The head at the start of a body.
    pub(super) fn first() -> Self {
        Self { later: false, flags: 0, field: Field::Fixed(0) }
    }

    /// A head behind another member, where there need not be one.
    pub(super) fn later() -> Self {
        Self { later: true, flags: 0, field: Field::Fixed(0) }
    }

    /// Takes the bytes of the head off `input`.
    pub(super) fn read(&mut self, input: &mut Bytes) -> Result<Read, Undecodable> {
        while self.field != Field::Whole {
            if input.is_empty() {
                return Ok(Read::More);
            }
            let byte = input.get_u8();
            if self.later
                && matches!(self.field, Field::Fixed(at @ (0 | 1)) if MAGIC[usize::from(at)] != byte)
            {
                return Ok(Read::Foreign);
            }
            self.field = self.after(byte)?;
        }
        Ok(Read::Whole)
    }

    /// Whether the body may end here.
    pub(super) fn may_end(&self) -> bool {
        self.later && matches!(self.field, Field::Fixed(0 | 1))
    }

    fn after(&mut self, byte: u8) -> Result<Field, Undecodable> {
        let problem = match self.field {
            Field::Fixed(at @ (0 | 1)) if byte != MAGIC[usize::from(at)] => "no gzip header",
            Field::Fixed(2) if byte != DEFLATE => "unknown compression method",
            Field::Fixed(3) if byte & RESERVED != 0 => "unknown flags",
            _ => "",
        };
        if !problem.is_empty() {
            return Err(Undecodable::Corrupt("gzip", problem));
        }
        Ok(match self.field {
            Field::Fixed(3) => {
                self.flags = byte;
                Field::Fixed(4)
            }
            Field::Fixed(9) => self.after_fixed(),
            Field::Fixed(at) => Field::Fixed(at + 1),
            Field::ExtraLow => Field::ExtraHigh(byte),
            Field::ExtraHigh(low) => self.extra(u16::from_le_bytes([low, byte])),
            Field::Extra(left) => self.extra(left - 1),
            Field::Name if byte == 0 => self.after_name(),
            Field::Comment if byte == 0 => self.after_comment(),
            Field::ChecksumLow => Field::ChecksumHigh,
            Field::ChecksumHigh => Field::Whole,
            Field::Name | Field::Comment | Field::Whole => self.field,
        })
    }

    fn after_fixed(&self) -> Field {
        if self.flags & HAS_EXTRA != 0 { Field::ExtraLow } else { self.after_extra() }
    }

    fn extra(&self, left: u16) -> Field {
        if left > 0 { Field::Extra(left) } else { self.after_extra() }
    }

    fn after_extra(&self) -> Field {
        if self.flags & HAS_NAME != 0 { Field::Name } else { self.after_name() }
    }

    fn after_name(&self) -> Field {
        if self.flags & HAS_COMMENT != 0 { Field::Comment } else { self.after_comment() }
    }

    fn after_comment(&self) -> Field {
        if self.flags & HAS_CHECKSUM != 0 { Field::ChecksumLow } else { Field::Whole }
    }
}

/// The checksum and the length at the end of a member.
#[derive(Default)]
pub(super) struct Trailer {
    bytes: [u8; 8],
    filled: usize,
}

impl Trailer {
    /// Takes the bytes of the trailer off `input`; whether it is whole, and then also right.
    pub(super) fn read(&mut self, input: &mut Bytes, seen: &Crc) -> Result<bool, Undecodable> {
        while self.filled < self.bytes.len() {
            if input.is_empty() {
                return Ok(false);
            }
            self.bytes[self.filled] = input.get_u8();
            self.filled += 1;
        }
        let (checksum, length) = self.bytes.split_at(4);
        if checksum != seen.sum().to_le_bytes() {
            return Err(Undecodable::Corrupt("gzip", "wrong checksum"));
        }
        if length != seen.amount().to_le_bytes() {
            return Err(Undecodable::Corrupt("gzip", "wrong length"));
        }
        Ok(true)
    }
}
